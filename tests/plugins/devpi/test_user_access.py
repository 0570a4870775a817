"""Users of devpi and nobody at all: as before, but that a closed index is closed everywhere."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final

import pytest
from devpi_server.config import hookimpl
from devpi_server.model import User

from devpi_entitlements.access import closed_indexes, user_reads
from tests.plugins.devpi.apps import JSON_PAGE, PASSWORD, DevpiApp, basic, bearer, wheel_name
from tests.plugins.devpi.conftest import MakeDevpiApp

pytestmark = pytest.mark.notransaction

Answer = Any
"""WebTest has no types, nor has devpi."""
Given = Any

LIST: Final = "/acme/{}/+simple/"
PAGE: Final = "/acme/{}/+simple/acme-core/"
JSON: Final = {"Accept": "application/json"}


def stocked(app: DevpiApp) -> DevpiApp:
    """An open and a closed index with the same project."""
    app.index("acme/open", bases=[])
    app.closed_index("acme/priv", bases=[])
    for index in ("acme/open", "acme/priv"):
        app.upload(index, "acme-core", "1.0")
    app.user("mallory")
    return app


def paths(app: DevpiApp, index: str) -> list[str]:
    """Addresses of an index that show something."""
    file = app.path_of(f"acme/{index}", "acme-core", wheel_name("acme-core", "1.0"))
    return [LIST.format(index), PAGE.format(index), file, f"{file}.metadata"]


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The users whose password was checked, each time it was."""
    asked: list[str] = []
    validate = User.validate

    def noted(user: Given, password: str) -> Given:
        asked.append(user.name)
        return validate(user, password)

    monkeypatch.setattr(User, "validate", noted)
    return asked


def is_private(answer: Answer) -> bool:
    """Whether no shared cache may give an answer to somebody else."""
    control = answer.headers["Cache-Control"]
    return "private" in control and "Authorization" in answer.headers["Vary"]


def test_an_open_index_is_as_it_was(devpi: DevpiApp, checked: list[str]) -> None:
    app = stocked(devpi)
    checked.clear()
    file = paths(app, "open")[2]
    for headers in (
        {},
        basic("acme", PASSWORD),
        basic("acme", "wrong"),
        basic("nobody", "wrong"),
        {"X-Devpi-Auth": "nonsense"},
        bearer("something"),
    ):
        for path in paths(app, "open"):
            answer = app.get(path, **headers)
            assert answer.status_code == 200, (path, headers)
            assert "Authorization" not in answer.headers.get("Vary", "")
            assert "private" not in answer.headers.get("Cache-Control", "")
        for path in ("/acme/open", "/acme/open/acme-core", "/acme/open/acme-core/1.0", "/"):
            assert app.get(path, **JSON, **headers).status_code == 200
        for path in ("/+api", "/acme/+api", "/acme/priv/+api"):
            assert app.get(path, **{**headers, **JSON}).status_code == 200
    assert app.get(file).headers["Cache-Control"].endswith("public")
    # devpi itself asks who it is at a file and at /+api, and nowhere else.
    assert set(checked) <= {"acme"}
    checked.clear()
    for path in paths(app, "open")[:2]:
        app.get(path, **basic("acme", PASSWORD))
    assert checked == []


def test_a_token_costs_no_password_check(devpi: DevpiApp, checked: list[str]) -> None:
    app = stocked(devpi)
    secret = app.token("acme/priv")
    custom = app.token("acme/priv", name="custom", secret="a.custom.secret")
    checked.clear()
    for path in paths(app, "priv"):
        for user in ("token", "__token__", "acme", "root", "nobody"):
            for given in (secret, custom):
                assert app.get(path, **basic(user, given)).status_code == 200
        assert app.get(path, **basic(secret, "")).status_code == 200
        for headers in (
            basic("token", "wrong"),
            basic("__token__", PASSWORD),
            basic("acme", "ent_" + "x" * 38),
            basic("wrong-secret", ""),
            basic("${TOKEN}", ""),
        ):
            answer = app.get(path, **headers)
            assert (answer.status_code, answer.json["code"]) == (401, "unknown_token")
    assert checked == []
    # What may be a user's password is one.
    assert app.get(PAGE.format("priv"), **basic("acme", PASSWORD)).status_code == 200
    assert app.get(PAGE.format("priv"), **basic("acme", "wrong")).status_code == 401
    assert checked == ["acme", "acme"]


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "Login or entitlement token required"),
        (basic("acme", "wrong"), "User name or password is wrong, or the token is unknown"),
        (basic("nobody", "wrong"), "User name or password is wrong, or the token is unknown"),
        (basic("token", "wrong"), "Unknown or revoked entitlement token"),
    ],
    ids=["nothing", "account", "no-account", "token"],
)
def test_what_was_sent_is_named_for_what_it_is(
    devpi: DevpiApp, headers: dict[str, str], words: str
) -> None:
    app = stocked(devpi)
    for path in paths(app, "priv"):
        assert app.get(path, **headers).status == f"401 {words}"


