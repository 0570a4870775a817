"""README in an empty environment, into which only the built wheel is installed."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from tests.functional.consoles import Console, build
from tests.functional.nginx import reserved_port
from tests.pages import ROOT, take, take_all
from tests.wheelhouse import build_wheel

PAGE: Final = "README.md"
MAKE, WITHOUT_MAKE = take_all(PAGE, "console", "See it work")
SERVE, CUSTOMER = take_all(PAGE, "console", "A folder of wheels")
FLASK_INSTALL, FLASK_RUN = take_all(PAGE, "console", "A Flask application")
FLASK_APP: Final = take(PAGE, "python", "def create_app")
DEVPI: Final = take(PAGE, "console", "devpi-server --serverdir")
PYPISERVER: Final = take(PAGE, "console", "pypi-server-entitled")
DAILY: Final = take(PAGE, "console", "entitlements usage")
DEBIAN: Final = Path("/usr/bin/python3")


def console(
    root: Path,
    dist: Path | None,
    port: int,
    *,
    stock: frozenset[str] = frozenset(),
    table: Mapping[str, str] = MappingProxyType({}),
) -> Console:
    """A shell with packages at home and in /srv."""
    for folder in ("home/packages", "srv/packages"):
        build_wheel(root / folder, "acme-core", "1.0")
        build_wheel(root / folder, "acme-core", "2.0")
        build_wheel(root / folder, "acme-other", "1.0")
    return Console(root, dist, {"8080": str(port), "/srv/": f"{root}/srv/", **table}, stock)


def test_a_folder_of_wheels_and_the_daily_work(tmp_path: Path, dist: Path) -> None:
    """With the Python and the pip of Debian, where they are, and nothing in their place."""
    port = reserved_port()
    stock = frozenset({"python3"} if DEBIAN.exists() else ())
    with console(tmp_path, dist, port, stock=stock) as shell:
        shell.type(SERVE.text, url=f"http://127.0.0.1:{port}")
        installed = shell.type(CUSTOMER.text)
        daily = shell.type(DAILY)

    assert "Successfully installed acme-core-1.0" in installed
    assert "acme_core-2.0-py3-none-any.whl" in daily
    assert "acme-core" in daily


def test_a_flask_application(tmp_path: Path, dist: Path) -> None:
    port = reserved_port()
    with console(tmp_path, dist, port) as shell:
        shell.type(FLASK_INSTALL.text)
        text = FLASK_APP.replace("/srv/", f"{tmp_path}/srv/")
        (shell.home / "vendor.py").write_text(text)
        shell.type(FLASK_RUN.text, url=f"http://127.0.0.1:{port}")
        installed = shell.type(CUSTOMER.text)

    assert "Successfully installed acme-core-2.0" in installed


def test_pypiserver(tmp_path: Path, dist: Path) -> None:
    port = reserved_port()
    with console(tmp_path, dist, port) as shell:
        shell.type("$ python3 -m venv ~/here && . ~/here/bin/activate")
        printed = shell.type(PYPISERVER, url=f"http://127.0.0.1:{port}")

    assert "Successfully installed acme-core-2.0" in printed


DEVPI_BEFORE: Final = "$ devpi-init --serverdir /srv/devpi"
DEVPI_INDEX: Final = """
$ devpi use http://127.0.0.1:3141
$ devpi user -c acme password=123
$ devpi login acme --password 123
$ devpi index -c prod
$ devpi use acme/prod
$ devpi upload /srv/packages/acme_core-1.0-py3-none-any.whl
"""


@pytest.mark.clients  # the page on devpi-server, with the same commands, is run each time
def test_devpi_server(tmp_path: Path) -> None:
    """In the environment of a devpi-server, with an index of a user."""
    port = reserved_port()
    table = {
        "devpi-server --serverdir": f"devpi-server --port {port} --serverdir",
        "3141": str(port),
        "https://token": "http://token",
        "packages.acme.example": f"127.0.0.1:{port}",
    }
    with console(tmp_path, None, port, table=table) as shell:
        shell.type(DEVPI_BEFORE)
        started, line, rest = DEVPI.partition("$ devpi index")
        shell.type(started, url=f"http://127.0.0.1:{port}", path="/+api")
        shell.type(DEVPI_INDEX)
        printed = shell.type(line + rest)

    assert "Successfully installed acme-core-1.0" in printed


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    root = build(tmp_path_factory.mktemp("sdist"), "--sdist")
    [archive] = root.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(root, filter="data")
    return next(path for path in root.iterdir() if path.is_dir())


def test_the_sdist_holds_every_file_of_the_source(source: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no checkout of the repository")
    missing = [name for name in listed.stdout.splitlines() if not (source / name).exists()]
    assert not missing


def test_make_finds_what_it_needs_in_the_sdist(source: Path) -> None:
    for command in MAKE.text.splitlines():
        target = command.split()[2]
        ended = subprocess.run(
            ["make", "--dry-run", target], cwd=source, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        named = {word for line in ended.stdout.splitlines() for word in line.split()}
        files = {word for word in named if word.endswith((".py", ".toml"))}
        assert all((source / name).exists() for name in files), files


@pytest.mark.clients  # the demonstration itself is run each time
def test_the_demonstration_from_the_sdist_without_make(
    source: Path, tmp_path: Path, dist: Path
) -> None:
    with Console(tmp_path, dist, {}) as shell:
        shell.run(f"cd {source}")
        printed = shell.type(WITHOUT_MAKE.text)

    assert "Everything went as it should." in printed
