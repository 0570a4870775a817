"""The real devpi-client with the address of a token."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.functional import devpis
from tests.functional.devpi_vendor import INDEX, DevpiVendor, ended
from tests.functional.devpi_verbs import Devpi
from tests.functional.vendors import Ended
from tests.wheelhouse import build_wheel

pytestmark = pytest.mark.functional

WORDS = "An entitlement token is for pip, uv or twine; devpi needs a login"


@dataclass(frozen=True)
class Shop:
    """A vendor with a closed index, and a server."""

    vendor: DevpiVendor
    server: Devpi
    client: Path

    def devpi(self, *arguments: str) -> Ended:
        """Run devpi-client, with a configuration of its own."""
        own = [str(Path(sys.executable).with_name("devpi")), *arguments]
        return ended(own, DEVPI_CLIENTDIR=str(self.client), HOME=str(self.client))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    vendor = DevpiVendor(tmp_path)
    with vendor.serving(without=devpis.OTHERS) as server, closing(vendor.core):
        server.index(INDEX, bases=[], acl_pkg_read=["acme"])
        server.upload(INDEX, build_wheel(tmp_path / "wheels", "lab-foo", "1.0"))
        yield Shop(vendor, server, tmp_path / "client")


def test_use_with_a_token_says_what_to_do(shop: Shop) -> None:
    secret = shop.vendor.secret("customer")
    refused = shop.devpi("use", f"{shop.server.url}/+t/{secret}/{INDEX}")
    assert WORDS in refused.text, refused.text

    host = shop.server.url.replace("://", f"://token:{secret}@")
    assert shop.devpi("use", f"{host}/{INDEX}").status == 0
    listed = shop.devpi("list")
    assert WORDS in listed.text, listed.text
    assert secret not in shop.server.log
