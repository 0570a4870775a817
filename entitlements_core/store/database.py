"""The database as the services see it: units of work, and the care of the schema."""

import os
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlmodel import Session

from entitlements_core.errors import Conflict, EntitlementsError, KeyFileError, StoreError
from entitlements_core.store import migrate, schema_revisions
from entitlements_core.store.connection_stack import keep_inherited
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.engines import make_engine
from entitlements_core.store.failures import failure_of, unreachable
from entitlements_core.store.store_file import ABSENT, FileIdentity, StoreConnection
from entitlements_core.store.timeouts import WORK
from entitlements_core.store.unit_of_work import UnitOfWork

__all__ = ["Database"]

LOCK_TIMEOUT_MS: Final = round(WORK.lock * 1000)


class Database:
    """One SQLite file or PostgreSQL database. Connections are opened on first use.

    Args:
        place: its `DatabaseURL`, or ``sqlite:////path/to.db`` or ``postgresql://user@host/name``.
            Work here takes as long as it takes.
        lock_timeout_ms: how long to wait for another process's lock, in milliseconds.
        key_fingerprint: which key the store belongs to. A file that takes the place of a SQLite
            store is used if it is one of this schema and key; None asks for no key.

    Raises:
        ConfigurationError: when `place` is neither.
    """

    def __init__(
        self,
        place: str | DatabaseURL,
        *,
        lock_timeout_ms: int = LOCK_TIMEOUT_MS,
        key_fingerprint: str | None = None,
    ) -> None:
        url = DatabaseURL.of(place)
        self.url = replace(url, timeouts=url.timeouts.for_work(lock=lock_timeout_ms / 1000))
        self._key_fingerprint = key_fingerprint
        self._opened: FileIdentity | None = None
        # Made now, since threads that came first at once would each make their own.
        self._engines = make_engine(self.url)
        database = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forget(database()))

    def __repr__(self) -> str:
        return f"Database({str(self.url)!r})"

    @contextmanager
    def begin(self) -> Iterator[UnitOfWork]:
        """One transaction that may write, alone among writers; committed at the end of the block.

        Raises:
            Conflict: when a rule of the schema was broken, such as a secret that is used twice.
            StoreError: when the database is locked, read-only, missing, corrupt or out of reach.
        """
        with self._session(writes=True) as session:
            yield UnitOfWork(session)

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """One consistent view for reading; whatever is written in it is lost.

        Raises:
            StoreError: as `begin` does.
        """
        with self._session(writes=False) as session:
            yield UnitOfWork(session)
            session.rollback()

    def upgrade(self) -> str | None:
        """Make the schema, or bring it up to date. Safe when several processes start at once.

        Returns:
            The revision that was there before; None when there was no schema.

        Raises:
            DatabaseNewer: when a later version of this code made it.
            StoreError: as `begin` does.
        """
        with self._translated():
            return migrate.upgrade(self.url, self._engines[1])

    def current(self) -> str | None:
        """The revision of the schema; None when it was never made.

        Raises:
            StoreError: as `begin` does.
        """
        return schema_revisions.stored_revision(self.url)

    def require_current(self) -> None:
        """Return when the schema is the one of this code; cheap, imports no Alembic.

        Raises:
            DatabaseOlder, DatabaseNewer: when it is not.
            StoreError: as `begin` does.
        """
        schema_revisions.require_current(self.url)

    def check(self) -> tuple[str, ...]:
        """Where the tables differ from what this code expects, and what damage a scan finds.

        Raises:
            StoreError: as `begin` does.
        """
        with self._translated():
            return migrate.differences(self._engines[0])

    def bind_key(self, fingerprint: str) -> None:
        """Tie the store to the server's key on first use.

        Raises:
            KeyFileError: when it was made with another key, so that no token would be found.
        """
        with self.read() as unit:
            known = unit.key_fingerprint()
        if known is None:
            with self.begin() as unit:
                known = unit.remember_key(fingerprint)
        if known != fingerprint:
            raise KeyFileError(
                f"The database {self.url} was made with key {known[:8]}…,"
                f" but the key file holds {fingerprint[:8]}….",
                "All nodes of a store have the same key file: copy that of the node which made"
                " it, or restore it from your backup.",
            )

    def close(self) -> None:
        """Close all connections that are not in use. The database can be used again after it."""
        self._let_go()
        self._opened = None

    def forget(self) -> None:
        """Leave the connections to the process they belong to."""
        keep_inherited(self._engines)
        self._engines = make_engine(self.url)
        self._opened = None

    def _let_go(self) -> None:
        self._engines[0].dispose()

    @contextmanager
    def _session(self, *, writes: bool) -> Iterator[Session]:
        with self._translated():
            self._follow_file()
            with (
                self._connected(self._engines[writes]) as connection,
                Session(connection, expire_on_commit=False) as session,
            ):
                # A writer takes the lock now, not at the first statement.
                identity = self._identity_of(session)
                self._require_file(identity)  # whoever replaces it lets writers wait meanwhile
                yield session
                session.commit()
                self._require_file(identity)  # while it is open: its log is there till then

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        pool = engine.pool
        try:
            with engine.connect() as connection:
                pool = engine.pool
                yield connection
        finally:
            if engine.pool is not pool:
                pool.dispose()  # let go of in the meantime, it would keep what came back to it

    def _follow_file(self) -> None:
        """Use the file that the path names now; one that came needs the same schema and key."""
        if not self.url.is_sqlite:
            return
        # In this order: what another thread opens in between is not taken for a change.
        opened, identity = self._opened, self.url.file.identity()
        if opened is not None and opened != identity:
            is_replaced = opened[:2] != identity[:2]
            if is_replaced:
                self._require_usable()
            if is_replaced or opened[2] != ABSENT:  # absent before a connection made it
                self._let_go()
        self._opened = identity

    def _identity_of(self, session: Session) -> FileIdentity | None:
        """The files that the session's connection has open."""
        connection = session.connection().connection.dbapi_connection
        if not isinstance(connection, StoreConnection):
            return None
        self._opened = connection.identity
        return connection.identity

    def _require_usable(self) -> None:
        try:
            with closing(self.url.connect_sqlite()) as connection:
                schema_revisions.require_usable(connection, self.url, self._key_fingerprint)
        except sqlite3.Error as error:
            raise failure_of(error, str(self.url)) from None

    def _require_file(self, identity: FileIdentity | None) -> None:
        """Return when what a transaction reads and writes is still the store."""
        if identity is not None:
            self.url.file.require(identity)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._failure(error) from None

    def _failure(self, error: DBAPIError) -> EntitlementsError:
        if isinstance(error, IntegrityError):
            return Conflict(
                f"The database {self.url} already holds what was to be written.",
                "Look at what is there, and try again.",
            )
        cause = error.orig or error
        failure = failure_of(cause, str(self.url))
        # A server that answers says a code with what it refuses.
        no_answer = isinstance(error, OperationalError) and getattr(cause, "sqlstate", "") is None
        if type(failure) is StoreError and no_answer:
            return unreachable(str(self.url), cause, self.url.secrets)
        return failure


def _forget(database: Database | None) -> None:
    if database is not None:
        database.forget()
