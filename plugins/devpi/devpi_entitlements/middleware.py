"""The outermost tween: the secret comes off the path here, and answers to tokens go out here.

devpi sees a request as if the server lay below ``/+t/SECRET``, so that every link and redirect it
writes stays there. What it answers to a token holder is not passed on as it is: a page becomes a
page of ours with an ETag, a file is counted before its first byte, everything else a refusal.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any, Final

from devpi_entitlements.authcheck import AUTHCHECK, answer_authcheck
from devpi_entitlements.authentication import (
    REQUEST_KEY,
    TokenRequest,
    opened_by,
    read_token_request,
)
from devpi_entitlements.cached_responses import cached_response
from devpi_entitlements.devpi_types import PyramidRequest, PyramidResponse, Registry
from devpi_entitlements.responses import private, refusal, response_of
from devpi_entitlements.site import SITE, Site
from devpi_entitlements.user_access import SHIELDED
from devpi_entitlements.view_responses import deliver
from entitlements_core.engine.health import HEALTH_PATHS, health
from entitlements_core.http import AuthScheme, is_utf8
from entitlements_core.policy.decision import Deny
from entitlements_core.refusals import problem

__all__ = ["tween_entitlements"]

log: Final = logging.getLogger("entitlements.devpi")

_NO_TEXT: Final = problem(
    400,
    "The address is not UTF-8",
    "Ask for an address that a page links to.",
    code="bad_address",
)

Handler = Callable[[PyramidRequest], PyramidResponse]

ALIAS: Final = re.compile(r"/simple(?P<rest>/.*)?")
"""Below a token that opens one index: that index."""
ABSOLUTE_LINKS: Final = "HTTP_X_DEVPI_ABSOLUTE_URLS"
"""The header that asks devpi for absolute links; see `Site.absolute_links`."""


def tween_entitlements(handler: Handler, registry: Registry) -> Handler:
    """Tween factory; see pyramid's documentation of tweens."""
    site: Site = registry[SITE]

    def entitlements(request: PyramidRequest) -> PyramidResponse:
        environ = request.environ
        asked = environ.get("PATH_INFO") or "/"
        if asked == AUTHCHECK:
            return answer_authcheck(site, request, handler)
        if asked in HEALTH_PATHS:
            return _health(site, asked)
        if not is_utf8(asked):
            return response_of(_NO_TEXT)  # pyramid would end in a traceback
        with site.marks.serials.once():
            token_request, path = read_token_request(site, environ)
            found = None if token_request is None else _recall(site, request, token_request, path)
        if token_request is None:
            if site.absolute_links:
                environ[ABSOLUTE_LINKS] = "1"
            response = handler(request)
            return private(response) if SHIELDED in environ else response
        return found if found is not None else _answer(site, request, handler, token_request)

    return entitlements


def _health(site: Site, path: str) -> PyramidResponse:
    """What monitoring asks; devpi's own database is not among it, see ``/+status``."""
    return response_of(health(path, is_built=True, ailment=site.core.readiness.ailment))


def _recall(
    site: Site, request: PyramidRequest, token_request: TokenRequest, path: str
) -> PyramidResponse | None:
    """What can be answered without devpi."""
    environ = request.environ
    _enter(environ, token_request, path)
    aliased = _resolve_alias(site, environ, token_request, path)
    return cached_response(site, request, token_request) if aliased is None else aliased


def _answer(
    site: Site, request: PyramidRequest, handler: Handler, token_request: TokenRequest
) -> PyramidResponse:
    environ = request.environ
    response = handler(request)
    if REQUEST_KEY not in environ:
        # Went on as anybody, to what is open to all.
        return private(response) if SHIELDED in environ else response
    return deliver(site, request, token_request, response)


def _enter(environ: dict[str, Any], token_request: TokenRequest, path: str) -> None:
    environ[REQUEST_KEY] = token_request
    if token_request.presented.scheme is AuthScheme.PATH:
        environ["SCRIPT_NAME"] = (
            f"{environ.get('SCRIPT_NAME', '')}/+t/{token_request.presented.secret}"
        )
        environ["PATH_INFO"] = path
        # Only this secret counts, and devpi must not look at another.
        environ.pop("HTTP_AUTHORIZATION", None)
        environ.pop("HTTP_X_DEVPI_AUTH", None)
    environ.pop(ABSOLUTE_LINKS, None)


def _resolve_alias(
    site: Site, environ: dict[str, Any], token_request: TokenRequest, path: str
) -> PyramidResponse | None:
    """Point the alias at the one index that a token opens; a refusal where that is none or more."""
    matched = ALIAS.fullmatch(path)
    if matched is None or token_request.presented.scheme is not AuthScheme.PATH:
        return None
    opened = opened_by(site, token_request)
    if isinstance(opened, Deny):
        return refusal(opened, token_request, transfers=False)
    if len(opened) > 1:
        answer = problem(
            404,
            "This token opens several indexes",
            "Name one in the address: /+t/TOKEN/USER/INDEX/+simple/",
            code="ambiguous_index",
        )
        return response_of(answer)
    token_request.page_path = path
    environ["PATH_INFO"] = f"/{opened[0]}/+simple{matched['rest'] or ''}"
    return None
