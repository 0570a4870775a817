"""``/+authcheck`` for a server in front that sends the files itself (nginx's ``auth_request``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from devpi_entitlements.authentication import (
    REQUEST_KEY,
    AdmittedFile,
    TokenRequest,
    read_token_request,
)
from devpi_entitlements.authorization import admit_file
from devpi_entitlements.devpi_types import PyramidRequest, PyramidResponse
from devpi_entitlements.enforcement import DEVPI_CHALLENGE, become_anonymous, is_unconcerned
from devpi_entitlements.responses import response_of
from devpi_entitlements.site import Site
from entitlements_core.engine import auth_request
from entitlements_core.engine.downloads import part_sent_elsewhere
from entitlements_core.policy.decide import NOT_FOUND
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.resource import DistributionFile

__all__ = ["AUTHCHECK", "answer_authcheck"]

AUTHCHECK: Final = "/+authcheck"

FILE: Final = re.compile(r"/(?P<path>(?P<index>[^+/]+/[^+/]+)/\+[ef]/.+)")
FULL: Final = re.compile(r"(?i:https?)://(?:[\w.-]+|\[::1\])(?::[0-9]{1,5})?(?P<path>/.*)")
"""A full URI, with a host in which nothing else can hide."""
UNAUTHORIZED: Final = 401
OK: Final = 200


def answer_authcheck(
    site: Site, request: PyramidRequest, handler: Callable[[PyramidRequest], PyramidResponse]
) -> PyramidResponse:
    """Allow or refuse the request that the headers of this one describe; a download is counted.

    nginx passes 401 and 403 only; what the answer would have been stands in ``X-Entitlements-*``.
    Without a token it is devpi's answer, but that a stranger is asked to log in. An address that
    nginx reads in another way than devpi is refused to everybody.
    """
    environ = request.environ
    original = _without_host(environ.get("HTTP_X_ORIGINAL_URI") or "")
    if original is None:
        return response_of(auth_request.FORBIDDEN)
    method = environ.get("HTTP_X_ORIGINAL_METHOD") or "GET"
    path = unquote(original.partition("?")[0], "latin-1")
    token_request, rest = read_token_request(site, environ, method=method, path=path)
    is_plain = auth_request.is_plain(original, path)
    if token_request is None:
        return _challenging(handler(request)) if is_plain else response_of(auth_request.FORBIDDEN)
    environ[REQUEST_KEY] = token_request
    matched = FILE.fullmatch(rest)
    if matched is None or not token_request.request.reads or not is_plain:
        return response_of(auth_request.denied(NOT_FOUND, token_request.request.scheme))
    with site.reading() as model:
        stage = model.getstage(matched["index"])
        admitted = admit_file(site, token_request, stage, matched["path"])
        passes_by = isinstance(admitted, Deny) and is_unconcerned(
            site, token_request, stage, admitted
        )
    if passes_by:
        become_anonymous(environ)
        return _challenging(handler(request))
    if isinstance(admitted, AdmittedFile) and method == "GET":
        denied = _count(site, token_request, admitted)
        admitted = admitted if denied is None else denied
    if isinstance(admitted, Deny):
        return response_of(auth_request.denied(admitted, token_request.request.scheme))
    return response_of(auth_request.allowed(OK))


def _without_host(uri: str) -> str | None:
    """The path and query of a URI, which may be a full one, as devpi reads it; None: none has it.

    The host of a full one is what a client says, and could swallow the beginning of the path.
    """
    if not uri or uri.startswith("/"):
        return uri
    matched = FULL.fullmatch(uri)
    return None if matched is None else matched["path"]


def _count(site: Site, token_request: TokenRequest, admitted: AdmittedFile) -> Deny | None:
    resource = admitted.question.resource
    if admitted.is_metadata or not isinstance(resource, DistributionFile):
        return None
    part = part_sent_elsewhere(token_request.request, resource.facts.size)
    reserved = site.gate.reserve(admitted.question, part, token_request.user_agent)
    return reserved if isinstance(reserved, Deny) else None


def _challenging(response: PyramidResponse) -> PyramidResponse:
    """With the challenge that makes a client offer a login; devpi leaves it out here."""
    if response.status_code == UNAUTHORIZED:
        response.headers.setdefault("WWW-Authenticate", DEVPI_CHALLENGE)
    return response
