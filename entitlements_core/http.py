"""Pure: which secret a request carries, and what a refusal looks like on the wire.

The forms are those of RFC 7617 (Basic), RFC 6750 (Bearer) and our token index URL,
``/+t/SECRET/…``. A refusal is a status, a custom reason phrase (the only text that pip, Poetry and
pipenv print) and a body of exactly ``application/problem+json`` (RFC 9457; what uv prints).
"""

import base64
import json
import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.instants import instant

__all__ = [
    "CHALLENGE",
    "FILE_HEADERS",
    "PAGE_HEADERS",
    "TOKEN_USERS",
    "Answer",
    "AuthScheme",
    "ByteRange",
    "Headers",
    "Presented",
    "TokenPath",
    "encodes",
    "etag_matches",
    "is_plain_path",
    "line",
    "phrase",
    "problem",
    "read_authorization",
    "read_range",
    "refuse",
    "split_token_path",
    "status_of",
    "words",
]

PROBLEM_JSON: Final = "application/problem+json"
TOKEN_MARKER: Final = "+t"  # noqa: S105 - the marker before a secret, not a secret
CHALLENGE: Final = 'Basic realm="packages", charset="UTF-8"'
TOKEN_USERS: Final = frozenset({"token", "__token__", ""})
"""User names that stand before a token, and are nobody's account."""
MAX_REASON: Final = 100
MAX_AUTHORIZATION: Final = 4096

