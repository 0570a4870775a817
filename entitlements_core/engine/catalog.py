"""The distributions in some directories, kept up to date: what the engine serves from."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from packaging.utils import NormalizedName

from entitlements_core.engine.catalog_cache import CatalogCache
from entitlements_core.engine.distributions import (
    METADATA_LIMIT,
    Unservable,
    faults_of_one_file,
    parse_filename,
)
from entitlements_core.engine.file_reader import open_file
from entitlements_core.engine.indexer import SETTLE_SECONDS, Indexer, ScanScope
from entitlements_core.engine.scan import (
    FileStat,
    Problem,
    distribution_of,
    is_passed_over,
    parents,
)
from entitlements_core.engine.snapshot import EMPTY, CatalogFile, Snapshot
from entitlements_core.engine.snapshot_builder import SnapshotBuilder
from entitlements_core.engine.source import Directories, Source
from entitlements_core.engine.upload_time_sync import UploadTimeSync
from entitlements_core.engine.watch import Watcher
from entitlements_core.engine.wheels import wheel_metadata
from entitlements_core.interfaces import Progress, UploadTimes
from entitlements_core.policy.project_names import names_in
from entitlements_core.services.gc_pause import gc_paused

__all__ = ["Catalog", "ScanReport"]

_MANY_PATHS: Final = 200
"""More changed paths than this are cheaper to take in by a look at everything."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a look at the directories found.

    Attributes:
        read: files whose contents were read.
        reused: files known from before, here or in the cache.
        removed: files that were known and are gone.
        waiting: files that are still being written, or were changed while they were read.
        problems: see `Catalog.problems`.
    """

    read: int
    reused: int
    removed: int
    waiting: int
    problems: tuple[Problem, ...]


class Catalog:
    """The wheels and sdists in some directories, and below them.

    Nothing is served before the first `refresh`. Reading `snapshot` never waits; every other
    method may. All methods may be called from any thread. A forked child calls `watch` again;
    everything else goes on in it as it was.

    Args:
        roots: directories; of one file name in two of them the first root wins. They may be
            missing for a while: their files are then withdrawn.
        repository: ``owner/slug``, for the facts.
        cache: path of the SQLite file that keeps what was read; made when it is not there. Several
            processes, and several catalogs, may share it.
        clock: tells the time, aware.
        uploads: remembers when the files came into the repository.
        source: says which files are in the roots; None is the file system.
        metadata_limit: bytes that the core metadata of a file may have, inclusive.

    Raises:
        StoreError: the cache cannot be made or opened.
    """

    def __init__(  # noqa: PLR0913 - what a catalog is made of
        self,
        roots: Sequence[Path],
        *,
        repository: str,
        cache: Path,
        clock: Callable[[], datetime],
        uploads: UploadTimes,
        source: Source | None = None,
        metadata_limit: int = METADATA_LIMIT,
    ) -> None:
        self._roots = tuple(os.path.abspath(root) for root in roots)  # noqa: PTH100 - keeps links
        self._cache = CatalogCache(cache)
        self._builder = SnapshotBuilder(self._roots, repository)
        self._source = source or Directories()
        self._limit = metadata_limit
        self._indexer = Indexer(
            self._roots,
            self._builder,
            self._cache,
            clock,
            self._source,
            metadata_limit=metadata_limit,
        )
        self._upload_dates = UploadTimeSync(self._builder, uploads)
        self._snapshot = EMPTY
        self._is_built = False
        self._is_closed = False
        self._problems: tuple[Problem, ...] = ()
        self._names: frozenset[NormalizedName] = frozenset()
        self._watcher: Watcher | None = None
        self._lock = threading.RLock()
        self._pid = os.getpid()

    @property
    def snapshot(self) -> Snapshot:
        """What is served now."""
        return self._snapshot

    @property
    def is_built(self) -> bool:
        """Everything was looked at once. Until then `snapshot` lacks what is there."""
        return self._is_built

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is not served, or not as its owner meant, by path."""
        return self._problems

    def refresh(self, progress: Progress | None = None) -> ScanReport:
        """Look at everything now, and take in what changed.

        Where files were changed less than 0.3 s ago, waits a moment to see whether they still are.

        Args:
            progress: called with the files read so far and the files to read.
        """
        with self._update(complete=True):
            tally = self._indexer.look(self._everything(), progress)
        self._is_built = True
        if self._indexer.waiting:
            time.sleep(SETTLE_SECONDS)
            with self._update():
                tally.read += self._indexer.look(self._indexer.waiting, progress).read
        waiting = len(self._indexer.waiting)
        return ScanReport(tally.read, tally.reused, tally.removed, waiting, self._problems)

    def rescan(self) -> None:
        """Look at everything now; files that are still being written are left for later."""
        with self._update(complete=True):
            self._indexer.look(self._everything())
        self._is_built = True

    def examine(self, paths: Iterable[str]) -> None:
        """Look again at some absolute paths, and at the files that were still being written.

        Upload times that were changed in the store are noticed, too.
        """
        scopes = {scope for path in paths for scope in self._scopes(path)}
        if len(scopes) > _MANY_PATHS:
            scopes = set(self._everything())
        scopes |= self._indexer.waiting
        if scopes or self._upload_dates.is_due():
            with self._update():
                self._indexer.look([scope for scope in scopes if not _is_covered(scope, scopes)])

    def has_name(self, name: NormalizedName) -> bool:
        """Whether any file in the directories has the name of a project, be it served or not."""
        return name in self._snapshot.projects or name in self._names

    def metadata(self, file: CatalogFile) -> bytes | None:
        """The core metadata of a file (PEP 658), None where none are served or it is gone."""
        if file.metadata_sha256 is None:
            return None
        found = self._cache.metadata(file.metadata_sha256)
        return _metadata_on_disk(file, self._limit) if found is None else found

    @staticmethod
    def verify(file: CatalogFile, found: os.stat_result) -> bool:
        """Whether the file on disk still is the one that was read; if not, call `recheck`."""
        return FileStat.of(found) == file.look

    def recheck(self, path: str) -> None:
        """Have an absolute path looked at: soon where the catalog is watched, else at once."""
        watcher = self._watcher
        if watcher is not None and watcher.is_running:
            watcher.recheck(path)
        else:
            self.examine([path])

    def watch(self, *, polling: bool = False) -> None:
        """See new, changed and removed files within a second from now on.

        Does nothing where they are watched already. To be called again in a forked child.

        Args:
            polling: do not rely on being told of changes, as on network file systems.
        """
        with self._owned():
            if self._watcher is None or not self._watcher.is_running:
                polling = polling or not self._source.notifies
                self._watcher = Watcher(self._roots, self, polling=polling)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing is looked at for the length of the block."""
        with self._owned():
            yield

    @property
    def is_closed(self) -> bool:
        """It was closed, and only shows what it served last."""
        return self._is_closed

    def close(self) -> None:
        """Stop watching and close the cache. What was served last stays in `snapshot`."""
        self._is_closed = True
        if self._watcher is not None:
            self._watcher.stop()
        with self._owned():
            self._cache.close()

    @contextmanager
    def _update(self, *, complete: bool = False) -> Iterator[None]:
        """Look, with `complete` at everything, and publish what was found.

        What was taken in before a failure is published all the same.
        """
        with self._owned():
            looked = False
            try:
                yield
                looked = True
            finally:
                whole = complete and looked and self._indexer.is_available
                self._names = self._names_left_out()
                with gc_paused():
                    self._upload_dates.settle(self._names, complete=whole)
                    self._snapshot = self._builder.publish()
                self._problems = self._builder.problems()

    def _names_left_out(self) -> frozenset[NormalizedName]:
        """The names of the files that are there and not served, or not yet.

        Those that stand in their names, and those that their core metadata state.
        """
        problems = self._builder.problems()
        paths = [problem.path for problem in problems]
        paths += [path for _, path in self._indexer.waiting]
        named = {name for path in paths for name in names_in(path.rpartition("/")[2])}
        return frozenset(named.union(problem.stated for problem in problems if problem.stated))

    @contextmanager
    def _owned(self) -> Iterator[None]:
        """Hold the lock; in a forked child a new one, as nobody is left to release the old."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock = threading.RLock()
        with self._lock:
            yield

    def _everything(self) -> list[ScanScope]:
        return [(index, "") for index in range(len(self._roots))]

    def _scopes(self, path: str) -> Iterator[ScanScope]:
        for index, root in enumerate(self._roots):
            inside = root.rstrip("/") + "/"
            if path == root:
                yield index, ""
            elif path.startswith(inside) and not is_passed_over(path.removeprefix(inside)):
                yield index, distribution_of(path.removeprefix(inside))


def _is_covered(scope: ScanScope, scopes: set[ScanScope]) -> bool:
    """Whether a directory above the scope is looked at as well."""
    root, where = scope
    return any((root, above) in scopes for above in parents(where))


def _metadata_on_disk(file: CatalogFile, limit: int) -> bytes | None:
    """For a cache that lost them; only those that were announced are of use."""
    try:
        with faults_of_one_file(), os.fdopen(open_file(file.path), "rb") as archive:
            found = wheel_metadata(archive, parse_filename(file.facts.filename), limit).body
    except (OSError, Unservable):
        return None
    return found if hashlib.sha256(found).hexdigest() == file.metadata_sha256 else None
