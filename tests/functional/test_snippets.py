"""Each snippet is followed with its client, on each host, at the root and below a path.

The stand-in for the public index has every name of the vendor's in a higher version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import pytest

from tests.functional import clients
from tests.functional.snippet_hosts import HOSTS, Market, Markets
from tests.functional.snippet_projects import Printed
from tests.wheelhouse import build_wheel

UPSTREAM, ALONE = "upstream", "alone"
INSTALLERS: Final = ("uv", "poetry", "pdm", "pipenv")
"""Clients that are told of a second index where there is no upstream."""
ONE_INDEX: Final = ("pip", "pip-tools", "keyring", "docker", "gitlab", "github", "path")
ASKING: Final = ("renovate", "dependabot", "curl", "link")
CLIENTS: Final = (*INSTALLERS, *ONE_INDEX, *ASKING)
OFTEN: Final = {
    *(("serve below a path", UPSTREAM, client) for client in CLIENTS),
    *(("serve", ALONE, client) for client in INSTALLERS),
    *((host, ALONE, "path") for host in HOSTS),
}
"""What is run each time; the whole is ``make clients``."""


@pytest.fixture(scope="module")
def markets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Markets]:
    markets = Markets(tmp_path_factory.mktemp("markets"))
    yield markets
    markets.close()


def cases() -> Iterator[Any]:
    for host in HOSTS:
        for mode in (UPSTREAM, ALONE):
            if mode == UPSTREAM and host.startswith("devpi"):
                continue  # it has mirrors, see test_devpi_mirror
            for client in CLIENTS:
                marks = [] if (host, mode, client) in OFTEN else [pytest.mark.clients]
                yield pytest.param(host, mode, client, marks=marks, id=f"{host}-{mode}-{client}")


def ways(document: Any, client: str) -> list[list[Printed]]:  # noqa: ANN401 - whatever JSON holds
    """The snippets of a client; where the title of one begins with Or, another way begins."""
    own = [one for one in document["snippets"] if one["client"] == client]
    starts = [0]
    for snippet in own[1:]:
        starts.append(starts[-1] + snippet["title"].startswith("Or "))
    numbered = groupby(zip(starts, own, strict=True), key=lambda pair: pair[0])
    return [[snippet for _, snippet in group] for _, group in numbered]


@pytest.mark.parametrize(("host", "mode", "client"), list(cases()))
def test_what_is_printed_installs_the_vendors_packages(
    markets: Markets, host: str, mode: str, client: str, tmp_path: Path
) -> None:
    market = markets.open(host, upstream=mode == UPSTREAM)
    finds_public = market.has_upstream or client in INSTALLERS
    package = "acme-app" if finds_public else "acme-tool"
    document = market.printed("--client", client, "--client", "netrc", "--package", package)
    if client in {"curl", "link"} and host.startswith("devpi"):
        assert [one["client"] for one in document["left_out"]] == [client]
        return
    for number, snippets in enumerate(ways(document, client)):
        check(
            market,
            client,
            package,
            [*ways(document, "netrc")[0], *snippets],
            tmp_path / str(number),
        )
    assert not market.public.saw_credentials


def check(market: Market, client: str, package: str, snippets: list[Printed], root: Path) -> None:
    machine = market.customer(root)
    ended = machine.follow(client, snippets)
    assert ended.status == 0, ended.text
    if client in {"curl", "link"}:
        (found,) = machine.project.glob("*.whl")
        assert found.read_bytes() == (market.shop.packages / found.name).read_bytes()
    elif client in ASKING:
        assert "acme_tool-1.0-py3-none-any.whl" in ended.text
    else:
        public = {"public-lib 9.0"} if package == "acme-app" else set()
        assert machine.installed == {f"{package} 1.0", "acme-util 1.0", *public}
    if client == "pip-tools":
        assert machine.secret not in (machine.project / "requirements.txt").read_text()


@pytest.mark.clients
@pytest.mark.parametrize("mode", [UPSTREAM, ALONE])
@pytest.mark.parametrize(
    "version",
    [
        *("uv==0.6.17", "uv==0.8.24", "uv==0.9.30"),
        *("poetry==2.0.1", "poetry==2.2.1", "pdm[locked]==2.26.9", "pipenv==2025.1.3"),
    ],
)
def test_earlier_versions_understand_it(
    markets: Markets, version: str, mode: str, tmp_path: Path
) -> None:
    client = re.split(r"\W", version)[0]
    market = markets.open("serve below a path", upstream=mode == UPSTREAM)
    document = market.printed("--client", client, "--package", "acme-app")
    machine = market.customer(tmp_path)
    machine.versions = {client: (version,)}

    ended = machine.follow(client, document["snippets"])

    assert ended.status == 0, ended.text
    assert machine.installed == {"acme-app 1.0", "acme-util 1.0", "public-lib 9.0"}


@pytest.mark.clients
@pytest.mark.parametrize(
    ("beside", "works"),
    [
        (("pip==21.3.1",), False),
        (("pip==22.3.1",), False),
        (("pip==21.3.1", *clients.VERSIONS["keyring"]), True),
        (("pip==22.3.1", *clients.VERSIONS["keyring"]), True),
        (("pip==23.1.2",), True),
    ],
)
def test_a_keyring_and_old_pips(
    markets: Markets, beside: tuple[str, ...], tmp_path: Path, *, works: bool
) -> None:
    market = markets.open("serve", upstream=False)
    document = market.printed("--client", "keyring", "--package", "acme-tool")
    machine = market.customer(tmp_path)
    clients.venv(machine.venv, *beside)

    ended = machine.follow("keyring", document["snippets"])

    assert (ended.status == 0) == works, ended.text
    assert machine.installed == ({"acme-tool 1.0", "acme-util 1.0"} if works else set())


@pytest.mark.parametrize("host", [one for one in HOSTS if one.startswith(("pypiserver", "devpi"))])
def test_uploads(markets: Markets, host: str, tmp_path: Path) -> None:
    market = markets.open(host, upstream=False)
    document = market.printed("--client", "twine")
    machine = market.customer(tmp_path, market.shop.publisher)
    name = f"acme-{host.replace(' ', '-')}"
    build_wheel(machine.project / "dist", name, "1.0")
    ended = machine.follow("twine", document["snippets"])
    assert ended.status == 0, ended.text


@pytest.mark.parametrize("host", ["serve", "flask mounted"])
def test_there_is_nothing_for_uploads_to_a_server_that_takes_none(
    markets: Markets, host: str
) -> None:
    document = markets.open(host, upstream=False).printed("--client", "twine")
    assert not document["snippets"]
    assert [one["client"] for one in document["left_out"]] == ["twine"]
