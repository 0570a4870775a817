"""From a file on disk to its row: the hash, the core metadata, the page fragments."""

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from entitlements_core.engine.catalog_cache import Row
from entitlements_core.engine.distributions import (
    Description,
    Identity,
    Unservable,
    describe,
    identify,
)
from entitlements_core.engine.scan import Look, Notes
from entitlements_core.engine.sdists import sdist_pkg_info
from entitlements_core.engine.wheels import wheel_metadata
from entitlements_core.policy.facts import FileKind
from entitlements_core.simple import FileEntry, file_url, html_fragment, json_fragment

__all__ = ["Reading", "annotate", "read_all", "read_file"]

_log = logging.getLogger("entitlements.engine")

_THREADS = min(4, (os.cpu_count() or 1) + 1)
"""Hashing lets other threads run; beyond a few the disk is what waits."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one file found.

    Attributes:
        row: of the file.
        metadata: of a wheel that can be served, else None.
    """

    row: Row
    metadata: bytes | None = None


def read_file(path: str, relative: str, look: Look, notes: Notes) -> Reading | None:
    """Read one file; None when it is no longer the file that was looked at, or gone."""
    try:
        with Path(path).open("rb") as archive:
            reading = _read(archive, relative, look, notes)
            return reading if _still(archive, look) else None
    except FileNotFoundError:
        return None
    except OSError as error:
        problem = f"It cannot be read: {error.strerror}."
        return _refused(relative, look, Unservable(problem, "Check its mode and its owner."))
    except Exception as error:  # noqa: BLE001 - one odd file must not keep back all others
        _log.exception("%s cannot be read", path)
        return _refused(relative, look, Unservable.misbuilt(f"It cannot be read: {error!r}."))


def read_all(
    wanted: Mapping[str, tuple[str, Look, Notes]],
) -> Iterator[tuple[str, Reading | None]]:
    """Read files, several at a time, and yield them in the order they are done.

    Args:
        wanted: absolute path -> relative path, look and notes.
    """
    if len(wanted) == 1:
        yield from ((path, read_file(path, *what)) for path, what in wanted.items())
        return
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="catalog-read") as pool:
        tasks = {pool.submit(read_file, path, *what): path for path, what in wanted.items()}
        yield from ((tasks[task], task.result()) for task in as_completed(tasks))


def annotate(row: Row, notes: Notes) -> Row:
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


def _read(archive: BufferedReader, relative: str, look: Look, notes: Notes) -> Reading:
    filename = relative.rpartition("/")[2]
    try:
        identity = identify(filename)
        row, metadata = _contents(archive, filename, identity)
    except Unservable as error:
        return _refused(relative, look, error)
    row = row._replace(path=relative, size=look.size, mtime_ns=look.mtime_ns)
    return Reading(annotate(row, notes), metadata)


def _contents(
    archive: BufferedReader, filename: str, identity: Identity
) -> tuple[Row, bytes | None]:
    """The row without what the file system says, and the core metadata to serve."""
    row = Row("", 0, 0, name=identity.name, version=str(identity.version))
    served = None
    if identity.kind is FileKind.WHEEL:
        served = wheel_metadata(archive, identity)
        row = _described(row, describe(served, identity, source="METADATA"))._replace(
            python_tags=" ".join(sorted(identity.python_tags)),
            platform_tags=" ".join(sorted(identity.platform_tags)),
            metadata_sha256=hashlib.sha256(served).hexdigest(),
        )
    elif (found := sdist_pkg_info(archive, filename)) is not None:
        row = _described(row, describe(found, identity, source="PKG-INFO"))
    archive.seek(0)
    return row._replace(sha256=hashlib.file_digest(archive, "sha256").hexdigest()), served


def _described(row: Row, said: Description) -> Row:
    return row._replace(
        requires_python=said.requires_python,
        license=said.license,
        summary=said.summary,
        requires_dist=said.requires_dist,
    )


def _refused(relative: str, look: Look, error: Unservable) -> Reading:
    return Reading(
        Row(relative, look.size, look.mtime_ns, problem=error.problem, remedy=error.remedy)
    )


def _still(archive: BufferedReader, look: Look) -> bool:
    found = os.fstat(archive.fileno())
    return (found.st_size, found.st_mtime_ns) == (look.size, look.mtime_ns)
