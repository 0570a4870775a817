"""What lies in a directory of distributions: names, sizes and times, nothing is opened but notes.

Names that begin with a dot, or end like those of unfinished files, are passed over. A symbolic
link to a file may point to anywhere inside its root; one that leads out is reported. Linked
directories are not entered: inside the root their files are met at their own place.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from packaging.utils import NormalizedName

from entitlements_core.policy.limits import MAX_COUNT
from entitlements_core.policy.project_names import ENDS
from entitlements_core.terminal import escaped

__all__ = [
    "NO_NOTES",
    "FileStat",
    "Listing",
    "Notes",
    "Problem",
    "distribution_of",
    "is_passed_over",
    "list_file",
    "list_tree",
    "modified_at",
    "parents",
    "shown",
    "told",
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

_MOST: Final = MAX_COUNT
"""Whole numbers that SQLite keeps have 64 bits; nanoseconds leave them in 1677 and in 2262."""

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)

_ABSENT: Final = (FileNotFoundError, NotADirectoryError)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Why a file is not served, or not as its owner meant.

    Attributes:
        path: absolute; bytes that are not UTF-8 are shown as escapes.
        reason: what was found, one sentence.
        remedy: what to do about it, one sentence or empty.
        stated: the project that the core metadata of the file name, normalised, or empty.
    """

    path: str
    reason: str
    remedy: str = ""
    stated: NormalizedName | Literal[""] = ""


