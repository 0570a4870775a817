"""``/+entitlements/me``: a token of one's own, which lives as long as one may read."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from entitlements_core.errors import (
    ConfigurationError,
    EntitlementsError,
    KeyFileError,
    PluginError,
    StoreError,
)
from entitlements_core.services.user_tokens import UserTokens
from entitlements_core.store.failures import DatabaseLocked
from tests.actors import person
from tests.plugins.devpi.apps import PASSWORD, DevpiApp, basic, wheel_name

pytestmark = pytest.mark.notransaction

Answer = Any
ME: Final = "/+entitlements/me"


@pytest.fixture
def acme(devpi: DevpiApp) -> DevpiApp:
    """Two closed indexes that ann may read and eve may not; the first has user tokens."""
    devpi.user("ann")
    devpi.user("eve")
    for index in ("acme/priv", "acme/base"):
        devpi.closed_index(index, bases=[])
        devpi.configure(index, acl_pkg_read=["acme", "ann"])
    devpi.upload("acme/priv", "acme-core", "1.0")
    devpi.core.repositories.edit("acme/priv", user_tokens_enabled=True, actor=person("test"))
    return devpi


def me(app: DevpiApp, user: str, index: str = "acme/priv") -> Answer:
    return app.get(f"{ME}?index={index}", **basic(user, PASSWORD))


def code(app: DevpiApp, secret: str) -> str:
    """Why a token opens nothing; empty when it shows the page."""
    answer = app.get("/acme/priv/+simple/acme-core/", secret)
    return str(answer.json["code"]) if answer.status_code >= 400 else ""


def test_who_gets_a_token(acme: DevpiApp) -> None:
    answer = me(acme, "ann")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    shown = answer.json
    assert set(shown) == {"repository", "identifier", "token", "index_url"}
    assert shown["repository"] == "acme/priv"
    address = urlsplit(shown["index_url"]).path
    assert address == "/acme/priv/+simple/"
    page = acme.get(f"{address}acme-core/", **basic("token", shown["token"]))
    assert wheel_name("acme-core", "1.0") in page.text
    assert me(acme, "ann").json == shown, "the same one again"
    assert me(acme, "acme").json["token"] != shown["token"]

    for user, index, status, reason in (
        ("eve", "acme/priv", 403, "refused"),
        ("ann", "acme/base", 403, "refused"),
        ("ann", "acme/gone", 403, "not_found"),
        ("ann", "", 403, "not_found"),
        ("ann", "no%20name", 403, "not_found"),
    ):
        answer = me(acme, user, index)
        assert (answer.status_code, answer.json["code"]) == (status, reason), (user, index)
        assert answer.headers["Cache-Control"] == "no-store"
    for headers in ({}, basic("ann", "wrong"), basic("nobody", PASSWORD)):
        answer = acme.get(f"{ME}?index=acme/priv", **headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="pypi"'
    # A token is no user, and gets no further token.
    for secret in (shown["token"], acme.token("acme/priv")):
        assert acme.get(f"{ME}?index=acme/priv", secret).status_code == 404
        assert acme.get(f"{ME}?index=acme/priv", **basic("ann", secret)).status_code == 404
    for method in ("POST", "PUT", "DELETE"):
        answer = acme.request(method, f"{ME}?index=acme/priv", **basic("ann", PASSWORD))
        assert answer.status_code in {404, 405}


@pytest.mark.parametrize(
    "failure",
    [
        DatabaseLocked("The database sqlite:////srv/store.db is locked.", "Restore it."),
        StoreError("The database postgresql://ann@db/store failed.", "Look at it."),
        KeyFileError("The key /srv/key is missing.", "Bring it back."),
        ConfigurationError("/srv/settings are wrong.", "Mend them."),
        PluginError("A plugin of /srv failed.", "Mend it."),
    ],
    ids=lambda failure: failure.code,
)
def test_a_user_is_not_told_what_is_wrong_with_the_server(
    acme: DevpiApp,
    failure: EntitlementsError,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(UserTokens, "get", fail)
    answer = me(acme, "ann")

    assert (answer.status_code, answer.json["code"]) == (503, "validation_unavailable")
    assert "srv" not in f"{answer.status} {answer.headers} {answer.text}"
    assert failure.remedy in caplog.text


def test_it_dies_with_the_permission(acme: DevpiApp) -> None:
    core = acme.core
    secret = me(acme, "ann").json["token"]
    assert code(acme, secret) == ""
    acme.configure("acme/priv", acl_pkg_read=["acme"])
    assert code(acme, secret) == "user_without_access"
    file = acme.path_of("acme/priv", "acme-core", wheel_name("acme-core", "1.0"))
    answer = acme.get(file, secret)
    assert (answer.status_code, answer.json["code"]) == (403, "user_without_access")
    assert me(acme, "ann").status_code == 403
    acme.configure("acme/priv", acl_pkg_read=["acme", "ann"])
    assert code(acme, secret) == ""

    acme.configure("acme/priv", acl_pkg_read=[":ANONYMOUS:"])
    assert code(acme, secret) == ""
    acme.login("root")
    acme.mapp.delete_user("ann")
    acme.logout()
    assert code(acme, secret) == "unknown_token"

    own = me(acme, "acme").json["token"]
    assert code(acme, own) == ""
    # The command line knows no server; here the plugin of the server is asked.
    site = acme.testapp.app.app.registry["entitlements"]
    [lost] = site.core.user_tokens.cleanup(actor=person("test"), dry_run=False)
    assert lost.user == "ann"
    assert code(acme, secret) == "unknown_token"
    assert code(acme, own) == ""
    assert core.lifecycle.read(lost.identifier).state == "deleted"

    acme.login("acme")
    acme.mapp.delete_index("acme/priv")
    acme.logout()
    assert code(acme, own) == "unknown_token"
    assert me(acme, "acme").json["code"] == "refused"


def test_a_limited_login_gets_none(full_devpi: DevpiApp) -> None:
    app = full_devpi
    for index in ("acme/priv", "acme/other"):
        app.closed_index(index, bases=[])
    app.core.repositories.edit("acme/priv", user_tokens_enabled=True, actor=person("test"))
    app.login("acme")
    limits = {"indexes": ["acme/other"], "allowed": ["upload"]}
    limited = app.testapp.post_json("/acme/+token-create", limits).json["result"]["token"]
    app.logout()
    # devpi-tokens itself keeps its tokens from making others.
    for user in ("acme", ""):
        answer = app.get(f"{ME}?index=acme/priv", **basic(user, limited))
        assert (answer.status_code, answer.json["code"]) == (403, "refused")
    assert me(app, "acme").status_code == 200