def test_who_reads_a_closed_index(devpi: DevpiApp) -> None:
    app = stocked(devpi)
    for login, status in ((None, 401), ("mallory", 403), ("acme", 200), ("root", 200)):
        if login:
            app.login(login)
        for path in paths(app, "priv"):
            answer = app.get(path)
            assert answer.status_code == status, (login, path)
            assert is_private(answer)
            assert (answer.headers.get("WWW-Authenticate") == 'Basic realm="pypi"') is (
                status == 401
            )
            if status >= 400:
                assert answer.content_type == "application/problem+json"
        missing = app.get("/acme/priv/+simple/never-was/")
        assert missing.status_code == (404 if status == 200 else status)
        assert is_private(missing)
        for path in ("/acme/gone", "/acme/gone/+simple/", "/nobody/none/+simple/"):
            assert app.get(path).status_code == 404
        app.logout()
    assert app.get(PAGE.format("priv"), **basic("acme", PASSWORD)).status_code == 200
    assert app.get(PAGE.format("priv"), **basic("mallory", PASSWORD)).status_code == 403

    with app.xom.keyfs.read_transaction():
        model = app.xom.model
        stage = model.getstage("acme/priv")
        assert closed_indexes(model) == ["acme/priv"]
        assert user_reads(stage, "acme")
        assert user_reads(stage, "root")
        assert not user_reads(stage, "mallory")
        assert user_reads(stage, "acme", permission="index_modify")
        assert not user_reads(stage, "mallory", permission="upload")

    # Opened again by its owner, with the means of devpi.
    app.configure("acme/priv", acl_pkg_read=[":ANONYMOUS:"])
    for path in paths(app, "priv"):
        assert app.get(path).status_code == 200
    app.configure("acme/priv", acl_pkg_read=["mallory"])
    app.login("mallory")
    assert app.projects("acme/priv") == ["acme-core"]
    app.login("acme")
    assert app.get(PAGE.format("priv")).status_code == 403, "the owner has locked themselves out"
    assert app.get("/acme/priv", **JSON).status_code == 200, "and can open it again"
    app.logout()
    app.configure("acme/priv", acl_pkg_read=[":AUTHENTICATED:"])
    assert app.get(PAGE.format("priv")).status_code == 401
    app.login("mallory")
    assert app.get(PAGE.format("priv")).status_code == 200


def test_who_administers_an_index_reaches_its_configuration(devpi: DevpiApp) -> None:
    app = stocked(devpi)
    app.configure("acme/priv", acl_pkg_read=["nobody"], acl_upload=["mallory"])
    assert app.get("/acme/priv", **JSON).status_code == 401
    for login in ("mallory", "acme"):
        app.login(login)
        assert app.get("/acme/priv", **JSON).json["result"]["acl_pkg_read"] == ["nobody"]
        assert app.get("/acme/priv/", **JSON).status_code == 200
        for path in (*paths(app, "priv"), "/acme/priv/acme-core"):
            assert app.get(path, **JSON).status_code == 403
    app.login("mallory")
    form = {":action": "submit", "name": "acme-new", "version": "1.0"}
    assert app.testapp.post("/acme/priv/", form).status_code == 200
    assert app.testapp.patch_json("/acme/priv", ["title=x"], expect_errors=True).status_code == 403
    app.login("acme")
    assert app.testapp.patch_json("/acme/priv", ["title=x"]).status_code == 200
    app.user("eve")
    app.login("eve")
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        assert app.request(method, "/acme/priv").status_code == 403
        assert app.request(method, "/acme/priv/acme-core/1.0").status_code in {403, 404}
    app.logout()
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        assert app.request(method, "/acme/priv").status_code == 401


def test_groups(make_devpi_app: MakeDevpiApp) -> None:
    @hookimpl
    def devpiserver_auth_request(
        request: Given, userdict: Given, username: str, password: str
    ) -> Given:
        return {"status": "ok", "groups": username.split("-")[1:]} if "-" in username else None

    directory = SimpleNamespace(devpiserver_auth_request=devpiserver_auth_request)
    app = stocked(make_devpi_app(plugins=[directory]))
    app.configure("acme/priv", acl_pkg_read=[":staff"])
    for user, status in (("ann-staff", 200), ("bob-guests", 403), ("eve-entitlements", 403)):
        for path in (LIST, PAGE):
            assert app.get(path.format("priv"), **basic(user, "x")).status_code == status, user
    secret = app.token("acme/priv")
    assert app.get(PAGE.format("priv"), secret).status_code == 200


