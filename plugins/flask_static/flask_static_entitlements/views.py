"""What an app's own views use: the credential that asks, and a gate around a view."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, current_app, has_request_context, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import RequestRedirect, Rule

from entitlements_core.engine.responses import NOWHERE, refused
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decision import Deny
from entitlements_core.services.gate import Caller
from entitlements_core.wsgi import Request as EngineRequest
from entitlements_core.wsgi import Response as EngineResponse
from flask_static_entitlements.authentication import CREDENTIAL
from flask_static_entitlements.responses import RESERVED, ReservedDownload, private_headers
from flask_static_entitlements.routes import flatten
from flask_static_entitlements.site import Site

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = [
    "MARK",
    "FlaskViews",
    "View",
    "caller_of",
    "current_entitlement",
    "run_file",
    "run_open",
    "stop_unguarded",
]

log: Final = logging.getLogger("entitlements.flask")

View = Callable[..., ResponseReturnValue | Awaitable[ResponseReturnValue]]

CALLER: Final = "entitlements.caller"
MARK: Final = "_entitlements_required"


def _credential() -> Credential | None:
    return request.environ.get(CREDENTIAL) if has_request_context() else None


current_entitlement: Credential | None = LocalProxy(_credential)  # type: ignore[assignment] # as flask.request
"""The credential of the current request behind a guard, with its identifier, name and grants.

Outside, it stands for None: it is false, and equal to None."""


def request_of(site: Site) -> EngineRequest:
    """The current request as an index reads it."""
    environ = request.environ
    return site.request(environ, request.path)


def respond(answer: EngineResponse) -> Response:
    """A response of an index as Flask's."""
    response: Response = current_app.response_class(
        answer.body, status=answer.status_line, headers=list(answer.headers)
    )
    return response


def caller_of(site: Site, repository: str) -> Caller | Deny:
    """Whose the current request is, asked once."""
    gate = site.gate_of(repository)
    known: Caller | None = request.environ.get(CALLER)
    if known is not None and known.repository == gate.index.repository:
        return known
    caller = gate.identify(request_of(site))
    if isinstance(caller, Caller):
        request.environ[CALLER] = caller
    return caller


def run_open(site: Site, repository: str, view: Callable[[], Response]) -> Response:
    """Run a view for whoever has a credential that opens something now."""
    caller = caller_of(site, repository)
    denied: Deny | None
    if isinstance(caller, Caller):
        denied = site.gate_of(repository).opens(caller)
        if denied is None:
            request.environ[CREDENTIAL] = caller.credential
            return _private(view())
    else:
        denied = caller
    return respond(refused(denied, request_of(site), transfers=True))


def run_file(site: Site, repository: str, filename: str, view: Callable[[], Response]) -> Response:
    """Run a view that sends one distribution file, and count it."""
    name = filename.rpartition("/")[2]
    reserved: ReservedDownload | None = request.environ.get(RESERVED)
    if reserved is not None and reserved.filename == name:
        return view()  # the middleware let it pass and counts it
    asked = request_of(site)
    answer = site.gate_of(repository).file(asked, name)
    if isinstance(answer, EngineResponse):
        return respond(answer)
    request.environ[CREDENTIAL] = answer.credential
    try:
        response = view()
    except BaseException:
        answer.abandon()
        raise
    denied = answer.finish(response.status_code, response.headers.items())
    if denied is None:
        return _private(response)
    response.close()
    return respond(refused(denied, asked, transfers=True))


def stop_unguarded(site: Site) -> Response | None:
    """Before each view: none below a protected prefix runs unless its file was let through.

    What stands between the extension and the routing may have changed the address.
    """
    rule = request.url_rule
    if rule is None or site.configuration.routes.guard(request.path, rule=rule.rule) is None:
        return None
    reserved: ReservedDownload | None = request.environ.get(RESERVED)
    if reserved is not None and reserved.filename == request.path.rpartition("/")[2]:
        return None
    log.error("a request for the guarded view %s was not let through", rule.rule)
    return respond(NOWHERE)


class FlaskViews:
    """How a Flask app routes.

    Args:
        app: the app, before the extension stands in front of it.
    """

    def __init__(self, app: Flask) -> None:
        self._app = app
        # Another middleware between may answer by itself, and read an address in its own way.
        inner: object = app.wsgi_app
        while isinstance(inner, ProxyFix):  # it reads no path
            inner = inner.app
        self._is_bare = getattr(inner, "__self__", None) is app

    def rule(self, environ: WSGIEnvironment) -> str | None:
        """See `Views`; a redirect to another spelling is no view, and leads to what that says."""
        if not self._is_bare:
            return None
        try:
            return self._match(environ).rule
        except RequestRedirect:
            return flatten(environ["PATH_INFO"])
        except HTTPException:
            return None

    def asks(self, environ: WSGIEnvironment) -> bool:
        """See `Views`."""
        try:
            endpoint = self._match(environ).endpoint
        except HTTPException:
            return False
        return getattr(self._app.view_functions.get(endpoint), MARK, False) is True

    def _match(self, environ: WSGIEnvironment) -> Rule:
        adapter = self._app.create_url_adapter(self._app.request_class(environ))
        rule, _ = adapter.match(return_rule=True)  # type: ignore[union-attr] # not None with a request
        return rule


def _private(response: Response) -> Response:
    headers = private_headers(response.headers.items())
    response.headers.clear()
    response.headers.extend(headers)
    return response
