"""twine with a token that may upload, and devpi-client as the vendor's own tool."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from entitlements_core.policy.credential import Access
from tests.functional.devpi_vendor import INDEX, DevpiVendor, ended
from tests.functional.devpi_verbs import Devpi
from tests.functional.vendors import Client, Ended
from tests.wheelhouse import build_sdist, build_wheel

SHELF: Final = "root/shelf"
SCRIPTS: Final = Path(sys.executable).parent
COVERED: Final = "name:^lab-foo$ AND version:<2"


@dataclass(frozen=True)
class Shop:
    """A vendor, a server, and two tokens of partners."""

    vendor: DevpiVendor
    server: Devpi
    writes: str
    reads: str

    def twine(self, secret: str, *files: Path) -> Ended:
        """Upload as a partner."""
        options = ("--non-interactive", "--disable-progress-bar", "-u", "token", "-p", secret)
        url = ("--repository-url", f"{self.server.url}/{INDEX}/")
        command = [sys.executable, "-m", "twine", "upload", *options, *url]
        return ended([*command, *map(str, files)], HOME=str(self.vendor.root))

    def files(self, project: str) -> list[str]:
        """What the vendor sees of a project; nothing where there is none."""
        if self.server.request("GET", f"/{INDEX}/{project}", "acme").status_code == 404:
            return []
        return sorted(self.server.files_of(INDEX, project, headers=self.server.logins["acme"]))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    vendor = DevpiVendor(tmp_path_factory.mktemp("uploads"))
    writes = vendor.secret("partner", COVERED, access=Access.WRITE)
    reads = vendor.secret("customer", COVERED)
    with vendor.serving() as server:
        server.index(INDEX, bases=[], acl_pkg_read=["acme"])
        yield Shop(vendor, server, writes, reads)


def test_twine_uploads_what_the_token_covers(shop: Shop, pip: Client, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "lab-foo", "1.0")
    sdist = build_sdist(tmp_path, "lab-foo", "1.0")
    uploaded = shop.twine(shop.writes, wheel, sdist)
    installed = pip.install("lab-foo", shop.server.index_url(INDEX, shop.reads), tmp_path / "site")

    assert uploaded.status == 0, uploaded.text
    assert shop.files("lab-foo") == sorted([wheel.name, sdist.name])
    assert installed.status == 0, installed.text


@pytest.mark.parametrize(
    ("name", "version"), [("lab-foo", "2.0"), ("lab-bar", "1.0")], ids=["version", "project"]
)
def test_twine_prints_that_an_upload_is_not_covered(
    shop: Shop, tmp_path: Path, name: str, version: str
) -> None:
    refused = shop.twine(shop.writes, build_wheel(tmp_path, name, version))

    assert refused.status != 0
    assert "This upload is not covered by the entitlement" in refused.text
    assert not [file for file in shop.files(name) if f"-{version}-" in file]


def test_a_name_in_the_form_does_not_cover_another_file(shop: Shop, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path, "lab-bar", "1.0")
    form = {":action": "file_upload", "name": "lab-foo", "version": "1.5"}
    answer = httpx.post(
        f"{shop.server.url}/{INDEX}/",
        data=form,
        files={"content": (wheel.name, wheel.read_bytes())},
        auth=("token", shop.writes),
    )

    assert answer.status_code in {400, 403}
    assert not shop.files("lab-bar")


def test_a_token_that_only_reads_uploads_nothing(shop: Shop, tmp_path: Path) -> None:
    refused = shop.twine(shop.reads, build_wheel(tmp_path, "lab-foo", "1.1"))

    assert refused.status != 0
    assert "403" in refused.text
    assert "lab_foo-1.1-py3-none-any.whl" not in shop.files("lab-foo")


def test_no_password_of_a_partner_is_shown(shop: Shop) -> None:
    assert shop.writes not in shop.server.log
    assert shop.reads not in shop.server.log


def test_devpi_client_closes_an_index_and_a_command_opens_it(
    shop: Shop, pip: Client, tmp_path: Path
) -> None:
    wheel = build_wheel(tmp_path / "dist", "lab-baz", "1.0")

    def devpi(*arguments: str) -> str:
        client = [str(SCRIPTS / "devpi"), *arguments, "--clientdir", str(tmp_path / "client")]
        done = ended(client, cwd=tmp_path, HOME=str(tmp_path))
        assert done.status == 0, done.text
        return done.text

    devpi("use", shop.server.url)
    devpi("login", "root", "--password=")
    devpi("index", "-c", SHELF, "bases=")
    devpi("use", SHELF)
    devpi("upload", str(wheel))
    url = f"{shop.server.url}/{SHELF}/+simple/lab-baz/"
    opened = httpx.get(url).status_code
    told = devpi("index", SHELF, "acl_pkg_read=root")
    closed = httpx.get(url).status_code
    listed = devpi("list")
    created = shop.vendor.entitlements("token", "create", "--repo", SHELF, "--name", "x")
    assert created.status == 0, created.text
    [secret] = [word for word in created.text.split() if word.startswith("ent_")][:1]
    installed = pip.install("lab-baz", shop.server.index_url(SHELF, secret), tmp_path / "site")

    assert "acl_pkg_read=root" in told
    assert (opened, closed) == (200, 401)
    assert "lab-baz" in listed
    assert installed.status == 0, created.text + installed.text
