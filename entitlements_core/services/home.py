"""The home, and what is made in it: the server's alone from the first moment, whatever the umask.

The key opens the store, and what lies beside it tells names of customers, projects and files. A
file that is made first and closed to others afterwards was open in between; so it gets its mode
under a name that nobody looks for, and then its own.
"""

import contextlib
import errno
import logging
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from entitlements_core.store.ownership import (
    give_folder_to_owner,
    give_to_owner,
    make_folders,
)

__all__ = ["make_home", "make_private", "others_may", "own_files", "protect_home", "write_private"]

log: Final = logging.getLogger("entitlements.home")

_PRIVATE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

_OURS: Final = re.compile(
    r"key|entitlements\.db.*|catalog.*\.db.*|proxies\.(json|new)|devpi\.json|\.(key|new|copy)-.*"
)
"""What this product makes in a home."""

_OF_THE_DISK: Final = frozenset({"lost+found"})


def make_home(home: Path) -> bool:
    """Make a home that nobody else may enter, with the directories above it; False if it is there.

    Raises:
        OSError: when it cannot be made.
    """
    make_folders(home.parent)
    try:
        home.mkdir(mode=stat.S_IRWXU)
    except FileExistsError:
        if not home.is_dir():
            raise
        return False
    with _looked_at(home) as (place, found):
        if stat.S_ISDIR(found.st_mode):  # and not what somebody put in its place
            os.chmod(place, stat.S_IRWXU)  # noqa: PTH101 - a umask may have taken what its owner needs
    give_folder_to_owner(home)
    return True


def protect_home(home: Path) -> None:
    """Close a home that is there to everybody else, or say why that is not ours to do.

    It is where everybody may enter it (as a umask leaves it), it belongs to this user, and nothing
    lies in it but what this product makes. Where a group alone may enter, somebody wanted that; and
    what other things a directory holds may be for others: `/tmp`, a server's own directory, or one
    with the packages that nginx sends.
    """
    try:
        found = home.stat()
    except OSError:
        return
    mode = stat.S_IMODE(found.st_mode)
    if not mode & stat.S_IRWXO or not hasattr(os, "geteuid"):
        return
    why = _why_not(home, found)
    if not why:
        try:
            home.chmod(mode & ~_OTHERS)
        except OSError as error:
            why = f"its mode cannot be changed: {error.strerror}"
        else:
            log.warning(
                "Everybody could enter the home %s (%o); only its owner may now", home, mode
            )
    if why:
        log.warning(
            "Everybody may enter the home %s (%o), and it stays so: %s. Use a directory of its own"
            " (ENTITLEMENTS_HOME), or run: chmod 700 %s",
            home,
            mode,
            why,
            home,
        )


def _why_not(home: Path, found: os.stat_result) -> str:
    """Why the mode of a home is not ours to change, empty where it is."""
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    if found.st_mode & stat.S_ISVTX:
        return "it is a directory for everybody"
    try:
        strange = next((one.name for one in home.iterdir() if not _is_ours(one.name)), None)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return "" if strange is None else f"it holds {strange!r}, which may be for others"


def own_files(home: Path) -> Iterator[Path]:
    """The files of this product in a home, in alphabetical order."""
    for path in sorted(home.iterdir()):
        if _OURS.fullmatch(path.name) and path.is_file():
            yield path


def others_may(path: Path) -> int:
    """The mode of a file or directory where anybody but its owner may use it, else 0."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return mode if mode & _OTHERS else 0


def make_private(path: Path) -> None:
    """Make an empty file that only its owner may use, or take others' right to one that is there.

    A link is refused: where the directory is another user's, it would have this one, who may be
    root, make or close whatever file it leads to.

    Raises:
        OSError: when it cannot be made, or something else than a file is there.
    """
    if not os.path.lexists(path):
        with _fresh(path) as name, contextlib.suppress(FileExistsError):
            os.link(name, path)
    with _looked_at(path) as (place, found):
        if not stat.S_ISREG(found.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "no file"
            raise OSError(errno.ELOOP, f"{path} is {kind}")
        if found.st_mode & _OTHERS:
            with contextlib.suppress(OSError):  # another user's
                os.chmod(place, _PRIVATE)  # noqa: PTH101 - a string


@contextlib.contextmanager
def _looked_at(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """A name of what is at a path, itself and no other that takes its place, and its status.

    The file may be open in this process. Closing any descriptor of it would let go of all locks
    (POSIX), SQLite's too, except for one that names it and cannot be read from.
    """
    if not hasattr(os, "O_PATH"):  # Linux alone has it
        yield str(path), path.lstat()
        return
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}", os.fstat(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Give a file that only its owner may use this text, all at once.

    Raises:
        OSError: when it cannot be written.
    """
    with _fresh(path, text) as name:
        os.replace(name, path)  # noqa: PTH105 - a string


@contextlib.contextmanager
def _fresh(path: Path, text: str = "") -> Iterator[str]:
    """A file under another name in the same directory; removed after the block if still there."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, _PRIVATE)
            give_to_owner(descriptor, path.parent)
            file.write(text)
        yield name
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108 - a string


def _is_ours(name: str) -> bool:
    return name in _OF_THE_DISK or _OURS.fullmatch(name) is not None
