"""Takes in what lies in the directories: what is known stays, what is new is read."""

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from entitlements_core.engine.catalog_cache import CatalogCache, CatalogRow
from entitlements_core.engine.distributions import (
    METADATA_LIMIT,
    SUFFIXES,
    Unservable,
    faults_of_one_file,
)
from entitlements_core.engine.file_reader import ReadResult, annotate, read_all, unservable
from entitlements_core.engine.scan import NO_NOTES, FileStat, Listing, Notes, Problem, shown, told
from entitlements_core.engine.snapshot_builder import SnapshotBuilder
from entitlements_core.engine.source import Source
from entitlements_core.interfaces import Progress
from entitlements_core.services.gc_pause import gc_paused

__all__ = ["SETTLE_SECONDS", "Indexer", "ScanScope"]

_log = logging.getLogger("entitlements.engine")

_YOUNG_SECONDS: Final = 0.3
"""A file changed more recently may still be written to: it is taken when a second look agrees."""

SETTLE_SECONDS: Final = 0.2
"""The least time between the two looks."""

_BATCH: Final = 512
"""Files read between two writes of the cache, so that a scan that is stopped was not in vain."""

_FEW: Final = 100
"""Up to so many files are asked of the cache one by one, more all at once."""

ScanScope = tuple[int, str]
"""The index of a root and a directory or file below it; the whole root when empty."""


@dataclass(slots=True)
class IndexCounts:
    """Counts of files: read, known from before (here or in the cache), gone."""

    read: int = 0
    reused: int = 0
    removed: int = 0


@dataclass(slots=True)
class _Work:
    """What is left to read of one root: absolute path -> relative path, look and notes."""

    root: int
    wanted: dict[str, tuple[str, FileStat, Notes]] = field(default_factory=dict)

    def batches(self) -> Iterator[dict[str, tuple[str, FileStat, Notes]]]:
        """The work in parts that are stored together."""
        items = iter(self.wanted.items())
        while batch := dict(islice(items, _BATCH)):
            yield batch


