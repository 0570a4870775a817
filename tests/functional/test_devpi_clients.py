"""Real clients with a real devpi-server: what a token opens, and what a refused client prints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest

from entitlements_core.services.token_issuer import Issued
from tests.functional import devpis
from tests.functional.devpi_vendor import EVERY_REQUEST, INDEX, DevpiVendor
from tests.functional.devpi_verbs import Devpi
from tests.functional.vendors import Client
from tests.wheelhouse import build_wheel

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
NOTHING: Final = "No matching distribution found"
OLD: Final = "(name:^lab-foo$ AND version:<2) OR name:^lab-bar$"
FORMS: Final = ("path", "alias", "basic", "secret as user")


@dataclass(frozen=True)
class Shop:
    """A vendor with a closed index, tokens, and a server."""

    vendor: DevpiVendor
    server: Devpi
    tokens: dict[str, Issued]

    def secret(self, token: str) -> str:
        return self.tokens[token].secret or ""

    def url(self, token: str, form: str = "path") -> str:
        """The index URL of a token in one of the forms."""
        if token == "no credentials":
            return self.server.index_url(INDEX)
        secret = "ent_never-issued" if token == "unknown" else self.secret(token)
        if form == "alias":
            return self.server.alias_url(secret)
        if form == "basic":
            return self.server.basic_url(INDEX, secret)
        if form == "secret as user":
            return f"http://{secret}@127.0.0.1:{self.server.port}/{INDEX}/+simple/"
        return self.server.index_url(INDEX, secret)


def make_tokens(vendor: DevpiVendor) -> dict[str, Issued]:
    return {
        "everything": vendor.token("everything"),
        "old": vendor.token("old", OLD),
        "not covered": vendor.token("other", "name:^lab-bar$"),
        "disabled": vendor.token("disabled", enabled=False),
        "expired": vendor.token("expired", limit_date_range_to=NOW - timedelta(days=9)),
        "downloads": vendor.token("downloads", limit_num_downloads=0),
        "clients": vendor.token("clients", limit_num_clients=0),
        "address": vendor.token("address", deny_networks=["127.0.0.0/8"]),
    }


@pytest.fixture(scope="module", params=["with devpi-web", "without devpi-web"])
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    vendor = DevpiVendor(tmp_path_factory.mktemp("shop"))
    wheels = vendor.root / "wheels"
    files = [
        build_wheel(wheels, "lab-bar", "1.0"),
        build_wheel(wheels, "lab-foo", "1.0", requires=["lab-bar"]),
        build_wheel(wheels, "lab-foo", "2.0", requires=["lab-bar"]),
    ]
    without = () if request.param == "with devpi-web" else devpis.OTHERS
    tokens = make_tokens(vendor)
    with vendor.serving(without=without, environment=EVERY_REQUEST) as server:
        server.index(INDEX, bases=[], acl_pkg_read=["acme"])
        server.upload(INDEX, *files)
        yield Shop(vendor, server, tokens)


@pytest.fixture(params=["pip", "uv"])
def newest(request: pytest.FixtureRequest) -> Client:
    """Each of the two in turn."""
    found: Client = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_a_token_installs_a_project_and_its_dependency(
    shop: Shop, newest: Client, tmp_path: Path, form: str
) -> None:
    before = shop.vendor.downloads(shop.tokens["everything"], NOW)
    ended = newest.install("lab-foo", shop.url("everything", form), tmp_path)

    assert ended.status == 0, ended.text
    assert (tmp_path / "lab_foo-2.0.dist-info").is_dir()
    assert (tmp_path / "lab_bar-1.0.dist-info").is_dir()
    assert shop.vendor.downloads(shop.tokens["everything"], NOW) == before + 2


def test_a_restriction_makes_a_client_choose_an_older_version(
    shop: Shop, newest: Client, tmp_path: Path
) -> None:
    ended = newest.install("lab-foo", shop.url("old"), tmp_path)

    assert ended.status == 0, ended.text
    assert (tmp_path / "lab_foo-1.0.dist-info").is_dir()


def test_the_old_pip_installs_as_well(shop: Shop, old_pip: Client, tmp_path: Path) -> None:
    ended = old_pip.install("lab-foo", shop.url("old", "alias"), tmp_path)

    assert ended.status == 0, ended.text
    assert (tmp_path / "lab_foo-1.0.dist-info").is_dir()


def test_a_bearer_gets_its_own_view(shop: Shop) -> None:
    bearer = {"Authorization": f"Bearer {shop.secret('old')}"}

    files = shop.server.files_of(INDEX, "lab-foo", headers=bearer)
    answer = shop.server.get(files["lab_foo-1.0-py3-none-any.whl"], headers=bearer)
    stranger = shop.server.get(files["lab_foo-1.0-py3-none-any.whl"])

    assert list(files) == ["lab_foo-1.0-py3-none-any.whl"]
    assert (answer.status_code, stranger.status_code) == (200, 401)


UNKNOWN: Final = "Unknown or revoked entitlement token"
DISABLED: Final = "Entitlement token disabled"
ELSEWHERE: Final = "Address 127.0.0.1 not allowed"

# Token, requirement, what pip prints, what uv prints.
REFUSALS: Final = [
    ("no credentials", "lab-foo", NOTHING, "401 Unauthorized"),
    ("unknown", "lab-foo", UNKNOWN, UNKNOWN),
    ("disabled", "lab-foo", DISABLED, DISABLED),
    ("address", "lab-foo", ELSEWHERE, ELSEWHERE),
    ("not covered", "lab-foo", NOTHING, "was not found in the package registry"),
    ("old", "lab-foo==2.0", "(from versions: 1.0)", "no version of lab-foo==2.0"),
    ("expired", "lab-foo", "Entitlement expired", "Entitlement expired"),
    ("downloads", "lab-foo", "Download limit 0/0 reached", "Download limit 0/0 reached"),
    ("clients", "lab-foo", "Client limit 0/0 reached", "Client limit 0/0 reached"),
]


@pytest.mark.parametrize(
    ("token", "requirement", "pip_prints", "uv_prints"),
    REFUSALS,
    ids=[row[0].replace(" ", "-") for row in REFUSALS],
)
def test_a_refused_client_prints_why(
    shop: Shop,
    newest: Client,
    tmp_path: Path,
    token: str,
    requirement: str,
    pip_prints: str,
    uv_prints: str,
) -> None:
    ended = newest.install(requirement, shop.url(token), tmp_path)

    assert ended.status != 0
    assert (uv_prints if newest.name == "uv" else pip_prints) in ended.text
    assert not list(tmp_path.glob("lab_*"))


def test_a_wrong_password_is_asked_for_again(shop: Shop, pip: Client, tmp_path: Path) -> None:
    url = f"http://token:ent_never-issued@127.0.0.1:{shop.server.port}/{INDEX}/+simple/"
    ended = pip.install("lab-foo", url, tmp_path)
    answer = httpx.get(url)

    assert "401 Error, Credentials not correct" in ended.text
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_no_secret_reaches_the_servers_log(shop: Shop, pip: Client, tmp_path: Path) -> None:
    for number, form in enumerate(FORMS):
        pip.install("lab-foo", shop.url("expired", form), tmp_path / str(number))

    assert "GET" in shop.server.log
    assert not [name for name in shop.tokens if shop.secret(name) in shop.server.log]
