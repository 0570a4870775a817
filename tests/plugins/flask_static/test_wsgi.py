"""The wrapper before any WSGI application, and what such applications may do."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Unpack
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client, EnvironBuilder, TestResponse

from flask_static_entitlements import EntitlementsMiddleware, Options
from tests.plugins.flask_static.conftest import LIBRARY, REPOSITORY, TOOL, counted, issue, wait

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
FILE = f"/packages/{TOOL}"


class Wrapped:
    """A wrapped application and a token."""

    def __init__(self, app: WSGIApp, options: Options) -> None:
        self.middleware = EntitlementsMiddleware(app, **options)
        self.core = self.middleware.core
        self.client = Client(self.middleware)
        wait(lambda: self.get("/+health", "").status_code == 200)
        self.secret = issue(self.core)

    def get(self, path: str, secret: str | None = None, **more: str) -> TestResponse:
        secret = self.secret if secret is None else secret
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return self.client.get(path, headers={**headers, **more}, buffered=True)


@pytest.fixture
def wrap(tree: Path) -> Iterator[Callable[..., Wrapped]]:
    opened: list[Wrapped] = []

    def wrap(app: WSGIApp, **more: Unpack[Options]) -> Wrapped:
        more.update({"repository": REPOSITORY, "directories": [tree], "create_repositories": True})
        opened.append(Wrapped(app, more))
        return opened[-1]

    yield wrap
    for item in opened:
        item.middleware.close()


def plain(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Cache-Control", "public")])
    return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode()]


def test_it_serves_before_an_application(wrap: Callable[..., Wrapped]) -> None:
    wrapped = wrap(validator(plain))
    assert wrapped.get("/simple/acme-tool/").status_code == 200
    assert wrapped.get(FILE).status_code == 200
    assert wrapped.get("/other", "").text == "|/other"
    assert wrapped.get(f"/+t/{wrapped.secret}/other", "").status_code == 404
    assert wrapped.get("/simple/", "").status_code == 401


def test_it_guards_an_application(wrap: Callable[..., Wrapped]) -> None:
    wrapped = wrap(plain, protect=["/simple", "/packages"])
    answer = wrapped.get(FILE)
    assert answer.text == f"|{FILE}"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    token = f"/+t/{wrapped.secret}"
    assert wrapped.get(f"{token}{FILE}", "").text == f"{token}|{FILE}"
    assert wrapped.get("/packages/", "").status_code == 401
    assert wrapped.get("/packages/").status_code == 404


def late(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [])
    yield b"one "
    yield b"two"


def written(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    write = start_response("200 OK", [])
    write(b"one ")
    return [b"two"]


@pytest.mark.parametrize("app", [late, written])
def test_an_application_may_answer_as_it_likes(wrap: Callable[..., Wrapped], app: WSGIApp) -> None:
    wrapped = wrap(app, protect=["/simple", "/packages"])
    assert wrapped.get(FILE).text == "one two"
    assert counted(wrapped.core) == 1


def silent(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    yield from ()
    start_response("404 Not here", [])


class Failing:
    """Fails when its answer is read."""

    closed = False

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        return self

    def __iter__(self) -> Iterator[bytes]:
        raise ZeroDivisionError

    def close(self) -> None:
        self.closed = True


def test_an_application_that_sends_nothing_is_not_counted(wrap: Callable[..., Wrapped]) -> None:
    wrapped = wrap(silent, protect=["/simple", "/packages"])
    assert wrapped.get(FILE).status_code == 404
    assert counted(wrapped.core) == 0


def test_an_application_that_fails_is_closed_and_not_counted(
    wrap: Callable[..., Wrapped],
) -> None:
    app = Failing()
    wrapped = wrap(app, protect=["/simple", "/packages"])
    with pytest.raises(ZeroDivisionError):
        wrapped.get(FILE)
    assert app.closed
    assert counted(wrapped.core) == 0


class Streaming:
    """Fails over to another answer as PEP 3333 has it, and has something to close."""

    closed = 0

    def __init__(self, *, late: bool) -> None:
        self.late = late

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        start_response("200 OK", [])
        self.start_response = start_response
        if not self.late:
            self.sorry()
        return self

    def sorry(self) -> None:
        error = ZeroDivisionError()
        self.start_response("200 Sorry", [], (ZeroDivisionError, error, None))

    def __iter__(self) -> Iterator[bytes]:
        yield b"x"
        if self.late:
            self.sorry()

    def close(self) -> None:
        self.closed += 1


def test_what_an_application_opens_is_closed(wrap: Callable[..., Wrapped]) -> None:
    app = Streaming(late=False)
    wrapped = wrap(app, protect=["/simple", "/packages"])
    assert wrapped.get(FILE).status == "200 Sorry"
    assert app.closed == 1
    poor = issue(wrapped.core, limit_bandwidth=10)
    conditional = {"Range": "bytes=0-1", "If-Range": '"x"'}
    assert wrapped.get(f"/packages/{LIBRARY}", poor, **conditional).status_code == 403
    assert app.closed == 2


def test_an_application_that_fails_too_late_breaks_off(wrap: Callable[..., Wrapped]) -> None:
    wrapped = wrap(Streaming(late=True), protect=["/simple", "/packages"])
    with pytest.raises(ZeroDivisionError):
        wrapped.get(FILE)


def test_the_address_is_read_behind_a_trusted_proxy(wrap: Callable[..., Wrapped]) -> None:
    wrapped = wrap(plain, trusted_proxies=["127.0.0.1"], protect=["/simple"])
    secret = issue(wrapped.core, allow_networks=("203.0.113.9",))
    forwarded = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    file = f"/simple/acme-tool/{TOOL}"
    for path in ("/simple/", file):
        environ = {"environ_base": {"REMOTE_ADDR": "127.0.0.1"}}
        headers = {"Authorization": f"Bearer {secret}", **forwarded}
        assert wrapped.client.get(path, headers=headers, **environ).status_code == 200
        assert wrapped.client.get(path, headers=headers).status_code in {402, 403}


def test_a_front_server_may_ask_for_the_decision_alone(wrap: Callable[..., Wrapped]) -> None:
    wrapped = wrap(plain, protect=["/simple"])
    original = {"X-Original-URI": f"/simple/acme-tool/{TOOL}"}
    assert wrapped.get("/+auth", **original).status_code == 204
    assert wrapped.get("/+auth", "", **original).status_code == 401


@pytest.mark.parametrize("app", [plain, late, written])
def test_a_head_carries_no_body_whatever_the_application_sends(
    wrap: Callable[..., Wrapped], app: WSGIApp
) -> None:
    wrapped = wrap(app, protect=["/simple", "/packages"])
    environ = EnvironBuilder(FILE, method="HEAD").get_environ()
    environ["HTTP_AUTHORIZATION"] = f"Bearer {wrapped.secret}"
    heads: list[str] = []

    def start(status: str, headers: object, error: object = None, /) -> Callable[[bytes], object]:
        heads.append(status)
        return lambda _: None

    body = wrapped.middleware(environ, start)
    assert (heads, b"".join(body)) == (["200 OK"], b"")
    assert counted(wrapped.core) == 0
