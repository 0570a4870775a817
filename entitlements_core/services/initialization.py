"""Use case: make a home with a key and a store, and say what was made of it."""

from dataclasses import dataclass
from pathlib import Path

from entitlements_core.errors import ConfigurationError
from entitlements_core.services.core import Core
from entitlements_core.services.home import make_home
from entitlements_core.services.home_access import require_access
from entitlements_core.services.settings import Settings

__all__ = ["Initialized", "initialize"]


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
    require_access(settings, makes=True)
    home = ("home",) if _make_home(settings.home) else ()
    core = Core(settings)
    try:
        made = (*home, *core.create())
        core.database.bind_key(core.keyring.fingerprint)
        return Initialized(
            home=settings.home,
            key_file=settings.key_file,
            database=str(core.database_url),
            schema=core.database.current(),
            made=made,
        )
    finally:
        core.close()


def _make_home(home: Path) -> bool:
    try:
        return make_home(home)
    except OSError as error:
        raise ConfigurationError(
            f"The home {home} cannot be made: {error.strerror}.",
            "Choose a directory that may be written to with --home or ENTITLEMENTS_HOME.",
        ) from None
