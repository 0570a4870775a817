"""What stands in the way of a home, its key and its store: looked for before any of them is opened.

Each is said once, by whichever command or server meets it: who asked, for what, what was found, and
what to do. What opens a file by itself would know no more than its own error.
"""

import os
import stat
from pathlib import Path
from shlex import quote
from typing import Final

from entitlements_core.errors import ConfigurationError, EntitlementsError, KeyFileError
from entitlements_core.services.home import own_files
from entitlements_core.services.settings import Settings
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import DatabaseMissing, DatabaseReadOnly

__all__ = ["closed_file", "require_access", "require_home", "require_key", "require_store"]

_ELSEWHERE: Final = "name another home with ENTITLEMENTS_HOME (or --home)"
_BACKUP: Final = "bring back one that is lost from your backup (docs: Backup and restore)"


def require_access(settings: Settings, *, serves: bool = False, makes: bool = False) -> None:
    """Return when nothing is seen that keeps this user from the home, the key and the store.

    Args:
        settings: name all three.
        serves: downloads will be counted, so that the store has to be written to.
        makes: what is not there will be made.

    Raises:
        ConfigurationError: for the home, or an address of a store that cannot be read.
        KeyFileError: for the key.
        StoreError: for the store.
    """
    require_key(settings, makes=makes)
    require_store(settings, serves=serves, makes=makes)


def require_key(settings: Settings, *, makes: bool = False) -> None:
    """The same for the home and the key.

    Raises:
        ConfigurationError, KeyFileError, StoreError: as `require_access` does; the last when
            neither the key nor the store is there.
    """
    url = DatabaseURL.parse(settings.url)
    require_home(settings.home, makes=makes)
    if not settings.home.is_dir():
        return
    store = url.path.absolute() if url.is_sqlite else None
    if store is not None:
        _require_way(store, DatabaseMissing)
    _require_key(settings.key_file, store, makes=makes)


def require_store(settings: Settings, *, serves: bool = False, makes: bool = False) -> None:
    """The same for the store alone; one on a server is not looked at.

    Raises:
        ConfigurationError: for the home that it lies in, or an address that cannot be read.
        StoreError: for the store.
    """
    url = DatabaseURL.parse(settings.url)
    if not url.is_sqlite:
        return
    store = url.path.absolute()
    if store.parent == settings.home:
        require_home(settings.home, makes=makes)
    _require_way(store, DatabaseMissing)
    _require_store(store, settings.home, serves=serves, makes=makes)


def require_home(home: Path, *, makes: bool = False) -> None:
    """Return when this user may read the home, or make it.

    Args:
        home: the directory.
        makes: one that is not there will be made.

    Raises:
        ConfigurationError: when it is no directory, cannot be made, or is closed to this user.
        DatabaseMissing: when it is not there, and with it the store.
    """
    _require_way(home, ConfigurationError)
    if not home.exists():
        if not makes:
            raise DatabaseMissing(
                f"There is no home {home}.",
                f"Check its name, or {_ELSEWHERE}; {_BACKUP}; `entitlements init` makes a new,"
                " empty one.",
            )
        nearest = next(one for one in home.parents if one.exists())
        if not _may(nearest, os.W_OK | os.X_OK):
            raise ConfigurationError(
                f"There is no home {home}, and {_user()} may not make it:"
                f" {nearest} {_owned(nearest)}.",
                f"Make it as root, for this user alone: install -d -m 700 -o {_login()} {home}"
                f" Or {_ELSEWHERE}.",
            )
        return
    if not home.is_dir():
        raise ConfigurationError(
            f"The home {home} is no directory.", f"Move it away, or {_ELSEWHERE}."
        )
    if not _may(home, os.R_OK | os.X_OK):
        raise _closed(ConfigurationError, f"The home {home} may not be read", home, home)


def _require_way(path: Path, kind: type[EntitlementsError]) -> None:
    """Return when every directory above a path is one, and may be entered, as far as they exist."""
    for one in (*reversed(path.parents), path):
        try:
            mode = one.stat().st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise kind(
                f"{path} cannot be looked for by {_user()}: {one}: {error.strerror}.",
                f"Correct its name, or {_ELSEWHERE}.",
            ) from None
        if one == path:
            return
        if not stat.S_ISDIR(mode):
            raise kind(
                f"{path} cannot be there: {one} is no directory.",
                f"Correct its name, or {_ELSEWHERE}.",
            )
        if not _may(one, os.X_OK):
            raise kind(
                f"{path} cannot be reached by {_user()}: {one} {_owned(one)}.",
                f"Let this user enter {one}, or {_ELSEWHERE}.",
            )


