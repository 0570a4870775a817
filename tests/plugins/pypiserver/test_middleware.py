"""Customers are answered by the engine, publishers by pypiserver, strangers by nobody."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entitlements_core.policy.credential import Access
from entitlements_core.policy.secret import from_random_bytes
from tests.health import check_health
from tests.plugins.pypiserver.conftest import (
    COVERED,
    HIDDEN,
    LIBRARY,
    TOOL,
    Shop,
    Start,
    upload,
)
from tests.wheelhouse import age, build_wheel

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


def test_a_customer_sees_what_the_token_covers(shop: Shop) -> None:
    listed = shop.get("/simple/", headers=JSON).get_json()
    page = shop.get("/simple/acme-lib/", headers=JSON).get_json()

    assert [project["name"] for project in listed["projects"]] == ["acme-lib", "acme-tool"]
    assert [file["filename"] for file in page["files"]] == ["acme_lib-1.0.tar.gz", LIBRARY]
    assert page["versions"] == ["1.0", "2.0"]
    assert page["files"][1]["core-metadata"]
    assert shop.get("/simple/secret-sauce/").status_code == 404
    assert shop.get(f"/packages/{HIDDEN}").status_code == 404


@pytest.mark.parametrize("form", ["basic", "username", "bearer", "path"])
def test_a_token_travels_in_each_form(shop: Shop, form: str) -> None:
    path, user, headers = "/simple/acme-tool/", None, {}
    if form == "path":
        path = f"/+t/{shop.secret}{path}"
    elif form == "bearer":
        headers = {"Authorization": f"Bearer {shop.secret}"}
    else:
        user = ("token", shop.secret) if form == "basic" else (shop.secret, "")

    answer = shop.open(path, user, headers=headers)

    assert answer.status_code == 200
    assert TOOL in answer.text


def test_a_download_is_counted_and_may_be_partial(shop: Shop) -> None:
    whole = shop.get(f"/packages/{LIBRARY}")
    part = shop.get(f"/packages/{LIBRARY}", headers={"Range": "bytes=10-19"})
    again = shop.get(f"/packages/{LIBRARY}", headers={"If-None-Match": whole.headers["ETag"]})

    assert whole.data == (shop.root / "libs" / LIBRARY).read_bytes()
    assert (part.status_code, part.data) == (206, whole.data[10:20])
    assert again.status_code == 304
    tokens = shop.core.lifecycle.list().items
    assert sum(token.usage.downloads for token in tokens) == 1


def test_a_publisher_sees_pypiserver_as_before(shop: Shop) -> None:
    assert "secret-sauce" in shop.publisher("/simple/").text
    assert HIDDEN in shop.publisher("/simple/secret-sauce/").text
    assert f"{TOOL}.asc" in shop.publisher("/simple/acme-tool/").text
    assert shop.publisher(f"/packages/{HIDDEN}").data == (shop.root / HIDDEN).read_bytes()
    assert HIDDEN in shop.publisher("/packages/").text
    assert json.loads(shop.publisher("/secret-sauce/json").text)["info"] == {"version": "1.0"}
    assert "6 packages" in shop.publisher("/").text or "6" in shop.publisher("/").text


def test_a_publisher_uploads_and_customers_see_it(shop: Shop) -> None:
    answer = shop.publisher("/", method="POST", data=upload())

    assert (answer.status_code, answer.text) == (200, "")
    shop.await_file("acme_tool-2.0-py3-none-any.whl")
    assert "acme_tool-2.0" in shop.get("/simple/acme-tool/").text


def test_a_publisher_is_refused_what_pypiserver_refuses(shop: Shop) -> None:
    data = (shop.root / TOOL).read_bytes()

    twice = shop.publisher("/", method="POST", data=upload(data, TOOL))
    nothing = shop.publisher("/", method="POST", data={":action": "nothing"})

    assert (twice.status_code, nothing.status_code) == (409, 400)
    assert twice.status == f"409 File already exists: {TOOL}"
    assert "--overwrite" in twice.text


def test_a_publisher_removes_what_customers_then_do_not_see(shop: Shop) -> None:
    form = {":action": "remove_pkg", "name": "secret_sauce", "version": "1.0"}

    answer = shop.publisher("/", method="POST", data=form)

    assert answer.status_code == 200
    assert not (shop.root / HIDDEN).exists()


@pytest.mark.parametrize(
    ("user", "status"),
    [
        (None, 401),
        (("alice", "wrong"), 401),
        (("nobody", "wonderland"), 401),
        (("alice", ""), 401),
    ],
)
def test_who_is_neither_gets_nothing(shop: Shop, user: tuple[str, str] | None, status: int) -> None:
    for path in ("/", "/simple/", "/simple/acme-tool/", f"/packages/{TOOL}", "/packages/"):
        answer = shop.open(path, user)
        assert answer.status_code == status, path
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert shop.open("/", user, method="POST", data=upload()).status_code == status


REQUESTS: dict[str, Callable[[], dict[str, Any]]] = {
    "/simple/": dict,
    f"/packages/{TOOL}": dict,
    "/": lambda: {"method": "POST", "data": upload()},
}
ACCOUNTS = [("alice", "wrong"), ("nobody", "wonderland"), ("alice", "not-a-known-token")]
TOKENS = [
    ("token", "not-a-known-token"),
    ("__token__", "wrong-one"),
    ("not-a-known-token", ""),
    ("alice", from_random_bytes(b"a" * 32)),
]


@pytest.mark.parametrize("user", [*ACCOUNTS, *TOKENS])
def test_a_wrong_password_is_told_from_an_unknown_token(
    shop: Shop, start: Start, user: tuple[str, str]
) -> None:
    """In words that are the same for accounts that are there and others."""
    tokens_only = start(password_file=".", authenticate=[])
    for path, more in REQUESTS.items():
        answer = shop.open(path, user, **(more()))
        known = tokens_only.open(path, user, **(more()))
        assert (answer.status_code, known.status_code) == (401, 401)
        assert known.status == "401 Unknown or revoked entitlement token"
        if user in TOKENS:
            assert answer.status == known.status
        else:
            words = "User name or password is wrong, or the token is unknown"
            assert answer.status == f"401 {words}"
            assert answer.json is not None
            assert (answer.json["title"], answer.json["code"]) == (words, "unauthorized")


def test_a_token_is_never_shown_to_the_password_check(start: Start) -> None:
    asked: list[tuple[str, str]] = []

    def auther(user: str, password: str) -> bool:
        asked.append((user, password))
        return password == "right"

    shop = start(password_file=None, auther=auther)
    custom = shop.issue(secret="custom-secret-of-a-customer")

    assert shop.get("/simple/", ("token", shop.secret)).status_code == 200
    assert shop.get("/simple/", ("token", custom)).status_code == 200
    assert shop.get("/simple/", (shop.secret, "")).status_code == 200
    assert asked == []
    assert "secret-sauce" in shop.get("/simple/", ("carol", "right")).text
    assert asked == [("carol", "right")]


@pytest.mark.parametrize(
    ("failure", "status"), [(OSError("the directory is gone"), 503), (RuntimeError("odd"), 500)]
)
def test_a_password_check_that_fails_lets_nobody_in(
    start: Start, failure: Exception, status: int
) -> None:
    def auther(user: str, password: str) -> bool:
        raise failure

    shop = start(password_file=None, auther=auther)

    assert shop.open("/simple/", ("carol", "right")).status_code == status
    assert shop.get("/simple/").status_code == 200


def test_the_health_endpoint_is_open_to_everybody(start: Start) -> None:
    shop = start(health_endpoint="/alive")

    answer = shop.anonymous("/alive")

    assert (answer.status_code, answer.text) == (200, "Ok")
    assert shop.anonymous("/health").status_code == 401
    assert shop.anonymous("/+health").get_json() == {"status": "ok"}


def test_a_base_path_stands_before_everything(start: Start) -> None:
    shop = start(server_base_url="/idx/private/")
    base = "/idx/private"

    assert shop.config.server_base_url == "/"
    assert shop.anonymous(f"{base}/health").text == "Ok"
    assert TOOL in shop.get(f"{base}/simple/acme-tool/").text
    assert shop.get(f"{base}/+t/{shop.secret}/simple/").status_code == 200
    assert shop.get(f"{base}/+t/{shop.secret}/packages/{TOOL}").status_code == 200
    assert f'href="{base}/packages/{HIDDEN}' in shop.publisher(f"{base}/simple/secret-sauce/").text
    assert shop.publisher(f"{base}/", method="POST", data=upload()).status_code == 200
    assert [shop.get(path).status_code for path in ("/simple/", "/", "/idx", "/idx/privat")] == [
        404
    ] * 4
    assert shop.publisher(base).status_code == 200


def test_several_directories_are_one_index(start: Start, packages: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    build_wheel(second, "acme-tool", "3.0")
    build_wheel(second, "acme-tool", "1.0", padding=10)

    shop = start(roots=[packages, second])

    assert "acme_tool-3.0" in shop.get("/simple/acme-tool/").text
    assert shop.get(f"/packages/{TOOL}").data == (packages / TOOL).read_bytes()
    shop.publisher("/", method="POST", data=upload())
    assert (packages / "acme_tool-2.0-py3-none-any.whl").exists()


def test_a_public_index_stays_public_and_tokens_keep_their_view(start: Start) -> None:
    shop = start(entitlements_public=True, disable_fallback=True)
    search = "<methodCall><methodName>search</methodName><params><param><value><string>secret"
    search += "</string></value></param></params></methodCall>"

    assert "secret-sauce" in shop.anonymous("/simple/").text
    assert shop.anonymous(f"/packages/{HIDDEN}").status_code == 200
    assert shop.anonymous("/simple/none/").status_code == 404
    assert "secret" in shop.anonymous("/RPC2", method="POST", data=search).text
    assert "secret-sauce" not in shop.get("/simple/").text
    assert shop.open("/simple/", ("token", "not-a-known-token")).status_code == 401
    assert shop.anonymous("/", method="POST", data=upload()).status_code == 401
    assert shop.anonymous("/simple/", method="DELETE").status_code == 405
    writer = shop.issue(COVERED, access=Access.WRITE)
    assert shop.post(writer, upload()).status_code == 200


@pytest.mark.parametrize(
    "sent", [{"data": b"x" * 70_000}, {"headers": {"Transfer-Encoding": "chunked"}}]
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/RPC2"), ("GET", "/simple/")])
def test_a_stranger_sends_little_to_a_public_index(
    start: Start, method: str, path: str, sent: dict[str, Any]
) -> None:
    shop = start(entitlements_public=True)
    assert shop.anonymous(path, method=method, **sent).status_code == 413
    assert shop.anonymous("/simple/").status_code == 200


def test_a_public_index_still_asks_for_the_passwords_it_asked_for(start: Start) -> None:
    shop = start(entitlements_public=True, authenticate=["update", "download"])

    assert shop.anonymous("/simple/").status_code == 200
    assert shop.anonymous(f"/packages/{TOOL}").status_code == 401
    assert shop.publisher(f"/packages/{TOOL}").status_code == 200
    assert shop.get(f"/packages/{TOOL}").status_code == 200


def test_what_goes_wrong_is_no_answer_from_pypiserver(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(shop.core.gate, "repositories", fail)

    assert shop.publisher("/simple/").status_code == 500


def test_a_refused_body_is_read_so_that_the_refusal_arrives(shop: Shop) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError(size)

    for length, left in (("1000", b""), ("", b"x" * 1000), ("much", b"x" * 1000), ("9000", b"")):
        for user in (("token", shop.secret), None):
            body = io.BytesIO(b"x" * 1000)
            environ = {"CONTENT_LENGTH": length, "wsgi.input": body}
            answer = shop.open("/", user, method="POST", environ_overrides=environ)
            assert answer.status_code in {401, 403, 405}
            assert body.read() == left
    broken = {"CONTENT_LENGTH": "5", "wsgi.input": Broken()}
    assert shop.open("/", None, method="POST", environ_overrides=broken).status_code >= 401


@pytest.mark.parametrize("public", [False, True])
def test_health_needs_no_credentials_and_no_store(start: Start, home: Path, public: bool) -> None:  # noqa: FBT001 - a case
    shop = start(entitlements_public=public)

    def ask(path: str) -> tuple[int, dict[str, Any]]:
        answer = shop.anonymous(path)
        return answer.status_code, answer.get_json()

    check_health(home, ask)
    assert shop.anonymous("/+health/live", method="HEAD").data == b""


IMPOSSIBLE = {
    "a NUL in the name": b"al\0ice:wonderland",
    "a NUL in the password": b"alice:wonder\0land",
    "a line in the name": b"al\nice:wonderland",
    "a tab in the name": b"al\tice:wonderland",
    "a long name": b"a" * 256 + b":wonderland",
    "a long password": b"alice:" + b"w" * 4097,
    "no UTF-8 in the name": b"al\xffice:wonderland",
    "no UTF-8 in the password": b"alice:\xff\xfe",
}


@pytest.mark.parametrize("given", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_no_account_can_have_is_a_wrong_password(
    shop: Shop, given: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    sent = {"Authorization": f"Basic {base64.b64encode(given).decode()}"}
    answer = shop.anonymous("/simple/", headers=sent)
    assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthorized")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_damaged_password_file_lets_nobody_in(start: Start, tmp_path: Path) -> None:
    shop = start()
    passwords = tmp_path / "htpasswd"
    whole = passwords.read_text()
    passwords.write_text("no colon in it\n")
    age(passwords, -60)  # another time of change than before, which is what passlib looks at
    for _ in range(3):
        answer = shop.publisher("/simple/")
        assert answer.status_code == 503
        assert "Passwords cannot be checked now" in answer.text
    passwords.write_text(whole)
    age(passwords, -120)
    assert shop.publisher("/simple/").status_code == 200
    passwords.write_text("".join(whole.splitlines(keepends=True)[1:]))
    age(passwords, -180)
    assert shop.publisher("/simple/").status_code == 401
