"""What stands before pypiserver: customers are answered here, publishers go through."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from entitlements_core.engine.app import IndexApp
from entitlements_core.engine.responses import INTERNAL_ERROR, NOWHERE
from entitlements_core.http import AuthScheme
from entitlements_core.refusals import problem
from entitlements_core.services.client_addresses import ClientAddresses
from entitlements_core.wsgi import Request, Response
from pypiserver_entitlements import pypiserver_api
from pypiserver_entitlements.authentication import PasswordsUnknown, Publishers
from pypiserver_entitlements.current_user import AdmittedUser, AnonymousReader, Uploader, admitted
from pypiserver_entitlements.forwarding import Forwarder
from pypiserver_entitlements.request_bodies import Discarding, length_of
from pypiserver_entitlements.responses import PASSWORDS_UNAVAILABLE, SEARCH_TOO_LONG
from pypiserver_entitlements.routes import Routes, is_reading, is_upload, project_of
from pypiserver_entitlements.uploads import Uploads

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["PypiserverMiddleware"]

log: Final = logging.getLogger("entitlements.pypiserver")

SEARCHED: Final = 64 * 1024
"""Bytes of what a stranger may send to search a public index, inclusive; pip sends one thousand."""

_LONGEST_NAME: Final = 255
"""Bytes of a file's name that file systems take, inclusive."""


class PypiserverMiddleware:
    """The application that a server calls in pypiserver's place.

    Everything that may wait for the store happens here, before bottle is entered.

    Args:
        app: pypiserver.
        engine: answers whoever has a token, and whoever has nothing.
        publishers: knows who goes through.
        uploads: decides on uploads with a token.
        routes: which addresses are for what.
        public: whoever has no credentials reads what pypiserver shows.
        addresses: reads where requests come from.
        keeps: whether a project is the vendor's, so that nobody is sent to pypiserver's fallback
            for it; None where there is no fallback.
        note: is told the name of each file that is about to be uploaded.
    """

    def __init__(  # noqa: PLR0913 - it is put together from its parts
        self,
        app: WSGIApplication,
        *,
        engine: IndexApp,
        publishers: Publishers,
        uploads: Uploads,
        routes: Routes,
        public: bool,
        addresses: ClientAddresses,
        keeps: Callable[[str], bool] | None = None,
        note: Callable[[str], None],
    ) -> None:
        self._app = app
        self._engine = engine
        self._publishers = publishers
        self._uploads = uploads
        self._routes = routes
        self._public = public
        self._addresses = addresses
        self._keeps = keeps
        self._note = note
        self._forwarder = Forwarder(app, addresses.proxies)
        self._discarding = Discarding()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if not self._routes.strip_base(environ):
            return NOWHERE(environ, start_response)
        if self._routes.is_our_health(environ):
            return self._engine(environ, start_response)
        if self._routes.is_health(environ):
            return self._app(environ, start_response)
        try:
            user = self._user_of(environ)
        except PasswordsUnknown as error:
            log.error("no publisher is let in: %s", error)
            user = PASSWORDS_UNAVAILABLE
        except Exception:
            log.exception("a request failed")
            user = INTERNAL_ERROR
        if user is None or isinstance(user, Response):
            self._discarding.discard(environ, most=self._uploads.limit)
        if user is None:
            return self._engine(environ, start_response)
        if isinstance(user, Response):
            return user(environ, start_response)
        with admitted(user):
            return self._forwarder.pass_on(user, environ, start_response)

    def _user_of(self, environ: WSGIEnvironment) -> AdmittedUser | Response | None:
        """Who is let into pypiserver; the answer to who is not; None where the engine answers."""
        request = Request.of(environ, self._addresses.of, knows_logins=self._publishers.are_known)
        method, path, presented = request.method, request.path, request.presented
        if presented is None or presented.scheme is not AuthScheme.PATH:
            publisher = self._publishers.recognise(presented, request.address)
            if publisher is not None:
                unfit = self._offered(environ) if is_upload(method, path) else None
                return replace(publisher, stays=self._stays(path)) if unfit is None else unfit
        if self._public and presented is None and is_reading(method, path):
            bounded = "HTTP_TRANSFER_ENCODING" not in environ and length_of(environ) <= SEARCHED
            return AnonymousReader(stays=self._stays(path)) if bounded else SEARCH_TOO_LONG
        if not is_upload(method, path):
            return None
        decided = self._uploads.admit(request)
        if isinstance(decided, Uploader):
            for filename in decided.filenames:
                self._note(filename)
        return decided

    def _offered(self, environ: WSGIEnvironment) -> Response | None:
        """Take note of a publisher's upload; the answer where pypiserver would end in an error."""
        try:
            form = pypiserver_api.read_form(environ)
        except ValueError as error:
            return problem(400, "The form cannot be read", f"{error}.", code="invalid")
        for upload in filter(None, (form.content, form.signature)):
            if len(os.fsencode(upload.filename)) > _LONGEST_NAME:
                words = f"The file name has more than {_LONGEST_NAME} characters"
                return problem(400, words, code="invalid")
        if form.action == "file_upload" and form.content is not None:
            self._note(form.content.filename)
        return None

    def _stays(self, path: str) -> bool:
        """Whether pypiserver may not go on to its fallback; found out before bottle is entered."""
        project = project_of(path)
        return self._keeps is not None and project is not None and self._keeps(project)
