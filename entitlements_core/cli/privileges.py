"""Whose rights a command has that root runs over the home of another user: that user's.

SQLite opens files by name, and rolls back, makes and removes what lies beside them. Whoever owns
the directory may put a link, or a log that names another file, in their place at any moment: with
root's rights that would reach every file of the machine. So these are given up, as by ``sudo -u``.
"""

import os
from pathlib import Path

from entitlements_core.errors import ConfigurationError

__all__ = ["home_owner", "take_rights"]


def home_owner(home: Path) -> tuple[int, int] | None:
    """User and group of whoever may put another file in the place of those of a home.

    Args:
        home: need not be there; then the directory counts in which it would be made.

    Returns:
        None where that is root.
    """
    absolute = Path(os.path.abspath(home))  # noqa: PTH100 - links are not followed: each belongs to who made it
    for one in (absolute, *absolute.parents):
        try:
            found = one.lstat()
        except (OSError, ValueError):  # ValueError: no path can be so
            continue
        return (found.st_uid, found.st_gid) if found.st_uid != 0 else None
    return None


def take_rights(user: int, group: int, home: Path) -> None:
    """Give up root's rights for those of a user, for good.

    Nothing changes where this process may not do so: root of a container without the right to
    change users has no others' rights, either.

    Args:
        user: its number.
        group: of the home, for a user whom the system does not know.
        home: that the user owns, for the message.

    Raises:
        ConfigurationError: when that user may not read this Python.
    """
    name, groups = str(user), [group]
    try:
        import pwd  # noqa: PLC0415 - not on every system

        entry = pwd.getpwuid(user)
    except (ImportError, KeyError):
        pass
    else:
        name, group = entry.pw_name, entry.pw_gid
        groups = os.getgrouplist(name, group)
    try:
        os.setgroups(groups)
        os.setegid(group)
        os.seteuid(user)
    except PermissionError:
        return
    readable = all(os.access(one, os.R_OK, effective_ids=True) for one in (os.__file__, __file__))
    os.seteuid(0)
    os.setegid(0)
    if not readable:
        raise ConfigurationError(
            f"The home {home} is kept by {name}, with whose rights root runs commands over it; and"
            f" {name} may not read this Python ({os.__file__}).",
            f"Run the command from an environment that {name} may read, as that user (sudo -u"
            f" {name} …). If root should keep the home, run: chown -R root {home}",
        )
    os.setgid(group)
    os.setuid(user)
