"""A closed index that inherits from a mirror of a second devpi-server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from entitlements_core.services.token_issuer import Issued
from tests.functional import devpis
from tests.functional.devpi_vendor import EVERY_REQUEST, INDEX, DevpiVendor
from tests.functional.devpi_verbs import Devpi
from tests.functional.vendors import Client
from tests.wheelhouse import build_wheel

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
QUERY: Final = "(name:^lab-foo$ AND version:<2) OR name:^own$"


@dataclass(frozen=True)
class Shop:
    """The server that is mirrored, and the vendor's."""

    vendor: DevpiVendor
    upstream: Devpi
    server: Devpi
    token: Issued

    @property
    def secret(self) -> str:
        return self.token.secret or ""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("mirror")
    vendor = DevpiVendor(root)
    wheels = root / "wheels"
    theirs = [build_wheel(wheels, "lab-foo", version) for version in ("1.0", "1.1", "2.0")]
    theirs += [build_wheel(wheels, "lab-hidden", "1.0"), build_wheel(wheels, "lab-big", "1.0")]
    own = build_wheel(wheels, "own", "1.0", requires=["lab-foo"])
    token = vendor.token("customer", QUERY)
    (root / "upstream").mkdir()
    plain = devpis.OTHERS + devpis.BARE
    with (
        devpis.running(root / "upstream", "--enable-core-metadata", without=plain) as upstream,
        vendor.serving(without=devpis.WEB, environment=EVERY_REQUEST) as server,
    ):
        upstream.index("them/all", bases=[])
        upstream.upload("them/all", *theirs)
        url = upstream.index_url("them/all")
        mirror = {"type": "mirror", "mirror_url": url, "mirror_provides_core_metadata": True}
        server.index("acme/them", **mirror, acl_pkg_read=["acme"])
        server.index("acme/linked", **mirror, mirror_use_external_urls=True)
        server.index(INDEX, bases=["acme/them"], acl_pkg_read=["acme"])
        # The token is older than the index: which bases it sees is said by command.
        ended = vendor.entitlements("token", "regrant", token.token.identifier)
        assert ended.status == 0, ended.text
        server.upload(INDEX, own)
        yield Shop(vendor, upstream, server, token)


def test_a_dependency_comes_through_the_mirror(shop: Shop, pip: Client, tmp_path: Path) -> None:
    before = shop.vendor.downloads(shop.token, NOW)
    ended = pip.install("own", shop.server.index_url(INDEX, shop.secret), tmp_path)

    assert ended.status == 0, ended.text
    assert (tmp_path / "lab_foo-1.1.dist-info").is_dir()
    assert shop.vendor.downloads(shop.token, NOW) == before + 2


def test_the_alias_leads_to_the_mirrors_files_as_well(
    shop: Shop, uv: Client, tmp_path: Path
) -> None:
    ended = uv.install("lab-foo==1.0", shop.server.alias_url(shop.secret), tmp_path)

    assert ended.status == 0, ended.text
    assert (tmp_path / "lab_foo-1.0.dist-info").is_dir()


def test_what_is_not_covered_is_neither_listed_nor_fetched(shop: Shop) -> None:
    headers = shop.server.logins["acme"]
    prefix = f"/+t/{shop.secret}"
    [hidden] = shop.server.files_of(INDEX, "lab-hidden", headers=headers).values()
    newer = shop.server.files_of(INDEX, "lab-foo", headers=headers)["lab_foo-2.0-py3-none-any.whl"]
    seen = shop.upstream.log.count("GET /them/all/+f/")

    answers = [
        shop.server.get(prefix + path)
        for path in (hidden, newer, f"{hidden}.metadata", f"/{INDEX}/+simple/lab-hidden/")
    ]
    listed = shop.server.get(f"{prefix}/{INDEX}/+simple/").text

    assert [answer.status_code for answer in answers] == [404, 404, 404, 404]
    assert "lab-hidden" not in listed
    assert shop.upstream.log.count("GET /them/all/+f/") == seen