_PRIVATE: Final = (
    ("Cache-Control", "private, no-cache"),
    ("Vary", "Accept, Authorization"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
PAGE_HEADERS: Final = (
    *_PRIVATE,
    ("Content-Security-Policy", "default-src 'none'; sandbox allow-top-navigation"),
)
"""On every page: revalidated each time, never shared, no secret to the next site."""
FILE_HEADERS: Final = (*_PRIVATE, ("Accept-Ranges", "bytes"))
"""On every distribution file and its core metadata."""

Headers = tuple[tuple[str, str], ...]


class AuthScheme(Enum):
    """How a secret travelled. A path is not a login: a client must not be asked for a password."""

    PATH = "path"
    BASIC = "basic"
    BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request presents.

    Attributes:
        secret: never shown, logged or kept; left out of ``repr``.
        form: how it travelled.
        username: of basic auth, or empty.
    """

    secret: str
    form: AuthScheme
    username: str = ""

    def __repr__(self) -> str:
        return f"Presented(form={self.form.value})"

    @property
    def names_account(self) -> bool:
        """It is a user name with a password, though it may as well be a token with any name."""
        return self.form is AuthScheme.BASIC and self.username not in TOKEN_USERS


@dataclass(frozen=True, slots=True)
class TokenPath:
    """A path below ``/+t/SECRET``.

    Attributes:
        secret: as it stands in the path.
        prefix: ``/+t/SECRET``, which moves from PATH_INFO to SCRIPT_NAME so that every link a host
            writes stays below it.
        rest: what remains, beginning with a slash.
    """

    secret: str
    prefix: str
    rest: str

    def __repr__(self) -> str:
        return f"TokenPath(rest={self.rest!r})"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response that needs no file.

    Attributes:
        status: the HTTP status code.
        reason: the reason phrase, printable ASCII.
        headers: in order; Content-Length included.
        body: complete.
    """

    status: int
    reason: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The one range that is sent, RFC 9110 §14: `start` inclusive, `stop` exclusive, in bytes."""

    start: int
    stop: int


_AMBIGUOUS: Final = re.compile(r"//|/\.{1,2}(?:/|$)|[\\%;\x00-\x1f\x7f\ufffd]")
_ENCODED_SLASH: Final = re.compile("%2f", re.IGNORECASE)


def is_plain_path(path: str, raw: str = "") -> bool:
    """Whether every server and framework reads the same address in a path.

    That is the normal form of RFC 3986 §6.2.2, and nothing that a second reader could decode,
    resolve, cut or join once more: no ``.``, ``..`` or empty segment (the last may be empty), no
    backslash, ``;``, percent sign or control character, and no encoded slash.

    Args:
        path: decoded once, as text (or as PEP 3333 has it, bytes as latin-1), beginning with a
            slash.
        raw: the same as it was sent, where that is known. Only here an encoded slash can be told
            from a slash.
    """
    if not path.startswith("/") or _AMBIGUOUS.search(path) is not None:
        return False
    return _ENCODED_SLASH.search(raw.partition("?")[0]) is None and _is_utf8(path)


def _is_utf8(path: str) -> bool:
    """Whether the bytes are UTF-8: lenient decoders read slashes and dots in what is not."""
    if path.isascii():
        return True
    try:
        path.encode("latin-1").decode()
    except UnicodeEncodeError:
        return True  # it is text already, decoded by the server
    except UnicodeDecodeError:
        return False
    return True


def split_token_path(path: str) -> TokenPath | None:
    """The secret in a path that begins with ``/+t/``; None when it does not.

    ``/+t`` and ``/+t/`` give an empty secret, which is no token's.
    """
    marker = f"/{TOKEN_MARKER}"
    if path != marker and not path.startswith(f"{marker}/"):
        return None
    secret, slash, rest = path[len(marker) + 1 :].partition("/")
    return TokenPath(secret, f"{marker}/{secret}", slash + rest or "/")


def read_authorization(header: str | None) -> Presented | None:
    """The secret of an ``Authorization`` header; None when there is none or it cannot be read.

    With Basic, the password is the secret whatever the user name says (``token``, ``__token__``);
    with an empty password the user name is, so that ``https://SECRET@host/`` works. Only the secret
    has to be UTF-8.
    """
    if not header or len(header) > MAX_AUTHORIZATION:
        return None
    scheme, _, value = header.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer" and value:
        return Presented(value, AuthScheme.BEARER)
    if scheme.lower() == "basic":
        return _read_basic(value)
    return None


def _read_basic(value: str) -> Presented | None:
    try:
        name, _, password = base64.b64decode(value, validate=True).partition(b":")
        secret = (password or name).decode()
    except ValueError:
        return None
    return (
        Presented(secret, AuthScheme.BASIC, _user_name(name) if password else "")
        if secret
        else None
    )


def _user_name(name: bytes) -> str:
    """A user name in UTF-8, as RFC 7617 asks for, or in ISO 8859-1, as pip and requests send it."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


_HIDDEN_PAGE: Final = (
    Reason.TOKEN_DISABLED,
    Reason.USER_WITHOUT_ACCESS,
    Reason.ADDRESS_DENIED,
    Reason.ADDRESS_UNKNOWN,
    Reason.VETOED,
)
"""Refusals of a page, with a code that resolvers do not step over (402)."""


_HARD: Final = frozenset({402, 410})
"""What a page is refused with where no login would help, and waiting neither."""
_UNREADABLE: Final = 300


def status_of(deny: Deny, form: AuthScheme | None, *, transfers: bool) -> int:
    """The status code of a refusal.

    A file says 403, from which every client recovers the text. A page that may not be shown says
    402 or 410: resolvers treat 401, 403 and 404 on a page as "look elsewhere". In a path, an
    unknown token is 410 and never 401, at which pip would ask for a password.

    Args:
        deny: the refusal.
        form: how the secret travelled, None when there was none.
        transfers: the request is for a file (or an upload), not for a page.
    """
    if deny.reason in {Reason.UNAUTHORIZED, Reason.UNKNOWN_TOKEN}:
        return 410 if form is AuthScheme.PATH else 401
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
    form: AuthScheme | None = None,
    transfers: bool = False,
    head: bool = False,
    agent: str = "",
) -> Answer:
    """The response that tells a client of a refusal, in the words that it will print.

    pip prints nothing of a page that it is refused, and goes on as if there was none. What it does
    print is the content type of a page that it cannot read, for which the status has to be below
    400. So it alone is answered 300, which leads nowhere and is no success either.

    Args:
        deny: the refusal.
        form: how the secret travelled, None when there was none.
        transfers: the request was for a file (or an upload), not for a page.
        head: the request was a HEAD: headers as for GET, no body.
        agent: the User-Agent, or empty where it does not matter.
    """
    texts = {"title": deny.title, "detail": deny.remedy, "code": deny.reason.value}
    if deny.retry_at is not None:
        texts["retry_at"] = instant(deny.retry_at)
    status, reason = status_of(deny, form, transfers=transfers), words(deny)
    answer = _problem(status, texts, head=head, reason=reason)
    is_page_of_pip = not transfers and status in _HARD and agent.startswith("pip/")
    return _for_pip(answer) if is_page_of_pip else answer


def _for_pip(answer: Answer) -> Answer:
    quoted = re.sub(r'(["\\])', r"\\\1", answer.reason)
    content_type = ("Content-Type", f'{PROBLEM_JSON}; title="{quoted}"')
    others = (pair for pair in answer.headers if pair[0] != "Content-Type")
    return replace(answer, status=_UNREADABLE, headers=(content_type, *others))


def words(deny: Deny) -> str:
    """The reason phrase of a refusal; it ends with whom to ask where that has room and is ASCII."""
    asked = f"{deny.title}; ask {deny.contact}"
    return asked if deny.contact and phrase(asked) == asked else phrase(deny.title)


def _problem(status: int, texts: dict[str, str], *, head: bool, reason: str) -> Answer:
    body = json.dumps({"type": "about:blank", "status": status, **texts}).encode()
    headers: Headers = (
        ("Content-Type", PROBLEM_JSON),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("Vary", "Accept, Authorization"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    )
    if status == 401:  # noqa: PLR2004 - RFC 9110: a 401 carries a challenge
        headers = (*headers, ("WWW-Authenticate", CHALLENGE))
    return Answer(status, reason, headers, b"" if head else body)


def phrase(text: str) -> str:
    """`text` as a reason phrase: printable ASCII, at most 100 characters, no line break."""
    printable = "".join(char if " " <= char <= "~" else "?" for char in text)
    return printable if len(printable) <= MAX_REASON else f"{printable[: MAX_REASON - 3]}..."


def line(answer: Answer) -> str:
    """The WSGI status line of an answer."""
    return f"{answer.status} {answer.reason}"


def etag_matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names `etag` (quoted, strong), RFC 9110 §13.1.2."""
    if not header:
        return False
    if header.strip() == "*":
        return True
    return any(item.strip().removeprefix("W/") == etag for item in header.split(","))


def encodes(accept_encoding: str | None) -> bool:
    """Whether a server may compress what it sends, and then ignores ranges; RFC 9110 §12.5.3."""
    codings = (
        item.partition(";")[0].strip().lower() for item in (accept_encoding or "").split(",")
    )
    return any(coding not in {"", "identity"} for coding in codings)


def read_range(header: str | None, size: int) -> ByteRange | None:
    """The range to send of a file of `size` bytes; None means all of it.

    An unreadable header, another unit and several ranges are ignored, as RFC 9110 §14.2 permits:
    the answer is then the whole file.

    Raises:
        ValueError: when the range lies outside the file (status 416).
    """
    if not header:
        return None
    unit, _, spec = header.partition("=")
    first, dash, last = spec.strip().partition("-")
    if unit.lower() != "bytes" or not dash or not _digits(first) or not _digits(last):
        return None
    if not first:
        return _last_bytes(last, size)
    start = _number(first)
    if last and _number(last) < start:
        return None
    if start >= size:
        raise ValueError(f"range begins at {start}, the file has {size} bytes")
    return ByteRange(start, min(_number(last) + 1, size) if last else size)


def _last_bytes(count: str, size: int) -> ByteRange | None:
    if not count:
        return None
    wanted = _number(count)
    if wanted == 0 or size == 0:
        raise ValueError(f"the last {wanted} of {size} bytes are none")
    return ByteRange(max(size - wanted, 0), size)


def _digits(text: str) -> bool:
    return text == "" or (text.isascii() and text.isdigit())


def _number(text: str) -> int:
    # Longer than any file size, and int() would refuse thousands of digits with an error.
    return int(text) if len(text) <= 19 else 10**19  # noqa: PLR2004 - digits of 2**63


def problem(status: int, title: str, detail: str = "", *, code: str, head: bool = False) -> Answer:
    """A refusal that is no decision: a method, form or range that cannot be served.

    Args:
        status: the HTTP status code.
        title: becomes the reason phrase.
        detail: what to do.
        code: a stable word.
        head: leave out the body.
    """
    texts = {"title": title, "detail": detail, "code": code}
    return _problem(status, texts, head=head, reason=phrase(title))
