"""The clients whose output matters, and a vendor for each test."""

import sys
from pathlib import Path
from typing import Final

import pytest

from tests.functional import clients
from tests.functional.consoles import build
from tests.functional.vendors import Client, Vendor, clean_environment

OLD_PIP: Final = "23.2.1"
PIP: Final = (
    *("-m", "pip", "install", "--no-input", "--no-cache-dir", "--retries", "0"),
    "--no-warn-conflicts",  # of what lies beside the tests, all of which it would read first
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "functional" in Path(item.fspath).parts:
            item.add_marker("functional")


@pytest.fixture
def vendor(tmp_path: Path) -> Vendor:
    return Vendor(tmp_path)


@pytest.fixture(scope="session")
def pip() -> Client:
    """The newest pip."""
    return Client("pip", (sys.executable, *PIP), {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})


@pytest.fixture(scope="session")
def old_pip() -> Client:
    """The pip that Python 3.11 brings."""
    [home] = clients.programs(f"pip=={OLD_PIP}").parent.glob("lib/*/site-packages")
    environment = {"PYTHONPATH": str(home), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return Client("old_pip", (sys.executable, *PIP), environment)


@pytest.fixture(scope="session")
def uv() -> Client:
    uv = Path(sys.executable).with_name("uv")
    return Client("uv", (str(uv), "pip", "install", "--no-cache"), {"UV_HTTP_RETRIES": "0"})


@pytest.fixture(params=["pip", "old_pip", "uv"])
def client(request: pytest.FixtureRequest) -> Client:
    """Each client in turn."""
    found: Client = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel."""
    return build(tmp_path_factory.mktemp("dist"), "--wheel")


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    return clean_environment()
