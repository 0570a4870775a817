"""Requests as adapters hand them over, and the answers that need no file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from entitlements_core.engine.reason_links import worded
from entitlements_core.http import Answer, Headers, Presented, line, problem, refuse
from entitlements_core.policy.decide import WRONG_LOGIN
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.network import IPAddress
from entitlements_core.policy.secret import looks_generated
from entitlements_core.simple import MediaType

__all__ = [
    "NOT_STORED",
    "Incoming",
    "Outgoing",
    "in_terms_of_logins",
    "method_refused",
    "not_acceptable",
    "not_ready",
    "outgoing",
    "redirect",
    "refused",
    "unsatisfiable",
]

NOT_STORED: Final[Headers] = (("Cache-Control", "no-store"), ("Content-Length", "0"))
"""Of an answer without a body that nobody keeps."""


_TO: Final = "307 Temporary Redirect"
_TOLD: Final = frozenset({402, 403, 410})
"""What is refused for good, and not for want of a login or of the thing itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request as an adapter hands it over.

    Attributes:
        method: upper case.
        path: below the repository, decoded, beginning with a slash; no token in it.
        presented: the secret, or None.
        address: of the client.
        headers: the WSGI environment, from which conditions and ranges are read.
        logins: the host knows people by name and password, too, and knew nobody here.
    """

    method: str
    path: str
    presented: Presented | None
    address: IPAddress | None
    headers: dict[str, Any]
    logins: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A response: WSGI status line, headers, chunks."""

    status: str
    headers: Headers
    body: Iterable[bytes]


def outgoing(answer: Answer) -> Outgoing:
    """An answer without a file, as a response."""
    return Outgoing(line(answer), answer.headers, [answer.body])


def refused(deny: Deny, request: Incoming, *, transfers: bool) -> Outgoing:
    """A refusal by the gate; `transfers` when the request was for a file."""
    deny = in_terms_of_logins(deny, request)
    form = request.presented.form if request.presented else None
    agent: str = request.headers.get("HTTP_USER_AGENT") or ""
    head = request.method == "HEAD"
    answer = refuse(deny, form=form, transfers=transfers, head=head, agent=agent)
    told = answer.status in _TOLD
    elsewhere = worded(request.path, deny, request.headers) if told else None
    if elsewhere is None:
        return outgoing(answer)
    return Outgoing(_TO, (("Location", elsewhere), *answer.headers), [answer.body])


def in_terms_of_logins(deny: Deny, request: Incoming) -> Deny:
    """The refusal of an unknown secret, where it may be the wrong password of an account."""
    presented = request.presented
    if not request.logins or presented is None or deny.reason is not Reason.UNKNOWN_TOKEN:
        return deny
    is_login = presented.names_account and not looks_generated(presented.secret)
    return WRONG_LOGIN if is_login else deny


def redirect(location: str) -> Outgoing:
    """To another address, for this time."""
    return Outgoing(_TO, (("Location", location), *NOT_STORED), [])


def method_refused(request: Incoming) -> Outgoing:
    """Neither GET nor HEAD."""
    refusal = outgoing(
        problem(405, "Method not allowed", f"{request.method[:20]} is not served.", code="method")
    )
    return Outgoing(refusal.status, (*refusal.headers, ("Allow", "GET, HEAD")), refusal.body)


def not_ready(request: Incoming) -> Outgoing:
    """The catalog was not built yet."""
    return outgoing(
        problem(
            503,
            "The index is being built",
            "Try again in a moment.",
            code="index_building",
            head=request.method == "HEAD",
        )
    )


def not_acceptable(request: Incoming) -> Outgoing:
    """The client takes none of the forms that a page has."""
    return outgoing(
        problem(
            406,
            "None of the accepted forms can be served",
            f"Accept one of {', '.join(MediaType)}.",
            code="not_acceptable",
            head=request.method == "HEAD",
        )
    )


def unsatisfiable(size: int, request: Incoming) -> Outgoing:
    """The range lies outside the file of `size` bytes."""
    refusal = outgoing(
        problem(
            416,
            "Range not satisfiable",
            f"The file has {size} bytes.",
            code="range",
            head=request.method == "HEAD",
        )
    )
    headers = (*refusal.headers, ("Content-Range", f"bytes */{size}"))
    return Outgoing(refusal.status, headers, refusal.body)
