"""Responses of an index that carry no file and no page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from entitlements_core.engine.reason_links import worded
from entitlements_core.policy.decide import WRONG_LOGIN
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.secret import looks_generated
from entitlements_core.refusals import problem, refuse
from entitlements_core.simple import MediaType
from entitlements_core.wsgi import Headers, Request, Response

__all__ = [
    "INTERNAL_ERROR",
    "NOT_STORED",
    "NOWHERE",
    "method_refused",
    "not_acceptable",
    "not_modified",
    "not_ready",
    "redirect",
    "refused",
    "unsatisfiable",
    "upload_refused",
]

NOT_STORED: Final[Headers] = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Length", "0"),
)
"""Of a response without a body that nobody keeps."""

NOWHERE: Final = problem(404, "Not found", code="not_found")
"""There is no repository at the address."""
INTERNAL_ERROR: Final = problem(500, "Internal error", code="internal")

_FOR_GOOD: Final = frozenset({402, 403, 410})
"""Refusals that a login would not change, of what is there."""


def refused(
    deny: Deny, request: Request, *, transfers: bool, reason_links: bool = False
) -> Response:
    """A refusal by the gate.

    Args:
        deny: the refusal.
        request: what was refused.
        transfers: the request was for a file (or an upload), not for a page.
        reason_links: clients that can be told nothing else may be sent to an address with the
            reason in it (`engine.reason_links`), since there it is refused or given likewise.
    """
    deny = as_login(deny, request)
    response = refuse(deny, scheme=request.scheme, transfers=transfers, agent=request.user_agent)
    links = reason_links and response.status in _FOR_GOOD
    location = worded(request.path, deny, request.environ) if links else None
    return response if location is None else _to(location, response.headers, response.body)


def upload_refused(deny: Deny, request: Request) -> Response:
    """The refusal of an upload; it is the same for what exists and what does not."""
    if deny.reason is Reason.NOT_FOUND:
        # There is nothing to hide from somebody who names the file: 404 would send them looking.
        return problem(
            403,
            "This upload is not covered by the entitlement",
            "Check the name and the version, and ask the vendor what you may upload.",
            code="not_covered",
        )
    return refused(deny, request, transfers=True)


def as_login(deny: Deny, request: Request) -> Deny:
    """The refusal of an unknown secret, where it may be the wrong password of an account."""
    presented = request.presented
    if not request.knows_logins or presented is None or deny.reason is not Reason.UNKNOWN_TOKEN:
        return deny
    is_login = presented.names_account and not looks_generated(presented.secret)
    return WRONG_LOGIN if is_login else deny


def redirect(location: str) -> Response:
    """To another address, for this time."""
    return _to(location, NOT_STORED, [])


def not_modified(headers: Headers) -> Response:
    """What the client has is what it would be sent."""
    return Response(304, "Not Modified", headers)


def method_refused(request: Request) -> Response:
    """Neither GET nor HEAD."""
    detail = f"{request.method[:20]} is not served."
    found = problem(405, "Method not allowed", detail, code="method")
    return _with(found, ("Allow", "GET, HEAD"))


def not_ready() -> Response:
    """The catalog was not built yet."""
    return problem(503, "The index is being built", "Try again in a moment.", code="index_building")


def not_acceptable() -> Response:
    """The client takes none of the forms that a page has."""
    return problem(
        406,
        "None of the accepted forms can be served",
        f"Accept one of {', '.join(MediaType)}.",
        code="not_acceptable",
    )


def unsatisfiable(size: int) -> Response:
    """The range lies outside the file of `size` bytes."""
    found = problem(416, "Range not satisfiable", f"The file has {size} bytes.", code="range")
    return _with(found, ("Content-Range", f"bytes */{size}"))


def _to(location: str, headers: Headers, body: Iterable[bytes]) -> Response:
    return Response(307, "Temporary Redirect", (("Location", location), *headers), body)


def _with(response: Response, header: tuple[str, str]) -> Response:
    return replace(response, headers=(*response.headers, header))
