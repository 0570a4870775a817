"""The open repositories of one app, and the answers to the requests that are theirs."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from entitlements_core.engine.downloads import Sender
from entitlements_core.engine.health import LIVE, health
from entitlements_core.engine.responses import INTERNAL_ERROR, NOWHERE
from entitlements_core.errors import ConfigurationError, EntitlementsError
from entitlements_core.http import TokenPath
from entitlements_core.refusals import problem
from entitlements_core.services.core import Core
from entitlements_core.wsgi import Request, Response
from flask_static_entitlements.authentication import presented
from flask_static_entitlements.authorization import RepositoryGate
from flask_static_entitlements.configuration import Configuration
from flask_static_entitlements.responses import ReservedDownload
from flask_static_entitlements.routes import Guarded, raw_path
from flask_static_entitlements.startup import OpenSite

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = ["Site"]

log: Final = logging.getLogger("entitlements.flask")


class Site:
    """Opens the store and the catalogs when they are first needed; forked children inherit them.

    Args:
        configuration: what to serve and guard.
        host: the name and version of the framework.
        sender: how files are sent; None is what the settings say.
    """

    def __init__(
        self, configuration: Configuration, *, host: str = "WSGI", sender: Sender | None = None
    ) -> None:
        self.configuration = configuration
        self._host = host
        self._sender = sender
        self._lock = threading.Lock()
        self._open: OpenSite | None = None

    @property
    def core(self) -> Core:
        """The services.

        Raises:
            EntitlementsError: when the key, the store or a repository cannot be used.
        """
        return self._opened().core

    def start(self) -> None:
        """Open everything now; the catalogs are built in the background.

        Raises:
            EntitlementsError: when the key, the store or a repository cannot be used.
        """
        self._opened()

    def settle(self, seconds: float = 60.0) -> None:
        """Open everything, and wait until the catalogs are built; for tests.

        Raises:
            EntitlementsError: as `start` does.
        """
        indexes, deadline = self._opened().indexes.values(), time.monotonic() + seconds
        while not all(index.is_ready for index in indexes) and time.monotonic() < deadline:
            time.sleep(0.01)

    def gate_of(self, repository: str = "") -> RepositoryGate:
        """The gate of a repository.

        Args:
            repository: ``owner/slug``; may be left out where there is only one.

        Raises:
            ConfigurationError: when it is none of this app.
        """
        names = [mount.repository for mount in self.configuration.mounts]
        name = repository or (names[0] if len(names) == 1 else "")
        if name not in names:
            raise ConfigurationError(
                f"{repository!r} is no repository of this app.", f"Name one of {', '.join(names)}."
            )
        return self._opened().gates[name]

    def answer(
        self,
        environ: WSGIEnvironment,
        path: str,
        token_path: TokenPath | None,
        rule: str | None = None,
    ) -> Response | ReservedDownload | None:
        """The answer to a request, permission to pass it on, or None when it is not ours.

        Args:
            environ: of WSGI; its PATH_INFO still holds the token.
            path: without it.
            token_path: the token path, if there is one.
            rule: the URL rule that the app routes the path by, see `Routes.guard`.
        """
        routes = self.configuration.routes
        served = routes.serves(path)
        guarded = None if served else routes.guard(path, raw=raw_path(environ), rule=rule)
        if not served and guarded is None:
            return None
        try:
            if guarded is None:
                return self._serve(environ, path)
            return self._guard(environ, path, token_path, guarded)
        except EntitlementsError as error:
            log.error("the index is not set up: %s", error)
            return problem(503, "The index is not set up", code=error.code)
        except Exception:
            log.exception("a request failed")
            return INTERNAL_ERROR

    def request(
        self, environ: WSGIEnvironment, path: str, token_path: TokenPath | None = None
    ) -> Request:
        """A request as an index reads it.

        Args:
            environ: of WSGI.
            path: of the app, without a token.
            token_path: the token path, if there is one.
        """
        return Request(
            method=environ["REQUEST_METHOD"],
            path=path,
            presented=presented(environ, token_path),
            address=self.core.addresses.of(environ),
            environ=environ,
        )

    def close(self) -> None:
        """Let go of the store and the catalogs; the next request opens them again."""
        with self._lock:
            opened, self._open = self._open, None
        if opened is not None:
            opened.close()

    def _serve(self, environ: WSGIEnvironment, path: str) -> Response:
        if path == LIVE:  # whatever the store is like
            return health(path, is_built=False, ailment=lambda: None)
        return self._opened().app.respond(environ)

    def _guard(
        self, environ: WSGIEnvironment, path: str, token_path: TokenPath | None, guarded: Guarded
    ) -> Response | ReservedDownload:
        opened = self._opened()
        if guarded.mount is None:
            return NOWHERE
        request = self.request(environ, path, token_path)
        guard = opened.guards[guarded.mount.repository]
        return guard.respond(request, plain=guarded.plain)

    def _opened(self) -> OpenSite:
        opened = self._open
        if opened is not None:
            return opened
        with self._lock:
            if self._open is None:
                self._open = OpenSite(self.configuration, self._host, self._sender)
            return self._open
