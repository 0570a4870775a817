"""Entitlements in front of any WSGI application."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Unpack

from entitlements_core.engine.loading_errors import told_in_words
from entitlements_core.services.core import Core
from flask_static_entitlements.configuration import Options, configure
from flask_static_entitlements.middleware import TokenPathMiddleware
from flask_static_entitlements.site import Site

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["EntitlementsMiddleware"]


class EntitlementsMiddleware:
    """Serves repositories before an application, or guards its own file views.

    Put it outermost: what stands before it does not see the token moved out of the path.

    Args:
        app: the WSGI application behind.
        options: see `Options`; settings that are left out are read from the environment.

    Raises:
        EntitlementsError: when something is configured wrongly, or the store cannot be opened.
    """

    def __init__(self, app: WSGIApplication, **options: Unpack[Options]) -> None:
        with told_in_words():
            self._site = Site(configure(options, {}), host="WSGI")
            self._site.start()
        self._middleware = TokenPathMiddleware(app, self._site)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        return self._middleware(environ, start_response)

    @property
    def core(self) -> Core:
        """The services: tokens, repositories, reports."""
        return self._site.core

    def close(self) -> None:
        """Let go of the store and the catalogs."""
        self._site.close()
