"""``/+entitlements/me``: a user of devpi is shown an entitlement token of their own."""

from __future__ import annotations

import json
import logging
from typing import Final

from devpi_entitlements.devpi_types import PyramidRequest, PyramidResponse
from devpi_entitlements.enforcement import DEVPI_CHALLENGE
from devpi_entitlements.responses import response_of
from devpi_entitlements.site import site_of
from entitlements_core.errors import EntitlementsError, InvalidValue, NotFound, Refused
from entitlements_core.plugins import UNAVAILABLE
from entitlements_core.refusals import problem, refuse
from entitlements_core.wsgi import Response

__all__ = ["show_own_token"]

log: Final = logging.getLogger("entitlements.devpi")


def show_own_token(request: PyramidRequest) -> PyramidResponse:
    """The token of the user who is logged in, for ``?index=USER/INDEX``; made when there is none.

    JSON of the repository, the token's identifier and secret, and the index URL to use.
    """
    site = site_of(request)
    identity = request.identity
    if identity is None:
        response = response_of(
            problem(401, "Login required", "Log in as a user of devpi.", code="unauthorized")
        )
        response.headers["WWW-Authenticate"] = DEVPI_CHALLENGE
        return response
    if not request.has_permission("user_login"):
        # As for devpi's own login: a token of devpi-tokens must not be exchanged for a better one.
        return response_of(
            problem(403, "Log in with your password", "This login is limited.", code="refused")
        )
    repository = request.GET.get("index", "")
    try:
        issued = site.core.user_tokens.get(identity.username, repository)
    except (InvalidValue, NotFound, Refused) as error:
        return response_of(problem(403, error.problem, error.remedy, code=error.code))
    except EntitlementsError as error:
        # What is wrong with the store or the key is for administrators alone.
        log.error("the token of a user for %r cannot be found out: %s", repository[:80], error)
        return response_of(refuse(UNAVAILABLE, transfers=True))
    shown = {
        "repository": repository,
        "identifier": issued.token.identifier,
        "token": issued.secret,
        "index_url": f"{request.application_url}/{repository}/+simple/",
    }
    body = (json.dumps(shown, indent=2) + "\n").encode()
    headers = (
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    )
    return response_of(Response(200, "OK", headers, [body]))
