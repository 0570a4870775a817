"""The WSGI application: which repository, which token, and never an exception on the wire."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from entitlements_core.engine.health import HEALTH_PATHS, health
from entitlements_core.engine.index import Index
from entitlements_core.engine.responses import Incoming, Outgoing, outgoing
from entitlements_core.forwarded import Proxies
from entitlements_core.http import (
    AuthScheme,
    Presented,
    problem,
    read_authorization,
    split_token_path,
)
from entitlements_core.policy.network import IPAddress
from entitlements_core.services.readiness import Ailment

__all__ = ["IndexApp", "credentials"]

log: Final = logging.getLogger("entitlements.engine")

Environ = dict[str, Any]
StartResponse = Callable[..., object]
ReadAddress = Callable[[Environ], IPAddress | None]

AUTHORIZE: Final = "/+auth"


def peer_address(environ: Environ) -> IPAddress | None:
    """The address of the peer, where no proxy stands in between."""
    return Proxies().locate(environ).address


class IndexApp:
    """Serves repositories, each below a prefix.

    Args:
        mounts: prefix (empty, or ``/owner/slug``) to index. The longest prefix that fits is asked.
        address: reads where the request of an environment comes from.
        ailment: tells what is wrong with the store, see `Readiness`.
        logins: the host knows people by name and password, too; see `Incoming`.
    """

    def __init__(
        self,
        mounts: Mapping[str, Index],
        *,
        address: ReadAddress = peer_address,
        ailment: Callable[[], Ailment | None] = lambda: None,
        logins: bool = False,
    ) -> None:
        self._logins = logins
        self._ailment = ailment
        self._mounts = tuple(sorted(mounts.items(), key=lambda item: -len(item[0])))
        self._address = address

    @property
    def is_ready(self) -> bool:
        """Every catalog was built once."""
        return all(index.is_ready for _, index in self._mounts)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        try:
            answer = self.respond(environ)
        except Exception:
            log.exception("a request failed")
            answer = outgoing(problem(500, "Internal error", code="internal"))
        start_response(answer.status, list(answer.headers))
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else answer.body

    def respond(self, environ: Environ) -> Outgoing:
        """The response to the request of a WSGI environment."""
        path: str = environ.get("PATH_INFO") or "/"
        if path in HEALTH_PATHS:
            return health(path, is_built=self.is_ready, ailment=self._ailment)
        if path == AUTHORIZE:
            return self._authorize(environ)
        presented, path = credentials(environ, path)
        found = self._mount(path)
        if found is None:
            return _NOWHERE
        index, rest = found
        return index.answer(self._incoming(environ, environ["REQUEST_METHOD"], rest, presented))

    def _authorize(self, environ: Environ) -> Outgoing:
        """The decision on the request that a server in front describes in its headers."""
        original: str = environ.get("HTTP_X_ORIGINAL_URI") or ""
        method: str = environ.get("HTTP_X_ORIGINAL_METHOD") or "GET"
        presented, path = credentials(environ, unquote(original.partition("?")[0], "latin-1"))
        found = self._mount(path)
        if found is None or method not in {"GET", "HEAD"} or not _is_plain(original, path):
            return Outgoing("403 Refused", _NOWHERE.headers, _NOWHERE.body)
        index, rest = found
        return index.authorize(self._incoming(environ, method, rest, presented))

    def _incoming(
        self, environ: Environ, method: str, path: str, presented: Presented | None
    ) -> Incoming:
        return Incoming(
            method=method,
            path=path,
            presented=presented,
            address=self._address(environ),
            headers=environ,
            logins=self._logins,
        )

    def _mount(self, path: str) -> tuple[Index, str] | None:
        for prefix, index in self._mounts:
            if not prefix or path.startswith(f"{prefix}/"):
                return index, path[len(prefix) :]
        return None


def _is_plain(original: str, path: str) -> bool:
    """Whether a server in front can only mean what we read.

    It resolves dots, joins slashes and cuts at ``#`` before it picks the file; a decision on the
    text as it was sent could then be one on another file.
    """
    return "#" not in original and {"", ".", ".."}.isdisjoint(path.split("/")[1:])


_NOWHERE: Final = outgoing(problem(404, "Not found", code="not_found"))


def credentials(environ: Environ, path: str) -> tuple[Presented | None, str]:
    """The secret of a request, and its path without it. A token in the path beats any header."""
    tokened = split_token_path(path)
    if tokened is None:
        return read_authorization(environ.get("HTTP_AUTHORIZATION")), path
    return Presented(tokened.secret, AuthScheme.PATH), tokened.rest
