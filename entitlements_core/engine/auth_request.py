"""The decision alone, for a server in front that sends the files itself: nginx's ``auth_request``.

It passes 401 and 403 only, and whatever else refuses is an error to it. What the response to the
request itself would have been stands in ``X-Entitlements-*`` headers.
"""

from typing import Final

from entitlements_core.engine.responses import NOT_STORED
from entitlements_core.http import AuthScheme, is_utf8
from entitlements_core.policy.decision import Deny
from entitlements_core.refusals import CHALLENGE, status_of, words
from entitlements_core.wsgi import Headers, Response

__all__ = ["FORBIDDEN", "NOT_READY", "allowed", "denied", "is_plain"]

FORBIDDEN: Final = Response(403, "Refused", NOT_STORED)
"""For an address that the server in front could read differently; it gets no reason."""
_UNAUTHORIZED: Final = 401


def is_plain(original: str, path: str) -> bool:
    """Whether a server in front can only mean what we read.

    It resolves dots, joins slashes, may take a backslash for one, and cuts at ``#`` or NUL before
    it picks the file; a decision on the text as it was sent could then be one on another file.

    Args:
        original: the address as it was sent.
        path: of it, decoded; a slash at its end leads to no other file.
    """
    parts = path.removesuffix("/").split("/")[1:]
    unread = "#" in original or "\\" in path or "\0" in path
    return not unread and is_utf8(path) and {"", ".", ".."}.isdisjoint(parts)


def allowed(status: int, headers: Headers = ()) -> Response:
    """Yes; with headers that tell the server in front what it needs to know."""
    return Response(status, "Allowed", (*NOT_STORED, *headers))


def denied(deny: Deny, scheme: AuthScheme | None) -> Response:
    """No, and why; a 401 has the challenge at which clients send what they have.

    Args:
        deny: the refusal of a file.
        scheme: how the secret travelled, None when there was none.
    """
    status = status_of(deny, scheme, transfers=True)
    told = (*NOT_STORED, *_told(status, deny.reason.value, words(deny)))
    if status == _UNAUTHORIZED:
        return Response(_UNAUTHORIZED, "Refused", (("WWW-Authenticate", CHALLENGE), *told))
    return Response(FORBIDDEN.status, "Refused", told)


def _told(status: int, code: str, reason: str) -> Headers:
    return (
        ("X-Entitlements-Status", str(status)),
        ("X-Entitlements-Code", code),
        ("X-Entitlements-Reason", reason),
    )


NOT_READY: Final = Response(
    403, "Refused", (*NOT_STORED, *_told(503, "index_building", "The index is being built"))
)
