"""The WSGI middleware: answers what is ours, guards what is protected, passes the rest on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from entitlements_core.engine.responses import NOWHERE, refused
from entitlements_core.http import is_plain_path, split_token_path
from entitlements_core.wsgi import ExcInfo, Response
from flask_static_entitlements.authentication import CREDENTIAL, move_token
from flask_static_entitlements.responses import RESERVED, ReservedDownload, private_headers
from flask_static_entitlements.routes import raw_path
from flask_static_entitlements.site import Site

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["TokenPathMiddleware"]


class Views(Protocol):
    """What can be asked of an app that says how it routes."""

    def rule(self, environ: WSGIEnvironment) -> str | None:
        """The URL rule that a request is routed by; None when it is none's."""
        ...

    def asks(self, environ: WSGIEnvironment) -> bool:
        """Whether a request leads to a view that asks for a credential by itself."""
        ...


class TokenPathMiddleware:
    """Stands before an app, and moves a token in the path to SCRIPT_NAME.

    The token opens no unguarded view of the app.

    Args:
        app: what stands behind.
        site: the repositories.
        views: of an app that says how it routes. Of any other, an address that can be read in
            several ways is none where anything is guarded.
    """

    def __init__(self, app: WSGIApplication, site: Site, *, views: Views | None = None) -> None:
        self._app = app
        self._site = site
        self._views = views

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        path: str = environ.get("PATH_INFO") or "/"
        token_path = split_token_path(path)
        rest = path if token_path is None else token_path.rest
        answer = self._site.answer(environ, rest, token_path, self._rule(environ, rest))
        if isinstance(answer, Response):
            return answer(environ, start_response)
        if token_path is not None:
            move_token(environ, token_path)
        if isinstance(answer, ReservedDownload):
            return self._pass_on(environ, start_response, answer)
        views = self._views
        if token_path is not None and not (views is not None and views.asks(environ)):
            return NOWHERE(environ, start_response)
        return self._app(environ, start_response)

    def _rule(self, environ: WSGIEnvironment, path: str) -> str | None:
        """How the app routes a path that can be read in several ways; it is not asked otherwise."""
        if self._views is None or not self._site.configuration.routes.guards:
            return None
        if is_plain_path(path, raw_path(environ)):
            return None
        return self._views.rule({**environ, "PATH_INFO": path})

    def _pass_on(
        self, environ: WSGIEnvironment, start_response: StartResponse, reserved: ReservedDownload
    ) -> Iterable[bytes]:
        environ[RESERVED] = reserved
        environ[CREDENTIAL] = reserved.credential
        held = _HeldResponse()
        try:
            body = held.run(self._app, environ)
        except BaseException:
            reserved.abandon()
            raise
        denied = reserved.finish(held.status, held.headers)
        if denied is not None:
            _close(body)
            return refused(denied, reserved.request, transfers=True)(environ, start_response)
        held.is_sent = True
        start_response(held.line, list(private_headers(held.headers)))
        if reserved.request.is_head:
            # Nothing was counted, whatever the app took the request for.
            _close(body)
            return []
        return body


class _HeldResponse:
    """Holds back what an app starts, until it is known whether it may be sent."""

    def __init__(self) -> None:
        self.line = ""
        self.headers: list[tuple[str, str]] = []
        self.is_sent = False
        self._written: list[bytes] = []

    @property
    def status(self) -> int:
        return int(self.line[:3])

    def run(self, app: WSGIApplication, environ: WSGIEnvironment) -> Iterable[bytes]:
        """The body of the app's answer; its head is here."""
        body = app(environ, self._start)
        if self.line and not self._written:
            return body
        # An app may start its answer as late as with its first piece.
        try:
            pieces = iter(body)
            first = [] if self.line else [next(pieces)]
        except StopIteration:
            first = []
        except BaseException:
            _close(body)
            raise
        return _Joined([*self._written, *first], pieces, body)

    def _start(
        self, line: str, headers: list[tuple[str, str]], error: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        if self.is_sent and error is not None and error[1] is not None:
            raise error[1].with_traceback(error[2])  # PEP 3333: it is too late for another head
        self.line, self.headers = line, headers
        return self._written.append


class _Joined:
    """Pieces that were taken already, and the rest."""

    def __init__(self, taken: list[bytes], rest: Iterator[bytes], body: Iterable[bytes]) -> None:
        self._taken = taken
        self._rest = rest
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield from self._taken
        yield from self._rest

    def close(self) -> None:
        """Called by the server at the end (PEP 3333)."""
        _close(self._body)


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, "close", None)
    with contextlib.suppress(Exception):
        if close is not None:
            close()