def _require_key(key: Path, store: Path | None, *, makes: bool) -> None:
    if key.exists():
        if not key.is_file():
            raise KeyFileError(f"The key file {key} is no file.", f"Move it away, and {_BACKUP}.")
        if not _may(key, os.R_OK):
            raise _closed(KeyFileError, f"The key file {key} may not be read", key, key.parent)
    elif store is not None and store.exists():
        raise KeyFileError(
            f"The key file {key} is missing, and the store {store} was made with it.",
            "Restore the key from your backup: no other opens this store. To begin anew without"
            " its tokens, move the store away and run `entitlements init`.",
        )
    elif not makes:
        if store is None:
            raise KeyFileError(
                f"The key file {key} is missing.",
                "All nodes of a store have the same key: copy it from another one, or from your"
                " backup. Where there is no store yet, `entitlements init` makes both.",
            )
        raise DatabaseMissing(
            f"There is neither a key nor a store in the home {key.parent}.",
            f"Run `entitlements init` to make both, or {_ELSEWHERE}; {_BACKUP}.",
        )
    elif not _may(key.parent, os.W_OK):
        raise _closed(KeyFileError, f"The key file {key} cannot be made", key.parent, key.parent)


def _require_store(store: Path, home: Path, *, serves: bool, makes: bool) -> None:
    folder = store.parent
    if not store.exists():
        if not makes:
            raise DatabaseMissing(
                f"There is no store {store}.",
                "Check ENTITLEMENTS_HOME (or --home), and ENTITLEMENTS_DATABASE_URL for a store"
                " elsewhere. Bring back one that is lost with `entitlements restore FILE`;"
                " `entitlements init` makes a new, empty one.",
            )
        if folder.exists() and not _may(folder, os.W_OK):
            raise _closed(DatabaseReadOnly, f"The store {store} cannot be made", folder, home)
        return
    if not store.is_file():
        raise DatabaseMissing(f"The store {store} is no file.", f"Move it away, and {_BACKUP}.")
    if not _may(store, os.R_OK):
        raise _closed(DatabaseReadOnly, f"The store {store} may not be read", store, home)
    # SQLite makes its log and the log's index beside the file, also for who only reads.
    log = Path(f"{store}-shm")
    writable = [store, folder] if serves else [] if log.exists() else [folder]
    for one in writable:
        if not _may(one, os.W_OK):
            raise _closed(DatabaseReadOnly, f"The store {store} may not be written to", one, home)
    for one in (log, Path(f"{store}-wal")):
        if one.exists() and not _may(one, os.R_OK):
            raise _closed(DatabaseReadOnly, f"The store {store} may not be read", one, home)


def closed_file(path: Path) -> tuple[str, str]:
    """Of a file of a home that cannot be opened: whose it is, and what to do.

    Args:
        path: of the file; where it is not there, its directory is spoken of.
    """
    found = path if path.exists() else path.parent
    return f"{found} {_owned(found)}", _remedy(found, path.parent)


def _closed(
    kind: type[EntitlementsError], asked: str, found: Path, home: Path
) -> EntitlementsError:
    """What this user may not do, with the one who may."""
    return kind(f"{asked} by {_user()}: {found} {_owned(found)}.", _remedy(found, home))


def _remedy(found: Path, home: Path) -> str:
    """What lets this user in; files are named one by one, for others may lie beside them."""
    status, uid = found.stat(), os.geteuid()
    if status.st_uid == uid:
        is_folder = stat.S_ISDIR(status.st_mode)
        rights = stat.S_IRWXU if is_folder else stat.S_IRUSR | stat.S_IWUSR
        if status.st_mode & rights == rights:
            return (
                "Its owner and mode allow that: see whether the file system is mounted read-only,"
                f" or has access control lists of its own (getfacl {quote(str(found))})."
            )
        return f"Run: chmod u+{'rwx' if is_folder else 'rw'} {quote(str(found))}"
    owner = _name_of(status.st_uid)
    given = f"chown {_login()} {' '.join(quote(str(one)) for one in _strange(found, home))}"
    if found != home and home.stat().st_uid == uid:
        return f"The directory is this user's, and so should the files be. Run as root: {given}"
    return (
        f"Run this as {owner} (sudo -u {owner} …). Or let this user have it: stop every server that"
        f" runs over it as {owner}, and run as root: {given}"
    )


def _strange(found: Path, home: Path) -> list[Path]:
    """What of a home does not belong to this user, as far as it can be seen, with `found`."""
    if home not in {found, found.parent}:
        return [found]
    try:
        there = [one for one in own_files(home) if one.stat().st_uid != os.geteuid()]
    except OSError:
        there = []
    if home.stat().st_uid != os.geteuid():
        there.insert(0, home)
    return there if found in there else [*there, found]


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _owned(path: Path) -> str:
    found = path.stat()
    return f"belongs to {_name_of(found.st_uid)}, mode {stat.S_IMODE(found.st_mode):o}"


def _user() -> str:
    return f"{_login()} (uid {os.geteuid()})"


def _login() -> str:
    """The effective user, whatever the environment says."""
    return _name_of(os.geteuid())


def _name_of(uid: int) -> str:
    import pwd  # noqa: PLC0415 - only where something is wrong

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