class Indexer:
    """Compares directories with a builder. Not thread-safe, as the builder.

    Args:
        roots: absolute paths.
        builder: is brought up to date.
        cache: is asked before a file is read, and told afterwards.
        clock: tells the time, aware.
        source: says what is in the roots.
        metadata_limit: bytes that the core metadata of a file may have, inclusive.
    """

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        roots: Sequence[str],
        builder: SnapshotBuilder,
        cache: CatalogCache,
        clock: Callable[[], datetime],
        source: Source,
        *,
        metadata_limit: int = METADATA_LIMIT,
    ) -> None:
        self._roots = roots
        self._builder = builder
        self._cache = cache
        self._clock = clock
        self._source = source
        self._limit = metadata_limit
        self._first_looks: dict[ScanScope, tuple[FileStat, float]] = {}
        self._missing: set[int] = set()
        self._loaded: set[int] = set()

    @property
    def waiting(self) -> set[ScanScope]:
        """The files that need another look, because they are still being written."""
        return set(self._first_looks)

    @property
    def is_available(self) -> bool:
        """Every root could be read when it was looked at last."""
        return not self._missing

    def look(self, scopes: Iterable[ScanScope], progress: Progress | None = None) -> IndexCounts:
        """Bring the builder up to date for some directories and files."""
        tally = IndexCounts()
        with gc_paused():
            work = [self._list(root, where, tally) for root, where in scopes]
        total = sum(len(part.wanted) for part in work)
        for part in work:
            for batch in part.batches():
                for reading in self._read(part.root, batch):
                    tally.read += reading
                    if progress is not None:
                        progress(tally.read, total)
        return tally

    def _list(self, root: int, where: str, tally: IndexCounts) -> _Work:
        """Take in what needs no reading; the rest is returned."""
        base = self._roots[root]
        is_tree = self._is_tree(root, where)
        listing = self._ask(base, where, is_tree=is_tree)
        self._tell_missing(root, listing, whole=not where)
        self._builder.note_problems(root, where, listing)
        known = self._builder.below(root, where) if is_tree else [where]
        gone = [path for path in known if path not in listing.files]
        tally.removed += self._withdraw(root, gone, available=listing.available)
        return self._sort_out(root, listing, tally, whole=not where)

    def _ask(self, base: str, where: str, *, is_tree: bool) -> Listing:
        """What the source lists; where it fails, nothing is there, and the others are looked at."""
        try:
            if is_tree:
                return self._source.list_tree(base, where)
            return self._source.list_file(base, where)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - logged whole
            path = shown(f"{base.rstrip('/')}/{where}")
            _log.exception("%s cannot be listed", path)
            problem = Problem(path, f"It cannot be listed: {told(error)}.", "See the log.")
            return Listing(available=False, problems=[problem])

    def _is_tree(self, root: int, where: str) -> bool:
        if not where or os.path.isdir(f"{self._roots[root]}/{where}"):  # noqa: PTH112 - hot
            return True
        return not where.endswith(SUFFIXES) and bool(self._builder.below(root, where))

    def _tell_missing(self, root: int, listing: Listing, *, whole: bool) -> None:
        if not listing.available and root not in self._missing:
            self._missing.add(root)
            _log.warning(
                "%s cannot be read; its files are withdrawn until it is back",
                shown(self._roots[root]),
            )
        elif listing.available and whole and root in self._missing:
            self._missing.discard(root)
            _log.warning("%s is back", shown(self._roots[root]))

    def _withdraw(self, root: int, gone: Iterable[str], *, available: bool) -> int:
        dropped = [path for path in gone if self._drop(root, path)]
        if dropped and available:  # of a root that comes back nothing needs to be read again
            self._cache.forget(self._roots[root], dropped)
        return len(dropped)

    def _drop(self, root: int, path: str) -> bool:
        self._first_looks.pop((root, path), None)
        return self._builder.drop(root, path)

    def _sort_out(self, root: int, listing: Listing, tally: IndexCounts, *, whole: bool) -> _Work:
        unknown = {
            path: look
            for path, look in listing.files.items()
            if not self._keep(root, self._builder.row(root, path), look, listing.notes)
        }
        cached = self._cached(root, unknown, listing, whole=whole)
        work = _Work(root)
        for path, look in unknown.items():
            if self._keep(root, cached.get(path), look, listing.notes):
                continue
            if self._is_settled(root, path, look):
                notes = listing.notes.get(path, NO_NOTES)
                work.wanted[f"{self._roots[root].rstrip('/')}/{path}"] = path, look, notes
            else:
                self._builder.drop(root, path)  # what was known of it is no longer true
            tally.reused -= 1
        tally.reused += len(listing.files)
        return work

    def _keep(
        self, root: int, row: CatalogRow | None, look: FileStat, notes: Mapping[str, Notes]
    ) -> bool:
        """Whether the row still is of the file; if so it is taken over, with its present notes."""
        if row is None or not row.is_of(look):
            return False
        if row.bound is not None and row.bound != self._limit:
            return False
        said = notes.get(row.path, NO_NOTES)
        if row.problem is None and (row.yanked, row.provenance) != (said.yanked, said.provenance):
            try:
                with faults_of_one_file():
                    row = annotate(row, said)
            except (Unservable, OSError) as error:
                row = unservable(row.path, look, Unservable.misbuilt(str(error))).row
            else:
                self._cache.store(self._roots[root], [row], {})
        if self._builder.row(root, row.path) is not row:
            self._first_looks.pop((root, row.path), None)
            self._builder.put(root, row)
        return True

    def _cached(
        self, root: int, unknown: Iterable[str], listing: Listing, *, whole: bool
    ) -> Mapping[str, CatalogRow]:
        paths = list(unknown)
        base = self._roots[root]
        if whole and listing.available and root not in self._loaded:
            self._loaded.add(root)
            rows = self._cache.load(base)
            stale = [path for path in rows if path not in listing.files]
            if stale:
                self._cache.forget(base, stale)
            return rows
        if len(paths) > _FEW:
            return self._cache.load(base)
        found = ((path, self._cache.get(base, path)) for path in paths)
        return {path: row for path, row in found if row is not None}

    def _is_settled(self, root: int, path: str, look: FileStat) -> bool:
        """Whether nobody seems to be writing to the file any more."""
        now = time.monotonic()
        first, since = self._first_looks.get((root, path), (None, now))
        if first == look:
            settled = now - since >= SETTLE_SECONDS
        else:
            age = self._clock().timestamp() - look.mtime_ns / 1e9
            settled = abs(age) >= _YOUNG_SECONDS
            self._first_looks[root, path] = look, now
        if settled:
            del self._first_looks[root, path]
        return settled

    def _read(self, root: int, batch: dict[str, tuple[str, FileStat, Notes]]) -> Iterator[int]:
        """Read files; yields 1 as each is done. The cache knows them before anybody else does."""
        readings: list[ReadResult] = []
        for path, reading in read_all(batch, self._limit):
            if reading is None:
                relative, look, _ = batch[path]
                self._builder.drop(root, relative)
                self._first_looks[root, relative] = look, time.monotonic()
            else:
                readings.append(reading)
            yield 1
        metadata = {
            reading.row.metadata_sha256: reading.metadata
            for reading in readings
            if reading.row.metadata_sha256 and reading.metadata is not None
        }
        self._cache.store(self._roots[root], [reading.row for reading in readings], metadata)
        for reading in readings:
            self._builder.put(root, reading.row)
