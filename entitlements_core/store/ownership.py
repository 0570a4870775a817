"""To whom a file belongs that was just made: to the owner of its directory, also if root made it.

A command that root runs over the home of another user would leave files there which the server of
that user may not open. SQLite does the same for its logs: they belong to the owner of the database.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

__all__ = [
    "belong_together",
    "give_folder_to_owner",
    "give_to_owner",
    "make_folders",
    "open_or_make",
]

_PRIVATE: Final = 0o600


def give_to_owner(descriptor: int, folder: Path) -> None:
    """Let a file that this process has just made in `folder` belong to the folder's owner.

    Nothing is done for any other user than root, who alone can give files away. Where the file
    system does not let root do so either, the file stays as it is.

    Args:
        descriptor: of the file. Its name would not do: in a directory of somebody else's, another
            file may have it by now.
        folder: the directory that it lies in.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        found = folder.stat()
        if found.st_uid != 0:
            os.fchown(descriptor, found.st_uid, found.st_gid)


def give_folder_to_owner(folder: Path) -> None:
    """The same for a directory that was just made."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            give_to_owner(descriptor, folder.parent)
        finally:
            os.close(descriptor)


def belong_together(one: Path, other: Path) -> bool:
    """Whether two files or directories have the same owner; False where one is not there."""
    try:
        return one.stat().st_uid == other.stat().st_uid
    except OSError:
        return False


def open_or_make(path: Path) -> int:
    """A descriptor to read and write a file, which is made for its folder's owner where it is not.

    Raises:
        OSError: when it cannot be opened, or is a symbolic link.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            pass
        try:
            descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _PRIVATE)
        except FileExistsError:
            continue  # another process was first
        give_to_owner(descriptor, path.parent)
        return descriptor


def make_folders(folder: Path, *, mode: int = 0o777) -> None:
    """Make a directory with those above it, each for the owner of the one that it lies in.

    Args:
        folder: the directory; nothing is done where it is there.
        mode: of the last one, as `Path.mkdir` takes it.

    Raises:
        OSError: when one cannot be made.
    """
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=mode)
    for one in reversed(made):
        give_folder_to_owner(one)
