"""The command line beside a devpi-server: it finds indexes, files and users by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.functional import devpis
from tests.functional.devpi_vendor import INDEX, DevpiVendor
from tests.functional.devpi_verbs import SECONDS, Devpi
from tests.wheelhouse import build_wheel

pytestmark = pytest.mark.functional


@dataclass(frozen=True)
class Shop:
    """A vendor with a closed index, and a server."""

    vendor: DevpiVendor
    server: Devpi

    def run(self, *arguments: str, status: int = 0) -> Any:  # noqa: ANN401 - JSON
        """The answer of an ``entitlements`` command, as JSON."""
        ended = self.vendor.entitlements(*arguments, "--json")
        assert ended.status == status, ended.text
        return json.loads(ended.text)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("commands")
    vendor = DevpiVendor(root)
    with vendor.serving(without=devpis.WEB) as server, closing(vendor.core):
        server.index(INDEX, bases=[], acl_pkg_read=["acme"])
        wheels = [build_wheel(root / "wheels", "lab-foo", version) for version in ("1.0", "2.0")]
        server.upload(INDEX, *wheels)
        yield Shop(vendor, server)


def test_an_index_is_a_repository_without_being_registered(shop: Shop) -> None:
    shop.server.index("acme/late", bases=[])
    shop.server.await_serial(shop.server.serial())
    # The command looks at the indexes of the server, whether or not it noted them yet.
    made = shop.run("token", "create", "--repo", "acme/late", "--name", "customer")
    assert made["token"]


@pytest.mark.parametrize(
    "path", ["/%ff", "/+t/{secret}/%ff/", "/acme/%ff/+simple/", "/acme/prod/+f/%fe/%ff.whl"]
)
def test_an_address_that_is_no_text_ends_in_no_traceback(shop: Shop, path: str) -> None:
    secret = shop.vendor.secret("odd addresses")
    target = path.format(secret=secret)
    answer = shop.server.get(target)
    assert (answer.status_code, answer.reason_phrase) == (400, "The address is not UTF-8")
    assert "Traceback" not in shop.server.log
    assert secret not in shop.server.log
    # In another alphabet, an address is one like any other.
    assert shop.server.get(f"/+t/{secret}/{INDEX}/+simple/%C3%A4/").status_code == 404


def test_a_restriction_is_previewed_on_the_files_of_the_server(shop: Shop) -> None:
    listed = shop.run("package", "list", "--repo", INDEX)
    assert sorted(one["version"] for one in listed) == ["1.0", "2.0"]


def test_a_tag_opens_a_version_on_the_next_request(shop: Shop) -> None:
    secret = shop.run("token", "create", "--repo", INDEX, "--name", "x", "--query", "tag:^gold$")
    page = f"/+t/{secret['token']}/{INDEX}/+simple/lab-foo/"
    assert shop.server.get(page).status_code == 404
    shop.run("package", "tag", "lab-foo==2.0", "gold", "--repo", INDEX)
    shown = shop.server.get(page).text
    assert "lab_foo-2.0" in shown
    assert "lab_foo-1.0" not in shown
    shop.run("package", "untag", "lab-foo==2.0", "gold", "--repo", INDEX)
    assert shop.server.get(page).status_code == 404


def test_a_user_of_devpi_has_a_token_for_as_long_as_they_may_read(shop: Shop) -> None:
    shop.run("repo", "edit", INDEX, "--user-tokens")
    mine = f"{shop.server.url}/+entitlements/me?index={INDEX}"
    assert httpx.get(mine, timeout=SECONDS).status_code == 401
    answer = httpx.get(mine, auth=("acme", "123"), timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    secret = answer.json()["token"]
    page = f"/+t/{secret}/{INDEX}/+simple/lab-foo/"
    assert shop.server.get(page).status_code == 200

    shop.server.user("bob")
    refused = httpx.get(mine, auth=("bob", "123"), timeout=SECONDS)
    assert refused.status_code == 403
    assert shop.vendor.entitlements("user-token", "get", "bob", "--repo", INDEX).status != 0
    same = shop.run("user-token", "get", "acme", "--repo", INDEX, "--show-secret")
    assert same["token"] == secret

    shop.server.login("root")
    headers = shop.server.logins["root"]
    changed = shop.server.request("PATCH", f"/{INDEX}", json=["acl_pkg_read=root"], headers=headers)
    assert changed.status_code == 200, changed.text
    assert shop.server.get(page).status_code == 402
    lost = shop.run("token", "cleanup", "--repo", INDEX)
    assert "acme" in json.dumps(lost)
    # Deleted for good: a new permission is a new token.
    shop.server.request("PATCH", f"/{INDEX}", json=["acl_pkg_read=acme"], headers=headers)
    assert shop.server.get(page).status_code == 410
    again = httpx.get(mine, auth=("acme", "123"), timeout=SECONDS).json()["token"]
    assert again != secret


def test_the_doctor_asks_the_real_server(shop: Shop) -> None:
    ended = shop.vendor.entitlements("doctor", "--json")
    found = {one["check"]: one for one in json.loads(ended.text)["checks"]}
    assert found["devpi-server"]["status"] == "ok", found
    assert found["closed indexes"]["status"] == "ok", found
    assert "401" in found["closed indexes"]["detail"]
