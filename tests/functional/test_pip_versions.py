"""Every host: the pips that Python and distributions brought over the years install from it.

Python 3.11 brought 22.3 to 24.0, 3.12 23.2.1, 3.13 24.2, 3.14 25.2; Debian 12 has 23.0.1. What is
older came with Pythons that customers still have; it runs on 3.11 as well, without help.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.functional.devpi_vendor import INDEX, DevpiVendor
from tests.functional.installers import Project, pip_of_version
from tests.functional.launching import launched
from tests.functional.pypiservers import FORMS, serving
from tests.functional.vendors import REPOSITORY, Vendor, clean_environment
from tests.wheelhouse import build_wheel

PIPS: Final = (
    *("22.3.1", "23.0.1", "23.1.2"),  # PEP 714 is about them
    *("20.3.4", "21.3.1", "23.2.1", "24.0", "24.3.1", "25.0.1", "25.3", "26.3"),
)
ENDED: Final = datetime(2026, 1, 31, tzinfo=UTC)
JSON: Final = "application/vnd.pypi.simple.v1+json"

FLASK: Final = """
from flask import Flask
from flask_static_entitlements import Entitlements

app = Flask("vendor")
Entitlements(app, repository="{repository}", directories=["{packages}"])
"""


class Host:
    """A server, with customers: one who may, one whose token has expired, and a disabled one."""

    def __init__(self, url: str, page: str, secrets: dict[str, str]) -> None:
        self.url = url
        self.page = page
        self.secrets = secrets

    def index(self, customer: str) -> str:
        return f"{self.url}{self.page}".replace("//", f"//token:{self.secrets[customer]}@", 1)


def _vendor(root: Path) -> tuple[Vendor, dict[str, str]]:
    vendor = Vendor(root)
    build_wheel(vendor.packages, "lab-bar", "1.0")
    build_wheel(vendor.packages, "lab-foo", "1.0", requires=["lab-bar"])
    return vendor, _secrets(vendor)


def _secrets(vendor: Vendor | DevpiVendor) -> dict[str, str]:
    return {
        "paying": vendor.token("paying").secret or "",
        "late": vendor.token("late", limit_date_range_to=ENDED).secret or "",
        "disabled": vendor.token("disabled", enabled=False).secret or "",
    }


def _serve(server: str, root: Path, stack: ExitStack) -> Host:
    vendor, secrets = _vendor(root)
    running = stack.enter_context(vendor.serving("--server", server))
    return Host(running.url, "/simple/", secrets)


def _flask(root: Path, stack: ExitStack) -> Host:
    vendor, secrets = _vendor(root)
    vendor.core.close()
    app = FLASK.format(repository=REPOSITORY, packages=vendor.packages)
    (root / "vendor_app.py").write_text(app)
    command = ("flask", "--app", "vendor_app", "run", "--port", "{port}")
    environment = clean_environment(ENTITLEMENTS_HOME=str(vendor.home))
    url = stack.enter_context(launched(command, root, environment, directory=root))
    return Host(url, "/simple/", secrets)


def _pypiserver(root: Path, stack: ExitStack) -> Host:
    vendor, secrets = _vendor(root)
    server = stack.enter_context(serving(vendor, FORMS[0]))
    return Host(server.url, "/simple/", secrets)


def _devpi(root: Path, stack: ExitStack) -> Host:
    vendor = DevpiVendor(root)
    secrets = _secrets(vendor)
    files = [
        build_wheel(root / "wheels", "lab-bar", "1.0"),
        build_wheel(root / "wheels", "lab-foo", "1.0", requires=["lab-bar"]),
    ]
    server = stack.enter_context(vendor.serving())
    server.index(INDEX, bases=[], acl_pkg_read=["acme"])
    server.upload(INDEX, *files)
    return Host(server.url, f"/{INDEX}/+simple/", secrets)


HOSTS: Final[dict[str, Callable[[Path, ExitStack], Host]]] = {
    "granian": lambda root, stack: _serve("granian", root, stack),
    "waitress": lambda root, stack: _serve("waitress", root, stack),
    "flask": _flask,
    "pypiserver": _pypiserver,
    "devpi": _devpi,
}


class Hosts:
    """Each is started when it is first asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stack = ExitStack()
        self._started: dict[str, Host] = {}

    def get(self, name: str) -> Host:
        if name not in self._started:
            root = self._root / name
            root.mkdir()
            self._started[name] = HOSTS[name](root, self._stack)
        return self._started[name]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    found = Hosts(tmp_path_factory.mktemp("hosts"))
    yield found
    found.close()


def pairs() -> Iterator[Any]:
    """Every pip on every host; each on one of them is run every time."""
    names = list(HOSTS)
    often = {(pip, names[number % len(names)]) for number, pip in enumerate(PIPS)}
    for pip, name in product(PIPS, names):
        marks = [] if (pip, name) in often else [pytest.mark.clients]
        yield pytest.param(pip, name, marks=marks, id=f"{pip}-{name}")


@pytest.mark.parametrize(("version", "name"), list(pairs()))
def test_it_installs_and_says_why_not(
    hosts: Hosts, tmp_path: Path, version: str, name: str
) -> None:
    host, pip = hosts.get(name), pip_of_version(version)
    for customer in ("paying", "late"):
        (tmp_path / customer).mkdir()

    project = Project(tmp_path / "paying", host.index("paying"))
    ended = pip.run(project)
    assert ended.status == 0, ended.text
    assert set(project.installed) == {"lab_foo", "lab_bar"}

    project = Project(tmp_path / "late", host.index("late"))
    ended = pip.run(project)
    assert ended.status != 0
    words = "Entitlement expired 2026-01-31 00:00 UTC"
    assert words in ended.text or words.replace(" ", "-").replace(":", "-") in ended.text
    assert not project.installed


@pytest.mark.parametrize("name", HOSTS)
def test_a_disabled_token_keeps_its_pages_and_is_refused_files(hosts: Hosts, name: str) -> None:
    host = hosts.get(name)
    page = f"{host.index('disabled')}lab-foo/"

    listed = httpx.get(page, headers={"Accept": JSON}, timeout=30)
    [file] = listed.json()["files"]
    url = str(listed.url.join(file["url"]))
    credentials = ("token", host.secrets["disabled"])
    metadata = httpx.get(f"{url}.metadata", auth=credentials, timeout=30)
    refused = httpx.get(url, auth=credentials, timeout=30)

    assert metadata.status_code == 200
    assert "Name: lab-foo" in metadata.text
    assert (refused.status_code, refused.json()["code"]) == (403, "token_disabled")


@pytest.mark.parametrize("name", HOSTS)
def test_json_has_the_new_name_of_metadata_alone_and_html_both(hosts: Hosts, name: str) -> None:
    """Pips from 22.3 to 23.1.2 end in a traceback where JSON has the former one as an object."""
    host = hosts.get(name)
    page = f"{host.index('paying')}lab-foo/"

    [file] = httpx.get(page, headers={"Accept": JSON}, timeout=30).json()["files"]
    html = httpx.get(page, headers={"Accept": "text/html"}, timeout=30).text

    assert file["core-metadata"]
    assert "dist-info-metadata" not in file
    assert "data-core-metadata=" in html
    assert "data-dist-info-metadata=" in html
