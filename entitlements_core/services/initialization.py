"""Use case: make a home with a key and a store, and say what was made of it."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from entitlements_core.errors import ConfigurationError
from entitlements_core.services.home import make_home, protect_home
from entitlements_core.services.home_access import require_access
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.settings import Settings
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.schema_revisions import HEAD, stored_revision

__all__ = ["Initialized", "create_store", "initialize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialized:
    """What is there now.

    Attributes:
        database: without its password.
        schema: the revision of its tables.
        made: what this call made, of ``home key database``; ``schema`` when only the tables
            were brought up to date.
    """

    home: Path
    key_file: Path
    database: str
    schema: str | None
    made: tuple[str, ...]


def initialize(settings: Settings) -> Initialized:
    """Make what is not there yet; what is there stays as it is.

    Raises:
        ConfigurationError: when the home cannot be made.
        KeyFileError: when the store exists and its key does not.
        StoreError: when the store cannot be made.
    """
    from entitlements_core.store.database import Database  # noqa: PLC0415 - see `create_store`

    require_access(settings, makes=True)
    home = ("home",) if _make_home(settings.home) else ()
    url = DatabaseURL.parse(settings.url, timeouts=settings.timeouts)
    made = (*home, *create_store(settings, url))
    fingerprint = Keyring.load(settings.key_file).fingerprint
    with closing(Database(url, key_fingerprint=fingerprint)) as database:
        database.bind_key(fingerprint)
        return Initialized(
            home=settings.home,
            key_file=settings.key_file,
            database=str(url),
            schema=database.current(),
            made=made,
        )


def create_store(settings: Settings, url: DatabaseURL) -> tuple[str, ...]:
    """Make the key and the store where there are none; bring the schema up to date.

    Args:
        settings: of the server, whose home is there.
        url: of the store.

    Returns:
        What this call made, of ``key database``; ``schema`` when only the tables were brought
        up to date. Another process may make one or the other at the same time.

    Raises:
        KeyFileError: when the store exists and its key does not.
        StoreError: when the store cannot be made.
    """
    protect_home(settings.home)
    made = []
    is_missing = url.is_sqlite and not url.path.exists()
    revision = None if is_missing else stored_revision(url)
    if revision is None and Keyring.make(settings.key_file):
        made.append("key")
    # A store without its key is left alone: this raises.
    fingerprint = Keyring.load(settings.key_file).fingerprint
    if revision != HEAD:
        # A server's usual start finds the schema as it should be, and never loads SQLAlchemy.
        from entitlements_core.store.database import Database  # noqa: PLC0415

        with closing(Database(url, key_fingerprint=fingerprint)) as database:
            before = database.upgrade()
        if before != HEAD:
            made.append("database" if before is None else "schema")
    return tuple(made)


def _make_home(home: Path) -> bool:
    try:
        return make_home(home)
    except OSError as error:
        raise ConfigurationError(
            f"The home {home} cannot be made: {error.strerror}.",
            "Choose a directory that may be written to with --home or ENTITLEMENTS_HOME.",
        ) from None
