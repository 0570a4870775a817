"""Our answers as pyramid's responses."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pyramid.response

from devpi_entitlements.authentication import TokenRequest
from devpi_entitlements.devpi_types import PyramidResponse
from entitlements_core.engine.responses import redirect
from entitlements_core.policy.decision import Deny
from entitlements_core.refusals import refuse
from entitlements_core.wsgi import Response

__all__ = [
    "ImmediateResponse",
    "OwnResponse",
    "moved",
    "private",
    "refusal",
    "response_of",
]


class ImmediateResponse(Exception):
    """Ends a request before a view of devpi runs; carries the whole response."""

    def __init__(self, response: PyramidResponse) -> None:
        super().__init__(response.status)
        self.response = response


class OwnResponse(pyramid.response.Response):  # type: ignore[misc] # pyramid has no types
    """A response of ours, and not of one of devpi's views."""

    def _abs_headerlist(self, environ: dict[str, Any]) -> list[tuple[str, str]]:  # noqa: ARG002 - of webob
        """The headers as they are: webob would make a Location absolute, with the secret in it."""
        return list(self.headerlist)


def response_of(response: Response) -> PyramidResponse:
    """A response of the core as one of pyramid: exactly its status line, headers and body."""
    return OwnResponse(
        status=response.status_line, headerlist=list(response.headers), app_iter=response.body
    )


def moved(path: str, target: str) -> PyramidResponse:
    """A redirect between two paths of the server, which has no secret in it.

    The Location climbs from `path` (both begin with a slash, below the token's prefix) to the
    prefix, and no further; what the client put before it is not repeated.
    """
    climbing = "../" * (path.count("/") - 1) or "./"
    location = climbing + quote(target.lstrip("/"), safe="/+@")
    return response_of(redirect(location))


def refusal(deny: Deny, token_request: TokenRequest, *, transfers: bool) -> PyramidResponse:
    """What a token holder is told; `transfers` when the request is for a file or an upload."""
    scheme, agent = token_request.presented.scheme, token_request.user_agent
    return response_of(refuse(deny, scheme=scheme, transfers=transfers, agent=agent))


def private(response: PyramidResponse) -> PyramidResponse:
    """A response of devpi that no shared cache may keep.

    devpi marks files ``public``, and its own nginx configuration caches without regard to who asks.
    """
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary = {*(response.vary or ()), "Authorization", "Accept", "X-Devpi-Auth"}
    return response
