"""Pure: how the headers and the path of a request are read.

A secret travels as RFC 7617 (Basic) or RFC 6750 (Bearer) has it, or in our token index URL,
``/+t/SECRET/…``; conditions and ranges are those of RFC 9110.
"""

import base64
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

__all__ = [
    "TOKEN_USERS",
    "AuthScheme",
    "ByteRange",
    "Presented",
    "TokenPath",
    "encodes",
    "etag_matches",
    "is_plain_path",
    "is_utf8",
    "read_authorization",
    "read_range",
    "split_token_path",
]

TOKEN_MARKER: Final = "+t"  # noqa: S105 - the marker before a secret, not a secret
TOKEN_USERS: Final = frozenset({"token", "__token__", ""})
"""User names that stand before a token, and are nobody's account."""
MAX_AUTHORIZATION: Final = 4096


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
        scheme: how it travelled.
        username: of basic auth, or empty.
    """

    secret: str
    scheme: AuthScheme
    username: str = ""

    def __repr__(self) -> str:
        return f"Presented(scheme={self.scheme.value})"

    @property
    def names_account(self) -> bool:
        """It is a user name with a password, though it may as well be a token with any name."""
        return self.scheme is AuthScheme.BASIC and self.username not in TOKEN_USERS


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
    return _ENCODED_SLASH.search(raw.partition("?")[0]) is None and is_utf8(path)


def is_utf8(path: str) -> bool:
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
