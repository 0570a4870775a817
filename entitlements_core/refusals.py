"""Pure: what a refusal looks like on the wire.

It is a status, a custom reason phrase (the only text that pip, Poetry and pipenv print) and a body
of exactly ``application/problem+json`` (RFC 9457; what uv prints).
"""

import json
import re
from dataclasses import replace
from typing import Final

from entitlements_core.http import AuthScheme
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.instants import instant
from entitlements_core.wsgi import BODY_HEADERS, Headers, Response

__all__ = ["CHALLENGE", "phrase", "problem", "refuse", "status_of", "words"]

PROBLEM_JSON: Final = "application/problem+json"
CHALLENGE: Final = 'Basic realm="packages", charset="UTF-8"'
MAX_REASON: Final = 100

_HIDDEN_PAGE: Final = (
    Reason.USER_WITHOUT_ACCESS,
    Reason.ADDRESS_DENIED,
    Reason.ADDRESS_UNKNOWN,
    Reason.VETOED,
)
"""Refusals of a page, with a code that resolvers do not step over (402). The policy refuses no page
for a state of the token, so these are none of them."""


_HARD: Final = frozenset({402, 410})
"""Statuses of a page that neither a login nor waiting would change."""
_UNREADABLE: Final = 300


def status_of(deny: Deny, scheme: AuthScheme | None, *, transfers: bool) -> int:
    """The status code of a refusal.

    A file says 403, from which every client recovers the text. A page that may not be shown says
    402 or 410: resolvers treat 401, 403 and 404 on a page as "look elsewhere". In a path, an
    unknown token is 410 and never 401, at which pip would ask for a password.

    Args:
        deny: the refusal.
        scheme: how the secret travelled, None when there was none.
        transfers: the request is for a file (or an upload), not for a page.
    """
    if deny.reason in {Reason.UNAUTHORIZED, Reason.UNKNOWN_TOKEN}:
        return 410 if scheme is AuthScheme.PATH else 401
    if deny.reason is Reason.NOT_FOUND:
        return 404
    if deny.reason in {Reason.VALIDATION_UNAVAILABLE, Reason.TOO_MANY_GUESSES}:
        return 503
    if deny.reason in _HIDDEN_PAGE and not transfers:
        return 402
    return 403


def refuse(
    deny: Deny,
    *,
    scheme: AuthScheme | None = None,
    transfers: bool = False,
    agent: str = "",
) -> Response:
    """The response that tells a client of a refusal, in the words that it will print.

    pip prints nothing of a page that it is refused, and goes on as if there was none. What it does
    print is the content type of a page that it cannot read, for which the status has to be below
    400. So it alone is answered 300, which leads nowhere and is no success either.

    Args:
        deny: the refusal.
        scheme: how the secret travelled, None when there was none.
        transfers: the request was for a file (or an upload), not for a page.
        agent: the User-Agent, or empty where it does not matter.
    """
    texts = {"title": deny.title, "detail": deny.remedy, "code": deny.reason.value}
    if deny.retry_at is not None:
        texts["retry_at"] = instant(deny.retry_at)
    status, reason = status_of(deny, scheme, transfers=transfers), words(deny)
    answer = _problem(status, texts, reason=reason)
    is_page_of_pip = not transfers and status in _HARD and agent.startswith("pip/")
    return _for_pip(answer) if is_page_of_pip else answer


def _for_pip(answer: Response) -> Response:
    quoted = re.sub(r'(["\\])', r"\\\1", answer.reason)
    content_type = ("Content-Type", f'{PROBLEM_JSON}; title="{quoted}"')
    others = (pair for pair in answer.headers if pair[0] != "Content-Type")
    return replace(answer, status=_UNREADABLE, headers=(content_type, *others))


def words(deny: Deny) -> str:
    """The reason phrase of a refusal; it ends with whom to ask where that has room and is ASCII."""
    asked = f"{deny.title}; ask {deny.contact}"
    return asked if deny.contact and phrase(asked) == asked else phrase(deny.title)


def _problem(status: int, texts: dict[str, str], *, reason: str) -> Response:
    body = json.dumps({"type": "about:blank", "status": status, **texts}).encode()
    headers: Headers = (
        ("Content-Type", PROBLEM_JSON),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *BODY_HEADERS,
    )
    if status == 401:  # noqa: PLR2004 - RFC 9110: a 401 carries a challenge
        headers = (*headers, ("WWW-Authenticate", CHALLENGE))
    return Response(status, reason, headers, [body])


def phrase(text: str) -> str:
    """`text` as a reason phrase: printable ASCII, at most 100 characters, no line break."""
    printable = "".join(char if " " <= char <= "~" else "?" for char in text)
    return printable if len(printable) <= MAX_REASON else f"{printable[: MAX_REASON - 3]}..."


def problem(status: int, title: str, detail: str = "", *, code: str) -> Response:
    """A response to what the policy was not asked about, such as a method or a range; RFC 9457.

    Args:
        status: the HTTP status code.
        title: becomes the reason phrase.
        detail: what to do.
        code: a stable word.
    """
    texts = {"title": title, "detail": detail, "code": code}
    return _problem(status, texts, reason=phrase(title))
