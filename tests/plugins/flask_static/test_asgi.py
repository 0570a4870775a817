"""The wrapper before any ASGI application: Starlette through httpx, and the bare protocol."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any, Unpack

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from flask_static_entitlements import EntitlementsASGI, Options
from tests.plugins.flask_static.conftest import LIBRARY, REPOSITORY, TOOL, counted, issue, wait

Message = MutableMapping[str, Any]
ASGIApp = Callable[..., Awaitable[None]]

FILE = f"/simple/acme-tool/{TOOL}"
BIG = f"/simple/acme-lib/{LIBRARY}"


class Wrapped:
    """A wrapped application and a token."""

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self.app = EntitlementsASGI(app, **options)
        self.core = self.app.core
        wait(lambda: self.get("/+health", "").status_code == 200)
        self.secret = issue(self.core)

    def get(
        self, path: str, secret: str | None = None, method: str = "GET", **headers: str
    ) -> httpx.Response:
        secret = self.secret if secret is None else secret
        if secret:
            headers["Authorization"] = f"Bearer {secret}"

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(ask())

    def speak(self, path: str, scope: Message | None = None) -> list[Message]:
        """The messages of one answer to a request with the token."""
        heard: list[Message] = []
        whole = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [
                (b"authorization", f"Bearer {self.secret}".encode()),
                (b"accept", b"text/html"),
                (b"accept", b"*/*"),
            ],
            **(scope or {}),
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            heard.append(message)

        asyncio.run(self.app(whole, receive, send))
        return heard


Wrap = Callable[..., Wrapped]


@pytest.fixture
def wrap(tree: Path) -> Iterator[Wrap]:
    opened: list[Wrapped] = []

    def wrap(app: ASGIApp | None = None, **more: Unpack[Options]) -> Wrapped:
        more.update({"repository": REPOSITORY, "directories": [tree], "create_repositories": True})
        opened.append(Wrapped(app or starlette(tree), more))
        return opened[-1]

    yield wrap
    for item in opened:
        item.app.close()


def starlette(tree: Path) -> Starlette:
    async def where(request: Request) -> Response:
        return PlainTextResponse(f"{request.scope.get('root_path')}|{request.url_for('where')}")

    async def view(request: Request) -> Response:
        credential = request.scope["entitlements.credential"]
        return FileResponse(
            tree / "acme-tool" / TOOL,
            headers={"X-Customer": credential.name, "X-Where": str(request.url_for("where"))},
        )

    return Starlette(
        routes=[
            Route("/about", where, name="where"),
            Route("/views/{name}", view),
            Mount("/simple", StaticFiles(directory=tree, html=True)),
        ]
    )


def test_it_serves(wrap: Wrap) -> None:
    wrapped = wrap()
    page = wrapped.get("/simple/")
    assert "acme-tool" in page.text
    assert "secret-sauce" not in page.text
    assert wrapped.get(f"/packages/{TOOL}").status_code == 200
    assert wrapped.get("/simple/", "").status_code == 401
    assert wrapped.get("/about", "").text == "|http://host/about"
    assert counted(wrapped.core) == 1


def test_a_token_in_the_path_opens_the_index_alone(wrap: Wrap) -> None:
    wrapped = wrap()
    token = f"/+t/{wrapped.secret}"
    assert wrapped.get(f"{token}/simple/acme-tool/", "").status_code == 200
    assert wrapped.get(f"{token}/about", "").status_code == 404
    assert wrapped.get("/+t/wrong-secret/simple/", "").status_code == 410


def test_files_are_streamed_and_sent_in_part(wrap: Wrap, tree: Path) -> None:
    wrapped = wrap()
    data = (tree / "acme-lib" / LIBRARY).read_bytes()
    assert wrapped.get(f"/packages/{LIBRARY}").content == data
    part = wrapped.get(f"/packages/{LIBRARY}", Range="bytes=5-")
    assert (part.status_code, part.content) == (206, data[5:])
    head = wrapped.get(f"/packages/{LIBRARY}", method="HEAD")
    assert (head.status_code, head.content) == (200, b"")


def test_a_server_that_can_send_a_path_does(wrap: Wrap, tree: Path) -> None:
    wrapped = wrap()
    offer: Message = {"extensions": {"http.response.pathsend": {}}}
    start, body = wrapped.speak(f"/packages/{LIBRARY}", offer)
    assert start["status"] == 200
    assert body == {
        "type": "http.response.pathsend",
        "path": str(tree / "acme-lib" / LIBRARY),
    }
    assert wrapped.speak(f"/packages/{TOOL}", offer)[1]["type"] == "http.response.body"


def test_offloading_to_a_front_server_is_kept(wrap: Wrap) -> None:
    answer = wrap(accel_redirect=["/_internal"]).get(f"/packages/{TOOL}")
    assert answer.headers["X-Accel-Redirect"] == f"/_internal/acme-tool/{TOOL}"


def test_reasons_are_told_in_addresses_where_there_are_no_phrases(wrap: Wrap) -> None:
    wrapped = wrap()
    secret = issue(wrapped.core, limit_num_downloads=0)
    sent = wrapped.get(f"/packages/{TOOL}", secret, **{"User-Agent": "pip/26.3"})
    assert (sent.status_code, sent.headers["Location"]) == (
        307,
        f"~Download-limit-0-0-reached/{TOOL}",
    )


def test_the_mount_point_of_a_server_is_left_out(wrap: Wrap) -> None:
    wrapped = wrap()
    for path in ("/mount/simple/", "/simple/"):
        assert wrapped.speak(path, {"root_path": "/mount"})[0]["status"] == 200


def test_it_guards(wrap: Wrap, tree: Path) -> None:
    wrapped = wrap(protect=["/simple"])
    answer = wrapped.get(FILE)
    assert answer.content == (tree / "acme-tool" / TOOL).read_bytes()
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert counted(wrapped.core) == 1
    assert wrapped.get(f"/+t/{wrapped.secret}{FILE}", "").content == answer.content
    assert wrapped.get("/simple/index.html").status_code in {307, 404}
    assert wrapped.get("/simple/", "").status_code == 401
    assert wrapped.get(f"{FILE}.metadata").text.startswith("Metadata-Version")
    assert wrapped.get("/about", "").status_code == 200


def test_a_guarded_view_knows_who_asks_and_where_it_is(wrap: Wrap) -> None:
    wrapped = wrap(protect=["/simple", "/views"], file_url="/views/{filename}")
    token = f"/+t/{wrapped.secret}"
    answer = wrapped.get(f"{token}/views/{TOOL}", "")
    assert answer.headers["X-Customer"] == "Customer"
    assert answer.headers["X-Where"] == f"http://host{token}/about"


def test_a_guarded_range_counts_as_what_it_is(wrap: Wrap) -> None:
    wrapped = wrap(protect=["/simple"])
    assert wrapped.get(BIG, Range="bytes=5-9").status_code == 206
    assert wrapped.get(BIG, method="HEAD").status_code == 200
    assert counted(wrapped.core) == 0


def test_a_limit_refuses_before_and_after_the_view(wrap: Wrap) -> None:
    wrapped = wrap(protect=["/simple"])
    poor = issue(wrapped.core, limit_bandwidth=100)
    conditions = {"Range": "bytes=0-9", "If-Range": '"other"'}
    for headers in ({}, conditions):
        answer = wrapped.get(BIG, poor, **headers)
        assert answer.status_code == 403
        assert answer.json()["code"] == "bandwidth_limit"


async def failing(scope: Message, receive: object, send: object) -> None:
    raise ZeroDivisionError


def test_a_view_that_fails_gives_back(wrap: Wrap) -> None:
    wrapped = wrap(failing, protect=["/simple"])
    with pytest.raises(ZeroDivisionError):
        wrapped.get(FILE)
    assert counted(wrapped.core) == 0


class Recording:
    """Notes what reaches it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    async def __call__(self, scope: Message, receive: object, send: object) -> None:
        self.seen.append((scope["type"], scope.get("path", "")))


def test_websockets_do_not_pass_the_guard(wrap: Wrap) -> None:
    app = Recording()
    wrapped = wrap(app, protect=["/simple"])
    assert wrapped.speak("/chat", {"type": "websocket"}) == []
    for path in ("/simple/chat", f"/+t/{wrapped.secret}/chat", "//simple/chat"):
        closed = wrapped.speak(path, {"type": "websocket"})
        assert closed == [{"type": "websocket.close", "code": 1008}]
    assert app.seen == [("websocket", "/chat")]


def test_lifespan_is_passed_on(wrap: Wrap) -> None:
    app = Recording()
    wrap(app).speak("", {"type": "lifespan"})
    assert app.seen == [("lifespan", "")]


def test_a_head_carries_no_body_whatever_the_application_sends(wrap: Wrap, tree: Path) -> None:
    async def careless(scope: Message, receive: object, send: Callable[..., Any]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await send({"type": "http.response.body", "body": b"two"})

    wrapped = wrap(careless, protect=["/simple"])
    start, *bodies = wrapped.speak(FILE, {"method": "HEAD"})
    assert start["status"] == 200
    assert [(one["body"], one["more_body"]) for one in bodies] == [(b"", True), (b"", False)]
    assert counted(wrapped.core) == 0
