"""What lies in a directory of distributions: names, sizes and times, nothing is opened but notes.

Names that begin with a dot, or end like those of unfinished files, are passed over. A symbolic
link to a file may point to anywhere inside its root; one that leads out is reported. Linked
directories are not entered: inside the root their files are met at their own place.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from entitlements_core.engine.distributions import LEGACY_SUFFIXES, SUFFIXES

__all__ = [
    "NO_NOTES",
    "Listing",
    "Look",
    "Notes",
    "Problem",
    "distribution_of",
    "is_passed_over",
    "list_file",
    "list_tree",
    "modified_at",
    "parents",
]

_UNFINISHED = (
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    ".download",
    ".swp",
    ".bak",
    "~",
)
_YANKED = ".yanked"
_PROVENANCE = ".provenance"
_NOTES = (_YANKED, _PROVENANCE)
_NOTE_LIMIT = 4096
"""Bytes read of a note; a reason is a sentence, a URL a line."""
_URL = re.compile(r"https?://[!-~]+")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Why a file is not served, or not as its owner meant.

    Attributes:
        path: absolute; bytes that are not UTF-8 are shown as escapes.
        reason: what was found, one sentence.
        remedy: what to do about it, one sentence or empty.
    """

    path: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """A file as the file system shows it: size in bytes, mtime in nanoseconds since the epoch."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Notes:
    """What files beside a distribution say of it.

    Attributes:
        yanked: the text of ``<file>.yanked``, None without one (PEP 592).
        provenance: the URL in ``<file>.provenance`` (PEP 740), None without one.
    """

    yanked: str | None = None
    provenance: str | None = None


NO_NOTES = Notes()


@dataclass(slots=True)
class Listing:
    """What was found, by path relative to the root, with ``/``.

    Attributes:
        available: False when the root itself cannot be read; everything else is empty then.
        files: what may be a distribution, by its name.
        notes: only of the files that have any; may name files that are not there.
        problems: what could not be listed.
    """

    available: bool = True
    files: dict[str, Look] = field(default_factory=dict)
    notes: dict[str, Notes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def is_passed_over(relative: str) -> bool:
    """Whether a path, relative to its root, is hidden or unfinished, or below such a directory."""
    return any(part.startswith(".") or part.endswith(_UNFINISHED) for part in relative.split("/"))


def distribution_of(relative: str) -> str:
    """The file that a path is about: itself, or for a note the file that the note is for."""
    for suffix in _NOTES:
        if relative.endswith(suffix):
            return relative.removesuffix(suffix)
    return relative


def modified_at(mtime_ns: int) -> datetime:
    """Nanoseconds since the epoch as an aware time, UTC; the epoch where no year can hold it."""
    try:
        return datetime.fromtimestamp(mtime_ns // 1000 / 1_000_000, UTC)
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, UTC)


def list_tree(root: str, below: str = "") -> Listing:
    """List a root, or the directory `below` in it (relative, without a trailing ``/``)."""
    listing = Listing()
    try:
        real_root = os.path.realpath(root, strict=True)
        entries = _entries(_joined(root, below))
    except OSError as error:
        if not below:
            listing.available = False
            listing.problems.append(_unreadable(root, error))
        return listing
    if _is_own_place(root, below, real_root):
        noted: set[str] = set()
        _descend(listing, root, real_root, below, entries, noted)
        _read_notes(listing, root, real_root, noted)
    return listing


def list_file(root: str, relative: str) -> Listing:
    """List one file that may be a distribution, with its notes; empty when it is not there."""
    listing = Listing()
    directory, _, name = relative.rpartition("/")
    try:
        real_root = os.path.realpath(root, strict=True)
        found = os.lstat(_joined(root, relative))
    except OSError:
        return listing
    if name.endswith(SUFFIXES + LEGACY_SUFFIXES) and _is_own_place(root, directory, real_root):
        _add(listing, root, real_root, relative, is_link=stat.S_ISLNK(found.st_mode))
        _read_notes(listing, root, real_root, [relative])
    return listing


def _entries(path: str) -> list[os.DirEntry[str]]:
    with os.scandir(path) as found:
        return list(found)


def _descend(  # noqa: PLR0913, PLR0917 - the parts of one walk; an object for them would say less
    listing: Listing,
    root: str,
    real_root: str,
    below: str,
    entries: Iterable[os.DirEntry[str]],
    noted: set[str],
) -> None:
    for entry in entries:
        if is_passed_over(entry.name):
            continue
        relative = f"{below}/{entry.name}" if below else entry.name
        if entry.is_dir(follow_symlinks=False):
            try:
                inner = _entries(entry.path)
            except OSError as error:
                listing.problems.append(_unreadable(entry.path, error))
                continue
            _descend(listing, root, real_root, relative, inner, noted)
            continue
        if entry.name.endswith(SUFFIXES + LEGACY_SUFFIXES) or entry.is_symlink():
            _add(listing, root, real_root, relative, is_link=entry.is_symlink())
        if entry.name.endswith(_NOTES):
            noted.add(distribution_of(relative))


def _add(listing: Listing, root: str, real_root: str, relative: str, *, is_link: bool) -> None:
    path = _joined(root, relative)
    if not _is_text(relative):
        listing.problems.append(
            Problem(_shown(path), "The name is not UTF-8.", "Give the file a plain ASCII name.")
        )
    elif is_link and not _inside(os.path.realpath(path), real_root):
        listing.problems.append(
            Problem(
                path,
                "The link leads out of the directory that is served.",
                "Copy the files, or serve the directory it points to as one of its own.",
            )
        )
    elif relative.endswith(SUFFIXES + LEGACY_SUFFIXES):
        try:
            found = os.stat(path)  # noqa: PTH116 - called once per file, a Path costs more
        except OSError:  # gone since, or a link to nowhere
            return
        if stat.S_ISREG(found.st_mode):
            listing.files[relative] = Look(found.st_size, found.st_mtime_ns)


def _read_notes(listing: Listing, root: str, real_root: str, noted: Iterable[str]) -> None:
    for relative in noted:
        yanked = _note(root, real_root, relative + _YANKED)
        provenance = _note(root, real_root, relative + _PROVENANCE)
        if provenance is not None and not _URL.fullmatch(provenance):
            path = _shown(_joined(root, relative + _PROVENANCE))
            listing.problems.append(
                Problem(
                    path,
                    "The file does not hold one absolute URL, so no provenance is announced.",
                    "Put the provenance object where clients can fetch it and its URL in here.",
                )
            )
            provenance = None
        if yanked is not None or provenance is not None:
            listing.notes[relative] = Notes(yanked, provenance)


def _note(root: str, real_root: str, relative: str) -> str | None:
    path = os.path.realpath(_joined(root, relative))
    try:
        # a pipe must not hold up the scan
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as note:
        if not (stat.S_ISREG(os.fstat(descriptor).st_mode) and _inside(path, real_root)):
            return None
        return note.read(_NOTE_LIMIT).decode("utf-8", "replace").strip()


def _is_own_place(root: str, directory: str, real_root: str) -> bool:
    """Whether no link stands between the root and the directory."""
    return os.path.realpath(_joined(root, directory)) == _joined(real_root, directory)


def _inside(real_path: str, real_root: str) -> bool:
    return real_path == real_root or real_path.startswith(real_root.rstrip("/") + "/")


def _joined(root: str, relative: str) -> str:
    return f"{root.rstrip('/')}/{relative}" if relative else root


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:  # bytes of the file system that Python kept as lone surrogates
        return False
    return True


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _unreadable(path: str, error: OSError) -> Problem:
    return Problem(
        _shown(path), f"It cannot be read: {error.strerror}.", "Check that it exists and its mode."
    )


def parents(relative: str) -> Iterator[str]:
    """The directories above a relative path, nearest first, the root (empty) last."""
    while relative:
        relative = relative.rpartition("/")[0]
        yield relative
