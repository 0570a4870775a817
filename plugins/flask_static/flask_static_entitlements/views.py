"""What an app's own views use: the credential that asks, and a gate around a view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from flask import Flask, Response, current_app, has_request_context, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.local import LocalProxy

from entitlements_core.engine.answers import Incoming, Outgoing
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decision import Deny
from flask_static_entitlements.checkpoint import Visitor, refusal
from flask_static_entitlements.passage import private_headers
from flask_static_entitlements.site import CREDENTIAL, PASSAGE, Environ, Site, presented

__all__ = ["current_entitlement"]

View = Callable[..., ResponseReturnValue | Awaitable[ResponseReturnValue]]

VISITOR: Final = "entitlements.visitor"
MARK: Final = "_entitlements_required"


def _credential() -> Credential | None:
    return request.environ.get(CREDENTIAL) if has_request_context() else None


current_entitlement: Credential | None = LocalProxy(_credential)  # type: ignore[assignment] # as flask.request
"""The credential of the current request behind a guard, with its identifier, name and grants.

Outside, it stands for None: it is false, and equal to None."""


def incoming(site: Site) -> Incoming:
    """The current request as the engine reads it."""
    environ = request.environ
    return site.incoming(environ, request.path, presented(environ, None))


def respond(answer: Outgoing) -> Response:
    """An answer of the engine as Flask's."""
    response: Response = current_app.response_class(
        answer.body, status=answer.status, headers=list(answer.headers)
    )
    return response


def visitor_of(site: Site, repository: str) -> Visitor | Deny:
    """Whose the current request is, asked once."""
    checkpoint = site.checkpoint(repository)
    known: Visitor | None = request.environ.get(VISITOR)
    if known is not None and known.context.repository == checkpoint.index.repository:
        return known
    visitor = checkpoint.enter(incoming(site))
    if isinstance(visitor, Visitor):
        request.environ[VISITOR] = visitor
    return visitor


def run_living(site: Site, repository: str, view: Callable[[], Response]) -> Response:
    """Run a view for whoever has a credential that opens something now."""
    visitor = visitor_of(site, repository)
    denied: Deny | None
    if isinstance(visitor, Visitor):
        denied = site.checkpoint(repository).living(visitor)
        if denied is None:
            request.environ[CREDENTIAL] = visitor.credential
            return _private(view())
    else:
        denied = visitor
    return respond(refusal(denied, incoming(site)))


def run_file(site: Site, repository: str, filename: str, view: Callable[[], Response]) -> Response:
    """Run a view that sends one distribution file, and count it."""
    if PASSAGE in request.environ:
        return view()  # the middleware let it pass and counts it
    asked = incoming(site)
    answer = site.checkpoint(repository).file(asked, filename.rpartition("/")[2])
    if isinstance(answer, Outgoing):
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
    return respond(refusal(denied, asked))


def reaches_gate(app: Flask) -> Callable[[Environ], bool]:
    """Says whether a request leads to a view that asks for a credential by itself."""

    def reaches(environ: Environ) -> bool:
        try:
            endpoint, _ = app.create_url_adapter(app.request_class(environ)).match()  # type: ignore[union-attr] # not None with a request
        except HTTPException:
            return False
        return getattr(app.view_functions.get(endpoint), MARK, False) is True

    return reaches


def _private(response: Response) -> Response:
    headers = private_headers(response.headers.items())
    response.headers.clear()
    response.headers.extend(headers)
    return response
