"""Entitlements in front of any ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Unpack

from entitlements_core.engine.reason_links import WITHOUT_PHRASE
from entitlements_core.engine.responses import NOWHERE, refused
from entitlements_core.forwarded import FORWARDED
from entitlements_core.http import TokenPath, split_token_path
from entitlements_core.services.core import Core
from flask_static_entitlements.asgi_bodies import Message, PathSender, Send, send_response
from flask_static_entitlements.authentication import CREDENTIAL
from flask_static_entitlements.configuration import Options, configure
from flask_static_entitlements.responses import ReservedDownload, private_headers
from flask_static_entitlements.site import Site

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = ["EntitlementsASGI"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY_VIOLATION: Final = 1008
"""RFC 6455 §7.4.1; before the handshake, servers answer 403."""


class EntitlementsASGI:
    """Serves repositories before an application, or guards its own file views.

    Whatever may wait for the store or the disk runs in a thread. Lifespan and what is not ours is
    passed on untouched; a websocket below our addresses, or with a token, is refused.

    Args:
        app: the ASGI application behind.
        options: see `Options`; settings that are left out are read from the environment.

    Raises:
        EntitlementsError: when something is configured wrongly, or the store cannot be opened.
    """

    def __init__(self, app: ASGIApp, **options: Unpack[Options]) -> None:
        self._app = app
        configuration = configure(options, {})
        offloads = configuration.settings.accel_redirect or configuration.settings.sendfile
        sender = None if offloads else PathSender()
        self._site = Site(configuration, host="ASGI", sender=sender)
        self._site.start()
        self._believes = configuration.settings.forwarded_header != FORWARDED

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        path = _path(scope)
        token_path = split_token_path(path)
        rest = path if token_path is None else token_path.rest
        if token_path is None and not self._is_ours(scope, rest):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            environ = _environ(scope, path, believes=self._believes)
            answer = await asyncio.to_thread(self._site.answer, environ, rest, token_path)
            if isinstance(answer, ReservedDownload):
                await _Relay(answer, send).run(
                    self._app, _moved(scope, token_path, answer), receive
                )
            else:
                head = scope["method"] == "HEAD"
                await send_response(send, NOWHERE if answer is None else answer, head=head)

    @property
    def core(self) -> Core:
        """The services: tokens, repositories, reports."""
        return self._site.core

    def close(self) -> None:
        """Let go of the store and the catalogs."""
        self._site.close()

    def _is_ours(self, scope: Scope, path: str) -> bool:
        routes = self._site.configuration.routes
        return routes.serves(path) or routes.guard(path, raw=_raw(scope)) is not None


class _Relay:
    """Passes a file request on, and holds back the head of the answer until it may be sent."""

    def __init__(self, reserved: ReservedDownload, send: Send) -> None:
        self._reserved = reserved
        self._send = send
        self._started = False
        self._refused = False

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive) -> None:
        try:
            await app(scope, receive, self._relay)
        finally:
            if not self._started:
                await asyncio.to_thread(self._reserved.abandon)

    async def _relay(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message = await self._begin(message)
        elif self._reserved.request.is_head:
            # Nothing was counted, whatever the app took the request for.
            more = message["type"] == "http.response.body" and message.get("more_body", False)
            message = {"type": "http.response.body", "body": b"", "more_body": more}
        if not self._refused:
            await self._send(message)

    async def _begin(self, message: Message) -> Message:
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in message.get("headers", ())
        ]
        denied = await asyncio.to_thread(self._reserved.finish, message["status"], headers)
        self._started = True
        if denied is not None:
            self._refused = True
            head = self._reserved.request.is_head
            await send_response(
                self._send, refused(denied, self._reserved.request, transfers=True), head=head
            )
        encoded = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in private_headers(headers)
        ]
        return {**message, "headers": encoded}


def _path(scope: Scope) -> str:
    """The path below the place where a server mounted us; frameworks leave that in the path."""
    path: str = scope["path"] or "/"
    root: str = scope.get("root_path", "").rstrip("/")
    return path.removeprefix(root) if f"{path}/".startswith(f"{root}/") else path


def _raw(scope: Scope) -> str:
    """The path as it was sent, where the server tells it."""
    raw: bytes = scope.get("raw_path") or b""
    return raw.decode("latin-1")


def _moved(scope: Scope, token_path: TokenPath | None, reserved: ReservedDownload) -> Scope:
    """The scope behind the token: it joins the root path, and the path is left whole."""
    moved = {**scope, CREDENTIAL: reserved.credential}
    if token_path is not None:
        moved["root_path"] = scope.get("root_path", "").rstrip("/") + token_path.prefix
        moved.pop("raw_path", None)
    return moved


def _environ(scope: Scope, path: str, *, believes: bool) -> WSGIEnvironment:
    """What the engine reads of a request, under the names of WSGI.

    Args:
        scope: of the request.
        path: below the place where a server mounted us.
        believes: X-Forwarded-For is what the vendor's proxies write.
    """
    # uvicorn gives no port where it took the client from X-Forwarded-For by itself: then the peer,
    # which alone could say whether that header is to be believed, is not known any more.
    client = scope.get("client")
    known = client is not None and (client[1] != 0 or believes)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": path,
        "RAW_URI": _raw(scope),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "REMOTE_ADDR": client[0] if client and known else "",
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        WITHOUT_PHRASE: True,
        PathSender.OFFER: "http.response.pathsend" in (scope.get("extensions") or {}),
    }
    for name, value in scope["headers"]:
        if b"_" in name:
            continue  # it would take the place of the one with dashes, which proxies write
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
