"""What each client prints for each state of a token: every row of the table of answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from entitlements_core.services.token_issuer import Issued
from tests.actors import person
from tests.functional.vendors import REPOSITORY, Client, Running, Vendor
from tests.wheelhouse import build_wheel

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
NOTHING: Final = "No matching distribution found"
HEADER: Final = "header"
PATH: Final = "path"


@dataclass(frozen=True)
class Shop:
    """A vendor with a token in every state, and a server."""

    vendor: Vendor
    server: Running
    tokens: dict[str, Issued]

    def url(self, state: str, form: str) -> str:
        if state == "no credentials":
            return f"{self.server.url}/simple/"
        secret = "ent_never-issued" if state == "unknown" else self.secret(state)
        return self.server.with_token(secret) if form == PATH else self.server.with_basic(secret)

    def secret(self, state: str) -> str:
        return self.tokens[state].secret or ""


def tokens_in_every_state(vendor: Vendor) -> dict[str, Issued]:
    core = vendor.core
    tokens = {
        "enabled": vendor.token("enabled"),
        "not covered": vendor.token("not covered", "name:^other$"),
        "disabled": vendor.token("disabled", enabled=False),
        "not yet valid": vendor.token("later", limit_date_range_from=NOW + timedelta(days=9)),
        "expired": vendor.token("expired", limit_date_range_to=NOW - timedelta(days=9)),
        "downloads": vendor.token("downloads", limit_num_downloads=0),
        "clients": vendor.token("clients", limit_num_clients=0),
        "bandwidth": vendor.token("bandwidth", limit_bandwidth=10),
        "licence": vendor.token("licence", eula_required=True),
        "address": vendor.token("address", deny_networks=["127.0.0.0/8"]),
        "deleted": vendor.token("deleted"),
        "replaced": vendor.token("replaced"),
        "broken": vendor.token("broken", "name:^lab-foo$"),
    }
    core.lifecycle.delete(tokens["deleted"].token.identifier, actor=person("test"))
    core.rotation.refresh(tokens["replaced"].token.identifier, actor=person("test"))
    core.eulas.add(REPOSITORY, "Do no harm.", actor=person("test"))
    core.repositories.edit(REPOSITORY, actor=person("test"), enforce_eula=True)
    with sqlite3.connect(vendor.home / "entitlements.db") as store:
        store.execute(
            "UPDATE grants SET limit_package_query = 'gone:1' WHERE token_id ="
            " (SELECT id FROM tokens WHERE identifier = ?)",
            (tokens["broken"].token.identifier,),
        )
    store.close()
    return tokens


@pytest.fixture(scope="module", params=["waitress", "granian"])
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    vendor = Vendor(tmp_path_factory.mktemp("shop"))
    build_wheel(vendor.packages, "lab-bar", "1.0")
    build_wheel(vendor.packages, "lab-foo", "1.0", requires=["lab-bar"])
    tokens = tokens_in_every_state(vendor)
    with vendor.serving("--server", request.param) as server:
        yield Shop(vendor, server, tokens)


UNKNOWN: Final = "Unknown or revoked entitlement token"

# State, form, what pip prints, what uv prints.
REFUSALS: Final = [
    ("no credentials", HEADER, NOTHING, "401 Unauthorized"),
    ("unknown", HEADER, NOTHING, "401 Unauthorized"),
    ("unknown", PATH, UNKNOWN, UNKNOWN),
    ("deleted", PATH, UNKNOWN, UNKNOWN),
    ("replaced", PATH, UNKNOWN, UNKNOWN),
    ("replaced", HEADER, NOTHING, "401 Unauthorized"),
    ("disabled", PATH, "Entitlement token disabled", "Entitlement token disabled"),
    ("disabled", HEADER, "Entitlement token disabled", "Entitlement token disabled"),
    ("address", PATH, "Address 127.0.0.1 not allowed", "Address 127.0.0.1 not allowed"),
    ("not covered", PATH, NOTHING, "was not found in the package registry"),
    ("not yet valid", PATH, "Entitlement valid from", "Entitlement valid from"),
    ("expired", PATH, "Entitlement expired", "Entitlement expired"),
    ("expired", HEADER, "Entitlement expired", "Entitlement expired"),
    ("downloads", PATH, "Download limit 0/0 reached", "Download limit 0/0 reached"),
    ("clients", PATH, "Client limit 0/0 reached", "Client limit 0/0 reached"),
    ("bandwidth", PATH, "Bandwidth limit 0/10 bytes", "Bandwidth limit 0/10 bytes"),
    ("licence", PATH, "Accept the licence first", "Accept the licence first"),
    ("broken", PATH, NOTHING, "Validation service unavailable"),
]


@pytest.mark.parametrize(
    ("state", "form", "pip_prints", "uv_prints"),
    REFUSALS,
    ids=[f"{state}-{form}".replace(" ", "-") for state, form, *_ in REFUSALS],
)
def test_a_refused_client_prints_why(
    shop: Shop,
    client: Client,
    tmp_path: Path,
    state: str,
    form: str,
    pip_prints: str,
    uv_prints: str,
) -> None:
    ended = client.install("lab-foo", shop.url(state, form), tmp_path)

    wanted = uv_prints if client.name == "uv" else pip_prints
    assert ended.status != 0
    assert wanted in ended.text or spelled_in_link(wanted) in ended.text
    assert not list(tmp_path.glob("lab_foo*"))


def test_a_limit_that_is_reached_in_the_middle_of_an_installation_is_told(
    shop: Shop, client: Client, tmp_path: Path
) -> None:
    """The pages were fetched before, and can have said nothing of it."""
    issued = shop.vendor.token(f"{client.name} in {shop.server.port}", limit_num_downloads=1)

    ended = client.install("lab-foo", shop.server.with_basic(issued.secret or ""), tmp_path)

    words = "Download limit 1/1 reached"
    assert ended.status != 0
    assert words in ended.text or spelled_in_link(words) in ended.text
    assert shop.vendor.downloads(issued, NOW) == 1


def spelled_in_link(words: str) -> str:
    """How the words look in a file's address, where the server can send no reason phrase."""
    return words.replace(" ", "-").replace("/", "-")


@pytest.mark.parametrize("form", [HEADER, PATH])
def test_a_token_installs_a_project_and_its_dependency(
    shop: Shop, client: Client, tmp_path: Path, form: str
) -> None:
    ended = client.install("lab-foo", shop.url("enabled", form), tmp_path)

    assert ended.status == 0, ended.text
    assert (tmp_path / "lab_foo-1.0.dist-info").is_dir()
    assert (tmp_path / "lab_bar-1.0.dist-info").is_dir()


@pytest.mark.parametrize("name", ["m%C3%BCller", "Jos%C3%A9%20%40home"])
def test_the_user_name_decides_nothing(
    shop: Shop, client: Client, tmp_path: Path, name: str
) -> None:
    url = shop.url("enabled", HEADER).replace("//token:", f"//{name}:")

    ended = client.install("lab-bar", url, tmp_path)

    assert ended.status == 0, ended.text
    assert (tmp_path / "lab_bar-1.0.dist-info").is_dir()


def test_no_secret_reaches_the_servers_log(shop: Shop, pip: Client, tmp_path: Path) -> None:
    pip.install("lab-foo", shop.url("enabled", PATH), tmp_path)
    pip.install("lab-foo", shop.url("expired", HEADER), tmp_path)

    log = shop.server.log.read_text()
    assert not [name for name in shop.tokens if shop.secret(name) in log]