def test_inherited_pages_are_not_for_shared_caches(devpi: DevpiApp) -> None:
    app = stocked(devpi)
    app.index("mallory/dev", bases=["acme/priv", "acme/open"])
    for login, wanted in ((None, "/acme/open/+f/"), ("acme", "/acme/priv/+f/")):
        if login:
            app.login(login)
        answer = app.get("/mallory/dev/+simple/acme-core/", **JSON_PAGE)
        assert [wanted in file["url"].replace("../..", "") for file in answer.json["files"]]
        assert is_private(answer)


def test_lockdown(make_devpi_app: MakeDevpiApp) -> None:
    app = stocked(make_devpi_app("--entitlements-lockdown", "--enable-core-metadata"))
    server = ["/", "/acme", "/+status"]
    for path in (*server, *paths(app, "open"), *paths(app, "priv")):
        answer = app.get(path, **JSON)
        assert answer.status_code == 401, path
        assert is_private(answer)
        wrong = app.get(path, **JSON, **basic("acme", "wrong"))
        assert wrong.status_code == 401
    assert app.request("PUT", "/newuser").status_code == 401
    for path in ("/+api", "/acme/+api", "/acme/open/+api"):
        assert app.get(path).status_code == 200
    app.login("mallory")
    for path in (*server, *paths(app, "open")):
        assert app.get(path).status_code == 200, path
    for path in paths(app, "priv"):
        assert app.get(path).status_code == 403
    app.logout()
    for index in ("open", "priv"):
        secret = app.token(f"acme/{index}", name=index)
        assert app.files(f"acme/{index}", "acme-core", secret) == [wheel_name("acme-core", "1.0")]
        for path in server:
            assert app.get(path, secret).status_code == 404


def test_a_user_without_a_password(devpi: DevpiApp) -> None:
    app = stocked(devpi)
    for path in (*paths(app, "priv"), "/acme/priv", "/acme/open", "/"):
        assert app.get(path, **JSON, **basic("root", "")).status_code == 200, path
    assert app.get(LIST.format("priv"), **basic("mallory", "")).status_code == 401


def test_an_index_from_before_the_option_is_open_to_all(devpi: DevpiApp) -> None:
    app = stocked(devpi)
    secret = app.token("acme/priv")
    with app.xom.keyfs.write_transaction(), app.xom.model.get_user("acme").key.update() as user:
        del user["indexes"]["open"]["acl_pkg_read"]
    for path in paths(app, "open"):
        for headers in ({}, basic("token", secret), bearer(secret)):
            assert app.get(path, **headers).status_code == 200, (path, headers)


def test_who_may_only_attach_test_results_does(devpi: DevpiApp) -> None:
    for name in ("tester", "mallory"):
        devpi.user(name)
    devpi.closed_index("acme/prod", bases=[])
    path = devpi.upload("acme/prod", "acme-core", "1.0")

    def attach(login: str | None) -> int:
        if login:
            devpi.login(login)
        answer = devpi.testapp.post(path, "{}", expect_errors=True)
        reading = [devpi.get(path).status_code, devpi.get("/acme/prod").status_code]
        devpi.logout()
        assert login == "acme" or set(reading) <= {401, 403}
        return int(answer.status_code)

    # devpi's default names everybody; that opens nothing that is closed.
    assert [attach(who) for who in (None, "mallory", "tester", "acme")] == [401, 403, 403, 200]
    devpi.configure("acme/prod", acl_toxresult_upload=["tester"])
    assert [attach(who) for who in (None, "mallory", "tester")] == [401, 403, 200]
    devpi.configure("acme/prod", acl_toxresult_upload=[":AUTHENTICATED:"])
    assert [attach(who) for who in (None, "mallory", "tester")] == [401, 200, 200]


def test_a_server_in_front_can_lock_down(devpi: DevpiApp) -> None:
    devpi.index("acme/open", bases=[])
    path = devpi.upload("acme/open", "acme-core", "1.0")
    secret = devpi.token("acme/open")
    locked = {"X-Entitlements-Lockdown": "1"}
    for where in ("/acme/open/+simple/", "/acme/open/+simple/acme-core/", path, "/acme/open", "/"):
        assert devpi.get(where).status_code == 200, where
        assert devpi.get(where, **locked).status_code == 401, where
        devpi.login("acme")
        assert devpi.get(where, **locked).status_code == 200, where
        devpi.logout()
    for where in ("/acme/open/+simple/", path):
        assert devpi.get(where, secret, **locked).status_code == 200, where
    assert devpi.get("/+api", **locked).status_code == 200
