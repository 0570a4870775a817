"""Strips proxy headers and tokens on the way into pypiserver; makes its responses private."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from entitlements_core.engine.threads import are_greenlets
from entitlements_core.forwarded import Proxies
from entitlements_core.wsgi import ExcInfo
from pypiserver_entitlements.current_user import AdmittedUser, AnonymousReader, Uploader
from pypiserver_entitlements.pypiserver_api import read_body
from pypiserver_entitlements.request_bodies import SECONDS, read_within
from pypiserver_entitlements.responses import private_headers

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Forwarder"]


_RAW: Final = ("RAW_URI", "REQUEST_URI", "HTTP_X_ORIGINAL_URI")
"""Where servers keep the address as it was sent, with the token in it."""

_HOST: Final = "HTTP_X_FORWARDED_HOST"
_SCHEME: Final = "HTTP_X_FORWARDED_PROTO"
"""What bottle believes of anybody, and writes into redirects.

A proxy that does not write the first passes on what a client wrote, and a cache gives that to
others; so it is never believed, and the proxy has to keep ``Host``.
"""

_SCHEMES: Final = frozenset({"http", "https"})


class Forwarder:
    """Hands requests to pypiserver for those who were let in.

    Args:
        app: pypiserver.
        proxies: whose headers are believed.
    """

    def __init__(self, app: WSGIApplication, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies
        self._turn: threading.Lock | None = None

    def pass_on(
        self, user: AdmittedUser, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """What pypiserver answers; no cache may give it to somebody else."""
        environ.pop(_HOST, None)
        if not self._proxies.locate(environ).proxy or environ.get(_SCHEME) not in _SCHEMES:
            environ.pop(_SCHEME, None)
        if isinstance(user, Uploader):
            _disguise(environ, user)
        shared = isinstance(user, AnonymousReader)
        with read_within(environ, SECONDS) if shared else nullcontext():
            read_body(environ)

        def start(
            status: str, headers: list[tuple[str, str]], error: ExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            return start_response(status, private_headers(headers, shared=shared), error)

        if not are_greenlets():
            return self._app(environ, start)
        # Loaded before gevent patched it, bottle keeps one request for all greenlets; and whatever
        # is logged inside may let another one go on.
        if self._turn is None:
            self._turn = threading.Lock()
        with self._turn:
            return self._app(environ, start)


def _disguise(environ: WSGIEnvironment, user: Uploader) -> None:
    """The token becomes a name that pypiserver may write into its log."""
    name = f"entitlement-{user.identifier}"
    environ["HTTP_AUTHORIZATION"] = f"Basic {b64encode(f'{name}:-'.encode()).decode()}"
    environ["PATH_INFO"] = "/"
    for raw in _RAW:
        environ.pop(raw, None)
