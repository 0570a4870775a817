"""The WSGI application: which repository, which token, and never an exception on the wire."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from entitlements_core.engine import auth_request
from entitlements_core.engine.health import HEALTH_PATHS, health
from entitlements_core.engine.index import Index
from entitlements_core.engine.responses import INTERNAL_ERROR, NOWHERE
from entitlements_core.forwarded import Proxies
from entitlements_core.policy.network import IPAddress
from entitlements_core.services.readiness import Ailment
from entitlements_core.wsgi import Locate, Request, Response

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["IndexApp"]

log: Final = logging.getLogger("entitlements.engine")

AUTHORIZE: Final = "/+auth"


def peer_address(environ: WSGIEnvironment) -> IPAddress | None:
    """The address of the peer, where no proxy stands in between."""
    return Proxies().locate(environ).address


class IndexApp:
    """Serves repositories, each below a prefix.

    Args:
        mounts: prefix (empty, or ``/owner/slug``) to index. The longest prefix that fits is asked.
        locate: reads where the request of an environment comes from.
        ailment: tells what is wrong with the store, see `Readiness`.
        knows_logins: the host knows people by name and password, too; see `Request`.
    """

    def __init__(
        self,
        mounts: Mapping[str, Index],
        *,
        locate: Locate = peer_address,
        ailment: Callable[[], Ailment | None] = lambda: None,
        knows_logins: bool = False,
    ) -> None:
        self._knows_logins = knows_logins
        self._ailment = ailment
        self._mounts = tuple(sorted(mounts.items(), key=lambda item: -len(item[0])))
        self._locate = locate

    @property
    def is_ready(self) -> bool:
        """Every catalog was built once."""
        return all(index.is_ready for _, index in self._mounts)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        try:
            response = self.respond(environ)
        except Exception:
            log.exception("a request failed")
            response = INTERNAL_ERROR
        return response(environ, start_response)

    def respond(self, environ: WSGIEnvironment) -> Response:
        """The response to the request of a WSGI environment."""
        path = environ.get("PATH_INFO") or "/"
        if path in HEALTH_PATHS:
            return health(path, is_built=self.is_ready, ailment=self._ailment)
        if path == AUTHORIZE:
            return self._authorize(environ)
        request = Request.of(environ, self._locate, knows_logins=self._knows_logins)
        found = self._mount(request.path)
        if found is None:
            return NOWHERE
        index, rest = found
        return index.respond(request.at(rest))

    def _authorize(self, environ: WSGIEnvironment) -> Response:
        """The decision on the request that a server in front describes in its headers."""
        original = environ.get("HTTP_X_ORIGINAL_URI") or ""
        request = Request.of(
            environ,
            self._locate,
            method=environ.get("HTTP_X_ORIGINAL_METHOD") or "GET",
            path=unquote(original.partition("?")[0], "latin-1"),
            knows_logins=self._knows_logins,
        )
        found = self._mount(request.path)
        if found is None or not request.reads or not auth_request.is_plain(original, request.path):
            return auth_request.FORBIDDEN
        index, rest = found
        return index.authorize(request.at(rest))

    def _mount(self, path: str) -> tuple[Index, str] | None:
        for prefix, index in self._mounts:
            if not prefix or path.startswith(f"{prefix}/"):
                return index, path[len(prefix) :]
        return None