def test_nobody_makes_the_mirror_ask_for_a_project_that_is_not_covered(shop: Shop) -> None:
    answer = shop.server.get(f"/+t/{shop.secret}/{INDEX}/+simple/lab-big/")

    assert answer.status_code == 404
    assert "/+simple/lab-big" not in shop.upstream.log


def test_the_mirror_itself_is_closed_to_the_token_and_to_strangers(shop: Shop) -> None:
    by_token = shop.server.get(f"/+t/{shop.secret}/acme/them/+simple/lab-foo/")
    stranger = shop.server.get("/acme/them/+simple/lab-foo/")

    assert by_token.status_code in {404, 410}
    assert stranger.status_code == 401


def test_nobody_is_sent_to_the_upstream_server(shop: Shop) -> None:
    secret = shop.vendor.secret("linked", "name:^lab-foo$", repositories=["acme/linked"])
    page = f"/+t/{secret}/acme/linked/+simple/lab-foo/"
    files = shop.server.get(page, headers={"Accept": "application/vnd.pypi.simple.v1+json"}).json()
    path = files["files"][0]["url"].replace("../../", "/acme/linked/").partition("#")[0]
    answer = shop.server.get(f"/+t/{secret}{path}")

    assert answer.status_code != 302
    assert str(shop.upstream.port) not in str(answer.headers)


def asked(shop: Shop, *words: str) -> dict[str, Any]:
    """What a command says, as JSON."""
    ended = shop.vendor.entitlements(*words, "--json")
    assert ended.status == 0, ended.text
    found: dict[str, Any] = json.loads(ended.text[ended.text.index("{") :])
    return found


FROM_MIRROR: Final = "lab-foo is not yours: it comes from the mirror acme/them, and is filtered and"


@pytest.mark.parametrize(("version", "code"), [("1.0", []), ("1.2", []), ("2.0", ["not_found"])])
def test_explain_says_that_a_file_comes_from_the_mirror(
    shop: Shop, version: str, code: list[str]
) -> None:
    wheel = f"lab_foo-{version}-py3-none-any.whl"
    found = asked(shop, "explain", shop.token.token.identifier, wheel)
    assert [one["code"] for one in found["reasons"]] == code
    assert found["origin"].startswith(FROM_MIRROR)
    assert "no such file" not in str(found["reasons"])


def test_explain_tells_what_was_not_fetched_and_what_is_never_fetched(shop: Shop) -> None:
    identifier = shop.token.token.identifier
    unfetched = asked(shop, "explain", identifier, "elsewhere-1.0.tar.gz")
    assert "query does not cover" in unfetched["reasons"][0]["detail"]
    assert unfetched["origin"].startswith("elsewhere is not yours: it comes from the mirror")
    sized = shop.vendor.token("sized", "size:<1MB").token.identifier
    assert shop.vendor.entitlements("token", "regrant", sized).status == 0
    unknown = asked(shop, "explain", sized, "elsewhere-1.0.tar.gz")
    assert "has fetched no such file so far" in unknown["reasons"][0]["detail"]
    own = asked(shop, "explain", identifier, "own-9.0.tar.gz")
    assert "no such file" in own["reasons"][0]["detail"]
    assert own["origin"] == "own is yours, so nobody else is asked for it."


def test_preview_shows_what_comes_from_the_mirror(shop: Shop) -> None:
    [path] = [
        path
        for name, path in shop.server.files_of(
            INDEX, "lab-foo", headers=shop.server.logins["acme"]
        ).items()
        if "1.0" in name
    ]
    assert shop.server.get(f"/+t/{shop.secret}{path}").status_code == 200
    of_token = ("--repo", INDEX, "--token", shop.token.token.identifier)
    found = asked(shop, "preview", "name:^lab-foo$", *of_token)
    assert "lab_foo-1.0-py3-none-any.whl" in found["files"]
    assert any(one.startswith(FROM_MIRROR) for one in found["warnings"])
    everything = asked(shop, "preview", "name:*", *of_token)
    assert "What comes from the mirror acme/them is not shown" in str(everything["warnings"])