class FileStat(NamedTuple):
    """A file as the file system shows it, which tells it from any other that was at its path.

    Two of them are equal only if nobody wrote to the file in between: what takes its place has
    another inode, and whoever writes into it and sets its times back changes `ctime_ns`. A file
    system that numbers its files anew, or another mode, makes two of one file; it is then read
    again. The device is left out, since many file systems are another one after each mount.

    Attributes:
        size: in bytes.
        mtime_ns: when the contents were written, as anybody may set it; nanoseconds since the
            epoch, held to 64 bits.
        inode: the number within the file system, as a signed number of 64 bits.
        ctime_ns: when anything of the file was changed last, which no program can set; as
            `mtime_ns`.
    """

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "FileStat":
        """What `os.stat` tells, whatever it tells, in numbers that can be stored."""
        size, mtime, ctime = found.st_size, found.st_mtime_ns, found.st_ctime_ns
        inode = found.st_ino
        if not (-_MOST <= mtime <= _MOST and -_MOST <= ctime <= _MOST and inode <= _MOST):
            mtime, ctime = _held(mtime), _held(ctime)
            inode = inode if inode <= _MOST else inode - (1 << 64)
        return cls._make((size, mtime, inode, ctime))


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
    files: dict[str, FileStat] = field(default_factory=dict)
    notes: dict[str, Notes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def take(self, path: str, relative: str, found: os.stat_result) -> None:
        """Add what lies at an absolute path, if it is a plain file whose name can be told."""
        if not _is_text(relative):
            self.problems.append(
                Problem(shown(path), "The name is not UTF-8.", "Give the file a plain ASCII name.")
            )
        elif stat.S_ISREG(found.st_mode):
            self.files[relative] = FileStat.of(found)

    def leave_out(self, path: str, error: Exception) -> None:
        """Say of a file or directory why it is left out; one that is gone needs no word."""
        if not isinstance(error, _ABSENT):
            self.problems.append(_unreadable(path, error))


def is_passed_over(relative: str) -> bool:
    """Whether a path, relative to its root, is hidden or unfinished, or below such a directory."""
    return any(map(_is_hidden, relative.split("/")))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.endswith(_UNFINISHED)


def distribution_of(relative: str) -> str:
    """The file that a path is about: itself, or for a note the file that the note is for."""
    for suffix in _NOTES:
        if relative.endswith(suffix):
            return relative.removesuffix(suffix)
    return relative


def modified_at(mtime_ns: int) -> datetime:
    """Nanoseconds since the epoch as an aware time, UTC.

    What no year can hold becomes the first or the last moment that one can. A time in the far
    future must not pass for one long ago: somebody may be entitled to all that was there then.
    """
    try:
        return datetime.fromtimestamp(mtime_ns // 1000 / 1_000_000, UTC)
    except (OverflowError, OSError, ValueError):
        return _LAST if mtime_ns > 0 else _FIRST


def list_tree(root: str, below: str = "") -> Listing:
    """List a root, or the directory `below` in it (relative, without a trailing ``/``)."""
    listing = Listing()
    try:
        real_root = os.path.realpath(root, strict=True)
        entries = _entries(_joined(root, below))
    except OSError as error:
        if below:
            listing.leave_out(_joined(root, below), error)
        else:
            listing.available = False
            listing.problems.append(_unreadable(root, error))
        return listing
    if _is_own_place(root, below, real_root):
        _read_notes(listing, root, real_root, _descend(listing, root, real_root, below, entries))
    return listing


def list_file(root: str, relative: str) -> Listing:
    """List one file that may be a distribution, with its notes; empty when it is not there."""
    listing = Listing()
    directory, _, name = relative.rpartition("/")
    if not _is_named(name):
        return listing
    try:
        real_root = os.path.realpath(root, strict=True)
        found = os.lstat(_joined(root, relative))
        if _is_own_place(root, directory, real_root):
            _add(listing, root, real_root, relative, is_link=stat.S_ISLNK(found.st_mode))
            _read_notes(listing, root, real_root, [relative])
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - as in `_descend`
        listing.leave_out(_joined(root, relative), error)
    return listing


def _entries(path: str) -> list[os.DirEntry[str]]:
    with os.scandir(path) as found:
        return list(found)


def _descend(
    listing: Listing,
    root: str,
    real_root: str,
    below: str,
    entries: list[os.DirEntry[str]],
) -> set[str]:
    """Take in a directory and all below it; gives the files that notes were found for.

    Not by calling itself: a path can have more parts than Python lets calls be nested.
    """
    noted: set[str] = set()
    waiting = [(below, entries)]
    while waiting:
        directory, inside = waiting.pop()
        for entry in inside:
            if _is_hidden(entry.name):
                continue
            relative = f"{directory}/{entry.name}" if directory else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((relative, _entries(entry.path)))
                    continue
                if _is_named(entry.name) or entry.is_symlink():
                    _add(listing, root, real_root, relative, is_link=entry.is_symlink())
                if entry.name.endswith(_NOTES):
                    noted.add(distribution_of(relative))
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - one odd entry must not keep back all others
                listing.leave_out(entry.path, error)
    return noted


def _add(listing: Listing, root: str, real_root: str, relative: str, *, is_link: bool) -> None:
    path = _joined(root, relative)
    if is_link and _is_text(relative) and not _inside(_followed(path), real_root):
        listing.problems.append(
            Problem(
                shown(path),
                "The link leads out of the directory that is served.",
                "Copy the files, or serve the directory it points to as one of its own.",
            )
        )
    elif _is_named(relative):
        listing.take(path, relative, os.stat(path))  # noqa: PTH116 - for every file, a Path costs more


def _is_named(name: str) -> bool:
    """Whether a file may be a distribution, by its name."""
    return name.lower().endswith(ENDS)


def _followed(path: str) -> str:
    """Where a link leads, be anything there or not.

    Raises:
        OSError: when the system follows no such link. It gives up after forty; `realpath` alone
            would follow thousands, for each of the thousands that lead to each other.
    """
    with suppress(FileNotFoundError):
        os.stat(path)  # noqa: PTH116 - a Path costs more
    return os.path.realpath(path)


def _read_notes(listing: Listing, root: str, real_root: str, noted: Iterable[str]) -> None:
    for relative in noted:
        # The name alone says that it is yanked.
        yanked = _note(listing, root, real_root, relative + _YANKED, unread="")
        provenance = _note(listing, root, real_root, relative + _PROVENANCE, unread=None)
        if provenance is not None and not _URL.fullmatch(provenance):
            path = shown(_joined(root, relative + _PROVENANCE))
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


def _note(
    listing: Listing, root: str, real_root: str, relative: str, *, unread: str | None
) -> str | None:
    """What a note says, None where there is none, `unread` where it is there and cannot be read."""
    path = _joined(root, relative)
    try:
        real_path = _followed(path)
        # a pipe must not hold up the scan
        descriptor = os.open(real_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as note:
            if not (stat.S_ISREG(os.fstat(descriptor).st_mode) and _inside(real_path, real_root)):
                return None
            return note.read(_NOTE_LIMIT).decode("utf-8", "replace").strip()
    except _ABSENT:
        return None
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - as in `_descend`
        listing.leave_out(path, error)
        return unread


def _is_own_place(root: str, directory: str, real_root: str) -> bool:
    """Whether no link stands between the root and the directory."""
    return os.path.realpath(_joined(root, directory)) == _joined(real_root, directory)


def _inside(real_path: str, real_root: str) -> bool:
    return real_path == real_root or real_path.startswith(real_root.rstrip("/") + "/")


def _joined(root: str, relative: str) -> str:
    return f"{root.rstrip('/')}/{relative}" if relative else root


def _is_text(name: str) -> bool:
    if name.isascii():
        return True
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:  # bytes of the file system that Python kept as lone surrogates
        return False
    return True


def _held(nanoseconds: int) -> int:
    return max(-_MOST, min(nanoseconds, _MOST))


def shown(path: str) -> str:
    """A path, or any text, in one line: for messages and logs.

    What is not UTF-8, breaks a line or steers a terminal is shown as escapes.
    """
    try:
        text = os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # surrogates that stand for no byte, as JSON may bring them
        text = path.encode("utf-8", "backslashreplace").decode()
    return escaped(text)


def _unreadable(path: str, error: Exception) -> Problem:
    reason = f"It cannot be read: {told(error)}."
    return Problem(shown(path), reason, "Check that it exists and its mode.")


def told(error: Exception) -> str:
    """What an error says, for a message: what the system says, or which error it is."""
    return str(error.strerror) if isinstance(error, OSError) else shown(f"{error!r:.200}")


def parents(relative: str) -> Iterator[str]:
    """The directories above a relative path, nearest first, the root (empty) last."""
    while relative:
        relative = relative.rpartition("/")[0]
        yield relative
