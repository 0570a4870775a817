"""What a token sees on devpi's pages."""

from __future__ import annotations

import pytest

from tests.plugins.devpi.apps import DevpiApp, basic, bearer, wheel_name

pytestmark = pytest.mark.notransaction


@pytest.fixture
def acme(devpi: DevpiApp) -> DevpiApp:
    """A closed index with two projects, and one that inherits from it."""
    devpi.closed_index("acme/priv", bases=[])
    for version in ("1.0", "1.1", "2.0"):
        devpi.upload("acme/priv", "acme-core", version)
    devpi.upload("acme/priv", "other-lib", "1.0")
    devpi.closed_index("acme/cust", bases=["acme/priv"])
    return devpi


def test_a_token_sees_what_it_covers(acme: DevpiApp) -> None:
    secret = acme.token("acme/priv", query="name:^acme-core$ version:<2")
    assert acme.projects("acme/priv", secret) == ["acme-core"]
    wanted = [wheel_name("acme-core", version) for version in ("1.0", "1.1")]
    assert acme.files("acme/priv", "acme-core", secret) == wanted
    assert acme.files("acme/priv", "acme-core", None, **basic("token", secret)) == wanted
    assert acme.files("acme/priv", "acme-core", None, **basic("who", secret)) == wanted
    assert acme.files("acme/priv", "acme-core", None, **bearer(secret)) == wanted
    assert acme.files("acme/priv", "other-lib", secret) == []
    assert acme.get("/acme/priv/+simple/", None).status_code == 401
