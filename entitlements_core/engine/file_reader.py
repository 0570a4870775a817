"""From a file on disk to its row: the hash, the core metadata, the page fragments."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from io import BufferedReader

from entitlements_core.engine.catalog_cache import CatalogRow
from entitlements_core.engine.core_metadata import is_announceable
from entitlements_core.engine.distributions import (
    METADATA_LIMIT,
    Description,
    ParsedFilename,
    TooLarge,
    Unservable,
    describe,
    faults_of_one_file,
    parse_filename,
)
from entitlements_core.engine.scan import FileStat, Notes, shown
from entitlements_core.engine.sdists import sdist_pkg_info
from entitlements_core.engine.stated_names import stated_name
from entitlements_core.engine.wheels import WheelMetadata, wheel_metadata
from entitlements_core.policy.facts import FileKind
from entitlements_core.simple import FileEntry, file_url, html_fragment, json_fragment

__all__ = ["ReadResult", "annotate", "open_file", "read_all", "read_file", "unservable"]

_SHOWN = 200
"""Characters of a name."""

_THREADS = min(4, (os.cpu_count() or 1) + 1)
"""Other threads run while one hashes; with more than a few of them, they wait for the disk."""


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What reading one file found.

    Attributes:
        row: of the file.
        metadata: to serve beside a wheel, else None.
    """

    row: CatalogRow
    metadata: bytes | None = None


def open_file(path: str) -> int:
    """A descriptor of a file; a pipe that took its place is no reason to wait.

    Raises:
        OSError: when it cannot be opened.
    """
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def read_file(
    path: str, relative: str, look: FileStat, notes: Notes, limit: int = METADATA_LIMIT
) -> ReadResult | None:
    """Read one file; None when it is no longer the file that was looked at, or gone.

    Whatever is wrong with it is told of this file alone. Only what says nothing of it is raised:
    that memory is short, or that the program is ended.

    Args:
        path: absolute.
        relative: the same below its root.
        look: what the file system said of it.
        notes: that lie beside it.
        limit: bytes that its core metadata may have, inclusive.
    """
    try:
        with os.fdopen(open_file(path), "rb") as archive:
            if not _still(archive, look):
                return None
            try:
                with faults_of_one_file():
                    reading = _read(archive, relative, look, notes, limit)
            except Unservable as error:
                stated = stated_name(archive, relative, limit)
                reading = unservable(relative, look, error, stated=stated or "")
            return reading if _still(archive, look) else None
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = f"It cannot be read: {error.strerror}."
        return unservable(relative, look, Unservable(problem, "Check its mode and its owner."))


def unservable(relative: str, look: FileStat, error: Unservable, *, stated: str = "") -> ReadResult:
    """What is kept of a file that is not served."""
    row = CatalogRow(
        relative, *look, problem=shown(error.problem), remedy=error.remedy, name=stated
    )
    return ReadResult(row._replace(bound=error.limit) if isinstance(error, TooLarge) else row)


def read_all(
    wanted: Mapping[str, tuple[str, FileStat, Notes]], limit: int = METADATA_LIMIT
) -> Iterator[tuple[str, ReadResult | None]]:
    """Read files, several at a time, and yield them in the order they are done.

    Args:
        wanted: absolute path -> relative path, look and notes.
        limit: bytes that core metadata may have, inclusive.
    """
    if len(wanted) == 1:
        yield from ((path, read_file(path, *what, limit)) for path, what in wanted.items())
        return
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="catalog-read") as pool:
        tasks = {pool.submit(read_file, path, *what, limit): path for path, what in wanted.items()}
        yield from ((tasks[task], task.result()) for task in as_completed(tasks))


def annotate(row: CatalogRow, notes: Notes) -> CatalogRow:
    """The row with the notes and the fragments that follow from them."""
    row = row._replace(yanked=notes.yanked, provenance=notes.provenance)
    filename = row.path.rpartition("/")[2]
    entry = FileEntry(
        filename=filename,
        url=file_url(filename),
        sha256=row.sha256,
        size=row.size,
        requires_python=row.requires_python,
        yanked=row.yanked,
        core_metadata_sha256=row.metadata_sha256,
        provenance=row.provenance,
    )
    return row._replace(html=html_fragment(entry), json=json_fragment(entry))


def _read(
    archive: BufferedReader, relative: str, look: FileStat, notes: Notes, limit: int
) -> ReadResult:
    filename = relative.rpartition("/")[2]
    row, metadata = _contents(archive, filename, parse_filename(filename), limit)
    row = row._replace(path=relative, **look._asdict())
    return ReadResult(annotate(row, notes), metadata)


def _contents(
    archive: BufferedReader, filename: str, identity: ParsedFilename, limit: int
) -> tuple[CatalogRow, bytes | None]:
    """The row without what the file system says, and the core metadata to serve."""
    row = CatalogRow("", 0, 0, name=identity.name, version=str(identity.version))
    served = None
    if identity.kind is FileKind.WHEEL:
        found = wheel_metadata(archive, identity, limit)
        served = found.body if is_announceable(found.body) else None
        row = _described(row, describe(found.body, identity, source="METADATA"))._replace(
            remark=_remark(found),
            python_tags=" ".join(sorted(identity.python_tags)),
            platform_tags=" ".join(sorted(identity.platform_tags)),
            metadata_sha256=None if served is None else hashlib.sha256(served).hexdigest(),
        )
    elif (info := sdist_pkg_info(archive, filename, limit)) is not None:
        row = _described(row, describe(info, identity, source="PKG-INFO"))
    archive.seek(0)
    return row._replace(sha256=hashlib.file_digest(archive, "sha256").hexdigest()), served


def _remark(found: WheelMetadata) -> str | None:
    """What is wrong with a wheel that some installers take."""
    if not is_announceable(found.body):
        return (
            "Its METADATA is not UTF-8, so the file is served without it. pip does not install it."
        )
    if not found.is_told_by_folder:
        return (
            f"Its folder {shown(found.folder)[:_SHOWN]} ends in no version. uv installs it; so does"
            " pip of today, which then fails whenever it looks at what is installed."
        )
    return None


def _described(row: CatalogRow, said: Description) -> CatalogRow:
    return row._replace(
        requires_python=said.requires_python,
        license=said.license,
        summary=said.summary,
        requires_dist=said.requires_dist,
    )


def _still(archive: BufferedReader, look: FileStat) -> bool:
    return FileStat.of(os.fstat(archive.fileno())) == look
