"""Whether a server in front, which runs as another user, can read the files that it shall send."""

import grp
import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from entitlements_core.policy.project_names import SUFFIXES

__all__ = ["closed_paths"]

_USERS: Final = ("www-data", "nginx", "http", "nobody")
"""Whom nginx runs as on the systems that package it."""


@dataclass(frozen=True, slots=True)
class ClosedPath:
    """A file or directory that the user of a server in front cannot use.

    Attributes:
        path: of it.
        mode: its permissions.
        is_directory: it has to be entered; else it has to be read.
        who: whose permission counts for that user, as chmod has it.
    """

    path: Path
    mode: int
    is_directory: bool
    who: str

    @property
    def remedy(self) -> str:
        """The command that opens it."""
        return f"chmod {self.who}+{'x' if self.is_directory else 'r'} {self.path}"


def closed_paths(directory: Path) -> Iterator[ClosedPath]:
    """What keeps a server in front from sending distributions of a directory.

    Every directory above is looked at, too. What lies below one that is closed is left out, since
    that is said; what cannot be looked at by ourselves as well.

    Args:
        directory: of distributions.
    """
    root = directory.expanduser().absolute()
    for above in (*reversed(root.resolve().parents), root):
        if (found := _closed(above)) is not None:
            yield found
            return
    todo = [root]
    while todo:
        for path in _entries(todo.pop()):
            is_directory = path.is_dir()
            if not is_directory and not path.name.endswith(SUFFIXES):
                continue
            found = _closed(path)
            if found is not None:
                yield found
            elif is_directory and not path.is_symlink():
                todo.append(path)


def _entries(directory: Path) -> Sequence[Path]:
    try:
        return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    except OSError:
        return ()


def _closed(path: Path) -> ClosedPath | None:
    try:
        found = path.stat()
    except OSError:
        return None
    is_directory = stat.S_ISDIR(found.st_mode)
    needed = stat.S_IXOTH if is_directory else stat.S_IROTH
    if found.st_uid in _front_users():
        who, shift = "u", 6
    elif found.st_gid in _front_groups():
        who, shift = "g", 3
    else:
        who, shift = "o", 0
    if found.st_mode & (needed << shift):
        return None
    return ClosedPath(path, stat.S_IMODE(found.st_mode), is_directory, who)


@cache
def _front_users() -> frozenset[int]:
    found = [one.pw_uid for one in pwd.getpwall() if one.pw_name in _USERS]
    return frozenset(found) - {os.geteuid()}


@cache
def _front_groups() -> frozenset[int]:
    """The groups that one of the users is in."""
    own = {one.pw_gid for one in pwd.getpwall() if one.pw_name in _USERS}
    return frozenset(
        own | {one.gr_gid for one in grp.getgrall() if not set(_USERS).isdisjoint(one.gr_mem)}
    )
