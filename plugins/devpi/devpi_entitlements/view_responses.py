"""What a view of devpi answered to a token holder, as it goes out."""

from __future__ import annotations

from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import Final
from urllib.parse import unquote, urlsplit

from devpi_server.filestore import get_core_metadata
from packaging.utils import canonicalize_name
from pyramid.response import FileIter

from devpi_entitlements.authentication import AdmittedFile, TokenRequest
from devpi_entitlements.devpi_types import PyramidRequest, PyramidResponse
from devpi_entitlements.responses import OwnResponse, moved, refusal, response_of
from devpi_entitlements.routes import RouteKind, route_kind
from devpi_entitlements.site import Site
from entitlements_core.engine.core_metadata import is_announceable
from entitlements_core.engine.pages import Page
from entitlements_core.engine.responses import NOT_STORED
from entitlements_core.http import ByteRange
from entitlements_core.policy.decide import NOT_FOUND
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.resource import DistributionFile
from entitlements_core.refusals import phrase, problem
from entitlements_core.wsgi import FILE_HEADERS, PRIVATE_HEADERS, Headers, Response

__all__ = ["deliver"]


SERIAL: Final = "X-DEVPI-SERIAL"
REDIRECTS: Final = range(300, 400)
OK: Final = 200
IN_MEMORY: Final = 8 * 1024 * 1024
"""Bytes of a file that are kept without a temporary file."""


def deliver(
    site: Site, request: PyramidRequest, token_request: TokenRequest, response: PyramidResponse
) -> PyramidResponse:
    """The response to send instead of devpi's; nothing of devpi's goes out unlooked at."""
    if isinstance(response, OwnResponse):
        return _without_host_headers(response)
    if response.status_code in REDIRECTS:
        return _redirect(request, token_request, response)
    if request.method == "POST":
        return _stored(response)
    return _read(site, request, token_request, response)


def _read(
    site: Site, request: PyramidRequest, token_request: TokenRequest, response: PyramidResponse
) -> PyramidResponse:
    if response.status_code == OK and token_request.awaited is not None:
        if token_request.awaited.arrives_whole:
            return _metadata_of(token_request, token_request.awaited, response)
        return _file(site, request, token_request, token_request.awaited, response)
    if response.status_code == OK and token_request.visible is not None:
        return _page(site, token_request, response)
    return _failed(token_request, response)


def _page(site: Site, token_request: TokenRequest, response: PyramidResponse) -> PyramidResponse:
    # Read after devpi's transaction, as the server would; the links are in memory by then.
    body = b"".join(response.app_iter)
    _close(response)
    if token_request.is_empty():
        return refusal(NOT_FOUND, token_request, transfers=False)
    page = Page.of(body, response.headers["Content-Type"])
    if token_request.page_key is not None and token_request.is_settled:
        site.pages.keep(token_request.page_key, int(response.headers[SERIAL]), page)
    return response_of(page.response(token_request.request))


def _file(
    site: Site,
    request: PyramidRequest,
    token_request: TokenRequest,
    admitted: AdmittedFile,
    response: PyramidResponse,
) -> PyramidResponse:
    """A file that devpi fetches while it sends it, or the core metadata of one."""
    length = response.content_length
    if length is None and request.method == "GET":
        length = _receive(response)
    headers: Headers = (
        ("Content-Type", "application/octet-stream"),
        *PRIVATE_HEADERS,
        *(() if length is None else (("Content-Length", str(length)),)),
    )
    if request.method == "HEAD":
        _close(response)
        return response_of(Response(200, "OK", headers))
    if not admitted.is_metadata:
        denied = _reserve(site, token_request, admitted, length or 0)
        if denied is not None:
            _close(response)
            return refusal(denied, token_request, transfers=True)
    return response_of(Response(200, "OK", headers, response.app_iter))


def _receive(response: PyramidResponse) -> int:
    """All of a file whose size upstream does not tell: only what is known can be counted."""
    arrived = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed by whoever sends it
    try:
        for chunk in response.app_iter:
            arrived.write(chunk)
    except BaseException:
        arrived.close()
        raise
    _close(response)
    length = arrived.tell()
    arrived.seek(0)
    response.app_iter = FileIter(arrived)
    return length


