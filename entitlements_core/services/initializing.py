"""Use case: make a home with a key and a store, and say what was made of it."""

from dataclasses import dataclass
from pathlib import Path

from entitlements_core.errors import ConfigurationError
from entitlements_core.services.settings import Settings
from entitlements_core.services.wiring import Core

__all__ = ["Initialized", "initialize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialized:
    """What is there now.

    Attributes:
        database: without its password.
        schema: the revision of its tables.
        made: what was not there before, of ``home key database``; ``schema`` when only the tables
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
    made = [name for name in ("home", "key") if not _path(settings, name).exists()]
    _make_home(settings.home)
    core = Core(settings)
    try:
        before = _schema(core)
        core.create()
        core.database.bind_key(core.keyring.fingerprint)
        after = core.database.current()
        if before != after:
            made.append("database" if before is None else "schema")
        return Initialized(
            home=settings.home,
            key_file=settings.key_file,
            database=str(core.address),
            schema=after,
            made=tuple(made),
        )
    finally:
        core.close()


def _path(settings: Settings, name: str) -> Path:
    return settings.home if name == "home" else settings.key_file


def _make_home(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The home {home} cannot be made: {error.strerror}.",
            "Choose a directory that may be written to with --home or ENTITLEMENTS_HOME.",
        ) from None


def _schema(core: Core) -> str | None:
    address = core.address
    if address.is_sqlite and not address.path.exists():
        return None
    return core.database.current()
