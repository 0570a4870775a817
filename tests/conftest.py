"""Fresh databases for every test, on SQLite and on a real PostgreSQL."""

import shutil
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from entitlements_core.store.database import Database
from tests.postgres import Copies, Server, running_server

_NUMBERS: Final = count()


@pytest.fixture(scope="session", autouse=True)
def one_look_at_what_is_installed() -> Iterator[None]:
    """A process looks for plugins once, and the tests are one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("entitlements_core.plugins.entry_points", cache(entry_points))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server, started when the first test asks for it."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema; copying it is faster than migrating."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: Server) -> str:
    """A PostgreSQL database with the schema."""
    _migrate(postgres.create("template_entitlements"))
    return "template_entitlements"


@pytest.fixture(scope="session")
def postgres_copies(postgres: Server, postgres_template: str) -> Copies:
    """Copies of it, made with little work."""
    return Copies(postgres, postgres_template)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with the schema and nothing in it."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        shutil.copy(template, tmp_path / "store.db")
        yield f"sqlite:///{tmp_path / 'store.db'}"
    else:
        copies: Copies = request.getfixturevalue("postgres_copies")
        name = f"test_{next(_NUMBERS)}"
        yield copies.take(name)
        copies.give_back(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a schema; the SQLite file does not exist yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
    else:
        server: Server = request.getfixturevalue("postgres")
        name = f"test_{next(_NUMBERS)}"
        yield server.create(name)
        server.drop(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the schema and nothing in it."""
    database = Database(database_url, lock_timeout_ms=300)
    yield database
    database.close()


def _migrate(url: str) -> None:
    database = Database(url)
    database.upgrade()
    database.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes minutes, so that no worker is left with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)