def _metadata_of(
    token_request: TokenRequest, admitted: AdmittedFile, response: PyramidResponse
) -> PyramidResponse:
    """The core metadata of a file that devpi fetches now; nobody was counted for the file."""
    entry = admitted.entry
    with SpooledTemporaryFile(max_size=IN_MEMORY) as arrived:
        for chunk in response.app_iter:
            arrived.write(chunk)
        _close(response)
        found = get_core_metadata(arrived, entry.project, entry.version, basename=entry.basename)
    if found is None or not is_announceable(found):
        return refusal(NOT_FOUND, token_request, transfers=True)
    headers = (
        ("Content-Type", "application/octet-stream"),
        ("Content-Length", str(len(found))),
        *FILE_HEADERS,
    )
    return response_of(Response(200, "OK", headers, [found]))


def _reserve(
    site: Site, token_request: TokenRequest, admitted: AdmittedFile, length: int
) -> Deny | None:
    question = admitted.question
    if isinstance(question.resource, DistributionFile):
        sized = DistributionFile(replace(question.resource.facts, size=length))
        question = replace(question, resource=sized)
    reserved = site.gate.reserve(question, ByteRange(0, length), token_request.user_agent)
    return reserved if isinstance(reserved, Deny) else None


def _redirect(
    request: PyramidRequest, token_request: TokenRequest, response: PyramidResponse
) -> PyramidResponse:
    """To the normalised name of a project; any other would tell of the secret, or of elsewhere."""
    location = unquote(urlsplit(str(response.location or "")).path)
    _close(response)
    target = _normalized_page(request)
    if target is not None and location == f"{request.script_name}{target}":
        return moved(token_request.page_path or request.path_info, target)
    if token_request.awaited is None:
        return refusal(NOT_FOUND, token_request, transfers=False)
    answer = problem(
        403,
        "This index has its files elsewhere",
        "Ask the vendor to serve them: mirror_use_external_urls=False.",
        code="external_file",
    )
    return response_of(answer)


def _normalized_page(request: PyramidRequest) -> str | None:
    """Where the page of a project is that was asked for by another spelling of its name."""
    route = getattr(request, "matched_route", None)  # a tween may answer before there is one
    found = getattr(request, "matchdict", None) or {}
    if route is None or route_kind(route.name) is not RouteKind.PAGE or "project" not in found:
        return None
    target = f"/{found['user']}/{found['index']}/+simple/{canonicalize_name(found['project'])}/"
    return None if target == request.path_info else target


def _stored(response: PyramidResponse) -> PyramidResponse:
    """The end of an upload: stored, or in devpi's words why not."""
    status, _, words = response.status.partition(" ")
    _close(response)
    if response.status_code == OK:
        # A replica that passed the upload on waits until it has the commit of this number.
        serial = ((SERIAL, response.headers[SERIAL]),) if SERIAL in response.headers else ()
        return response_of(Response(200, phrase(words), (*NOT_STORED, *serial)))
    answer = problem(int(status), words, "See the reason.", code="upload_refused")
    return response_of(answer)


def _failed(token_request: TokenRequest, response: PyramidResponse) -> PyramidResponse:
    """Of devpi's error pages only the status remains; they show addresses and versions."""
    _close(response)
    if response.status_code < 500:  # noqa: PLR2004 - HTTP
        transfers = token_request.awaited is not None
        return refusal(NOT_FOUND, token_request, transfers=transfers)
    answer = problem(
        response.status_code,
        "The index cannot answer this now",
        "Try again in a few minutes; if this goes on, tell the vendor.",
        code="index_unavailable",
    )
    return response_of(answer)


def _without_host_headers(response: PyramidResponse) -> PyramidResponse:
    """Without devpi's own, which tell its version and the number of its last commit."""
    for name in [name for name in response.headers if name.lower().startswith("x-devpi-")]:
        del response.headers[name]
    return response


def _close(response: PyramidResponse) -> None:
    close = getattr(response.app_iter, "close", None)
    if close is not None:
        close()
