"""What devpi-client is told that was given the address of a token."""

from __future__ import annotations

from typing import Final

import pytest

from tests.plugins.devpi.apps import DevpiApp, basic

pytestmark = pytest.mark.notransaction

CLIENT: Final = {"User_Agent": "devpi-client/7.3.0", "Accept": "application/json"}


def test_it_is_told_that_tokens_are_for_installers(devpi: DevpiApp) -> None:
    devpi.closed_index("acme/prod", bases=[])
    devpi.upload("acme/prod", "acme-core", "1.0")
    secret = devpi.token("acme/prod", query="name:^acme-core$")
    told = []
    for where in (
        "/acme/prod",
        "/acme/prod/acme-core",
        "/acme/none",
        "/acme/prod/never",
        "/x/y/z/a",
    ):
        names = ("/+api", "") if where.count("/") == 2 else ("",)
        told += [devpi.get(where + name, secret, **CLIENT) for name in names]
        told.append(devpi.get(where, **CLIENT, **basic("token", secret)))
    assert {answer.status_code for answer in told} == {403}
    assert {answer.json["code"] for answer in told} == {"not_for_devpi_client"}
    assert all("pip" in answer.status and secret not in answer.text for answer in told)
    # What an installer would be shown stays as it is, and a devpi user's netrc does no harm.
    assert devpi.get("/acme/prod/+simple/acme-core/", secret, **CLIENT).status_code == 200
    assert devpi.get("/+api", **CLIENT, **basic("token", secret)).status_code == 200
