"""What each client installs of a name that is the vendor's, and that the public index has, too.

These are the claims of docs/dependency-confusion.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.functional.devpi_vendor import ended
from tests.functional.snippet_hosts import Market, Markets
from tests.functional.snippet_projects import Machine
from tests.functional.vendors import REPOSITORY, Ended

ADD: Final = {
    "pip": "pip install",
    "uv": "uv add",
    "poetry": "poetry add",
    "pdm": "pdm add",
    "pipenv": "pipenv install",
}
"""How somebody adds a package who reads no snippet again."""
RESERVE: Final = ("repo", "reserve", REPOSITORY, "acme-*")
OFTEN: Final = {"pip", "uv", "poetry"}
"""Clients that are run each time; the others by ``make clients``."""


def each(*left_out: str) -> list[Any]:
    """The clients but some."""
    return [
        pytest.param(client, marks=[] if client in OFTEN else [pytest.mark.clients])
        for client in ADD
        if client not in left_out
    ]


def is_foreign(names: Iterable[str]) -> bool:
    """Whether a package of the vendor's name is not the vendor's."""
    return any(name.startswith("acme-") and name.endswith(" 9.0") for name in names)


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Markets]:
    markets = Markets(tmp_path_factory.mktemp("markets"))
    yield markets
    markets.close()


def follow(market: Market, client: str, machine: Machine) -> Ended:
    """What the vendor told a customer to do."""
    document = market.printed("--client", client, "--client", "netrc", "--package", "acme-app")
    # The fourth of pip's is another way.
    return machine.follow(client, document["snippets"][:3])


@pytest.mark.parametrize("client", each())
def test_with_an_upstream_a_hidden_name_is_nobodys(
    markets: Markets, client: str, tmp_path: Path
) -> None:
    market = markets.open("serve", upstream=True)
    machine = market.customer(tmp_path)
    assert follow(market, client, machine).status == 0
    before = machine.installed

    done = machine.run(client, f"{ADD[client]} acme-hidden")

    assert done.status != 0, done.text
    assert machine.installed == before, done.text
    assert not market.public.has_been_asked_for("acme-")


@pytest.mark.parametrize("client", each())
@pytest.mark.parametrize("upstream", [True, False])
def test_a_refused_token_opens_nothing_foreign(
    markets: Markets, client: str, tmp_path: Path, *, upstream: bool
) -> None:
    market = markets.open("serve", upstream=upstream)
    machine = market.customer(tmp_path, market.shop.disabled)

    done = follow(market, client, machine)

    assert done.status != 0, done.text
    assert not is_foreign(machine.installed)
    if upstream:
        assert "token disabled" in done.text.replace("-", " ")
        assert not market.public.has_been_asked_for("acme-")


@pytest.mark.parametrize("client", each("pip"))
def test_with_two_indexes_a_hidden_name_is_anybodys(
    markets: Markets, client: str, tmp_path: Path
) -> None:
    market = markets.open("serve", upstream=False)
    machine = market.customer(tmp_path)
    assert follow(market, client, machine).status == 0

    done = machine.run(client, f"{ADD[client]} acme-hidden")

    assert done.status == 0, done.text
    assert machine.installed == {
        "acme-app 1.0",
        "acme-util 1.0",
        "acme-hidden 9.0",
        "public-lib 9.0",
    }


@pytest.mark.clients
def test_pdm_is_told_of_a_reserved_beginning(markets: Markets, tmp_path: Path) -> None:
    market = markets.open("serve below a path", upstream=False)
    home = ["--home", str(market.shop.home)]
    reserved = ended([sys.executable, "-m", "entitlements_core.cli", *home, *RESERVE])
    assert reserved.status == 0, reserved.text
    machine = market.customer(tmp_path)
    assert follow(market, "pdm", machine).status == 0

    done = machine.run("pdm", "pdm add acme-hidden")

    assert done.status != 0, done.text
    assert not is_foreign(machine.installed)
