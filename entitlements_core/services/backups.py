"""Use cases: make a copy of a store in use, and put a copy back in its place."""

import os
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entitlements_core.errors import InvalidValue, KeyFileError, NotFound, Refused
from entitlements_core.interfaces import Clock
from entitlements_core.policy.actor import Actor
from entitlements_core.services import clock
from entitlements_core.services.home_access import closed_file
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.operations import Operations
from entitlements_core.services.settings import Settings
from entitlements_core.store.copies import (
    Copy,
    brought_up_to_date,
    copied,
    key_of,
    publish,
    put_in_place,
    remove,
)
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import (
    DatabaseCorrupt,
    DatabaseMissing,
    failure_of,
)
from entitlements_core.store.former_store import ChangesSince, carry_over
from entitlements_core.store.schema_revisions import HEAD, KNOWN, newer
from entitlements_core.store.timeouts import WORK

__all__ = ["Backup", "Backups", "Restored"]

_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_STAMPED: Final = r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z"
"""What `_STAMP` writes: in the order of the names, the moments are in theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A copy that was made.

    Attributes:
        path: of the copy.
        size: in bytes.
        schema: the revision of its tables.
        key_fingerprint: which key it belongs to.
        key_file: where that key is; the copy does not hold it.
        removed: earlier copies in the same directory, the oldest first.
    """

    path: Path
    size: int
    schema: str
    key_fingerprint: str
    key_file: Path
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A copy that took the store's place.

    Attributes:
        database: the store.
        source: what was copied.
        before: the revision of the copy's tables, which are of this version now.
        schema: the revision of this version.
        kept: the store that was there before; None where there was none.
        since: what was changed in that one after the copy was made; None where that is not known.
    """

    database: Path
    source: Path
    before: str
    schema: str
    kept: Path | None
    since: ChangesSince | None = None


class Backups:
    """Copies of one store.

    Args:
        settings: of the server.
        clock: tells the time.
    """

    def __init__(self, settings: Settings, *, clock: Clock = clock.now) -> None:
        self._settings = settings
        self._url = DatabaseURL.parse(settings.url, timeouts=WORK)
        self._clock = clock

    def backup(self, target: Path, *, keep: int | None = None) -> Backup:
        """Copy the store as it is now, while servers use it; the copy is looked over.

        Args:
            target: a file that is not there yet, or a directory, in which the file is named after
                the moment.
            keep: so many copies stay in the directory, at least 1 and this one among them: older
                ones that were named so are removed. None removes nothing.

        Raises:
            InvalidValue: when `target` is no directory and `keep` is given.
            Refused: when the store is on PostgreSQL.
            Conflict: when the file is there.
            NotFound: when its directory is not.
            KeyFileError: when the key is missing, or not the store's.
            StoreError: when the store is missing or damaged, or the copy cannot be written.
        """
        dump = target / f"{self._clock():{_STAMP}}.dump" if target.is_dir() else target
        self._require_sqlite("pg_dump", "--format=custom", f"--file={dump}", self._url.spelled_out)
        keyring = Keyring.load(self._settings.key_file)
        if keep is not None and not target.is_dir():
            raise InvalidValue(
                "keep",
                f"{target} is not a directory: what is named by hand is not counted, nor removed.",
                "Name the directory of the backups, or leave out --keep.",
            )
        if target.is_dir():
            target /= f"{self._url.path.stem}-{self._clock():{_STAMP}}.db"
        if not target.parent.is_dir():
            raise NotFound(f"There is no directory {target.parent}.", "Make it first.")
        # Opened as everything else opens it: not with another file's log.
        try:
            self._url.connect_sqlite().close()
        except sqlite3.Error as error:
            raise failure_of(error, str(self._url)) from error
        with copied(self._url.path, target.parent) as copy:
            revision = _known_revision(copy, self._url.path)
            _require_key(copy, self._url.path, keyring)
            publish(copy, target)
        removed = () if keep is None else self._remove_older(target, keep, keyring)
        return Backup(
            path=target,
            size=copy.size,
            schema=revision,
            key_fingerprint=keyring.fingerprint,
            key_file=self._settings.key_file,
            removed=removed,
        )

    def _remove_older(self, newest: Path, keep: int, keyring: Keyring) -> tuple[Path, ...]:
        """Remove earlier copies, the oldest first; whatever is not named as they are stays."""
        named = re.compile(rf"{re.escape(self._url.path.stem)}-{_STAMPED}\.db")
        others = [
            path
            for path in sorted(newest.parent.iterdir())
            if named.fullmatch(path.name)
            and path != newest
            and path.is_file()
            and not path.is_symlink()
            and key_of(path) == keyring.fingerprint  # two stores may share the directory
        ]
        surplus = tuple(others[: max(0, len(others) + 1 - keep)])
        for path in surplus:
            remove(path)
        return surplus

    def restore(self, source: Path, *, actor: Actor) -> Restored:
        """Put a copy of `source` in the store's place, once it was found sound.

        The store that was there is kept beside it, and the names of projects that it has noted as
        the vendor's are taken over. Servers that run notice by themselves. The copy's audit gets a
        line about it.

        Args:
            source: a copy of this store, made with its key; of this version, or an earlier one.
            actor: who asks.

        Raises:
            Refused: when the store is on PostgreSQL.
            InvalidValue: when `source` is the store itself.
            KeyFileError: when the key is missing, or not the copy's.
            StoreError: when the copy is missing, damaged or of a later version, or the store stays
                locked.
        """
        options = ("--clean", "--if-exists", f"--dbname={self._url.spelled_out}", str(source))
        self._require_sqlite("pg_restore", *options)
        database = self._url.path
        keyring = Keyring.load(self._settings.key_file)
        if source.exists() and database.exists() and source.samefile(database):
            raise InvalidValue(
                "file",
                f"{source} is the store itself.",
                "Name a copy of it, or move it to another name first.",
            )
        aside = Path(f"{database}.before-{self._clock():{_STAMP}}")
        with _sound(source, database.parent) as copy:
            before = _known_revision(copy, source)
            _require_key(copy, source, keyring)
            with (
                brought_up_to_date(copy) as store,
                Operations(database=store, clock=self._clock).begin(actor) as operation,
            ):
                kept = str(aside) if database.exists() else None
                after = {"file": str(source), "schema": before, "kept": kept}
                operation.record("store.restored", "", after=after)
            since = carry_over(copy, self._url)
            there = put_in_place(copy, self._url, aside)
        return Restored(
            database=database,
            source=source,
            before=before,
            schema=HEAD,
            kept=aside if there else None,
            since=since,
        )

    def _require_sqlite(self, *command: str) -> None:
        if not self._url.is_sqlite:
            raise Refused(
                f"The store {self._url} is on PostgreSQL, which has its own tools for this.",
                f"Run: {shlex.join(command)}",
            )


@contextmanager
def _sound(source: Path, folder: Path) -> Iterator[Copy]:
    """`copied`, of what somebody took for a backup."""
    if not source.is_file():
        if source.is_dir():
            found = "is a directory"
        else:
            found = "is no file" if source.exists() else "is not there"
        raise DatabaseMissing(f"{source} {found}.", "Name a file of `entitlements backup`.")
    if not os.access(source, os.R_OK):
        found, remedy = closed_file(source)
        raise DatabaseMissing(f"{source} may not be read by this user: {found}.", remedy)
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(copied(source, folder, replaces=True))
        except DatabaseCorrupt as error:
            raise DatabaseCorrupt(error.problem, "Name another copy.") from None
        yield copy


def _known_revision(copy: Copy, source: Path) -> str:
    if copy.revision is None:
        raise DatabaseCorrupt(f"{source} is no store.", "Name a file of `entitlements backup`.")
    if copy.revision not in KNOWN:
        raise newer(str(source), copy.revision)
    return copy.revision


def _require_key(copy: Copy, source: Path, keyring: Keyring) -> None:
    if copy.key_fingerprint != keyring.fingerprint:
        made_with = f"key {copy.key_fingerprint[:8]}…" if copy.key_fingerprint else "no key"
        raise KeyFileError(
            f"{source} was made with {made_with},"
            f" but the key file holds {keyring.fingerprint[:8]}….",
            "Put the key file back first that was kept with this copy.",
        )
