"""Use cases of the store's tables: upgrade, tell the revision, look for damage."""

from collections.abc import Iterator
from contextlib import contextmanager

from entitlements_core.services.home_access import require_access, require_store
from entitlements_core.services.initialization import create_store
from entitlements_core.services.settings import Settings
from entitlements_core.store.database import Database
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.schema_revisions import stored_revision

__all__ = ["Schema", "opened_store"]


class Schema:
    """The tables of one store; it need not be of this version.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def upgrade(self) -> tuple[str | None, str | None]:
        """Bring the tables up to date; gives the revision before and after.

        Raises:
            KeyFileError: when the store's key is missing.
            StoreError: when there is no store, or it was made by a later version.
        """
        require_access(self._settings, serves=True)
        url = DatabaseURL.parse(self._settings.url, timeouts=self._settings.timeouts)
        before = stored_revision(url)
        create_store(self._settings, url)
        return before, stored_revision(url)

    def current(self) -> str | None:
        """The revision of the tables; None when they were never made.

        Raises:
            StoreError: when there is no store.
        """
        with opened_store(self._settings) as database:
            return database.current()

    def check(self) -> tuple[str, ...]:
        """Damage, and differences from what this version expects; empty is well.

        Raises:
            StoreError: when the store is missing, or of another version.
        """
        with opened_store(self._settings) as database:
            database.require_current()
            return database.check()


@contextmanager
def opened_store(settings: Settings) -> Iterator[Database]:
    """The store as it is, for the length of the block.

    Raises:
        EntitlementsError: when there is none, or none that can be used.
    """
    require_store(settings)
    database = Database(DatabaseURL.parse(settings.url, timeouts=settings.timeouts))
    try:
        yield database
    finally:
        database.close()
