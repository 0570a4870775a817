"""Pure: one request as every host hands it over, one response as every host can send it (PEP 3333).

A `Request` is read from a WSGI environment, a `Response` is a WSGI application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Final

from entitlements_core.http import (
    AuthScheme,
    ByteRange,
    Presented,
    encodes,
    read_authorization,
    read_range,
    split_token_path,
)
from entitlements_core.policy.network import IPAddress

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = [
    "BODY_HEADERS",
    "FILE_HEADERS",
    "PAGE_HEADERS",
    "PRIVATE_HEADERS",
    "ExcInfo",
    "Headers",
    "Locate",
    "Request",
    "Response",
]

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
"""As `sys.exc_info` gives it; what PEP 3333 lets an application hand to ``start_response``."""

Locate = Callable[["WSGIEnvironment"], IPAddress | None]
"""Reads where a request comes from; see `forwarded.Proxies` and `services.client_addresses`."""

Headers = tuple[tuple[str, str], ...]
"""Of a response, in order."""

BODY_HEADERS: Final[Headers] = (
    ("Vary", "Accept, Authorization"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
"""On whatever depends on who asks: no secret goes to the next site."""
PRIVATE_HEADERS: Final[Headers] = (("Cache-Control", "private, no-cache"), *BODY_HEADERS)
"""Revalidated each time, and never shared."""
PAGE_HEADERS: Final[Headers] = (
    *PRIVATE_HEADERS,
    ("Content-Security-Policy", "default-src 'none'; sandbox allow-top-navigation"),
)
"""On every page."""
FILE_HEADERS: Final[Headers] = (*PRIVATE_HEADERS, ("Accept-Ranges", "bytes"))
"""On every distribution file and its core metadata."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request for something in one repository.

    Attributes:
        method: upper case.
        path: below the repository, decoded once, beginning with a slash; no token in it.
        presented: the secret, or None.
        address: of the client, None where it cannot be told.
        environ: the WSGI environment that it was read from.
        knows_logins: the host knows people by name and password, too, and knew nobody here.
    """

    method: str
    path: str
    presented: Presented | None
    address: IPAddress | None
    environ: WSGIEnvironment
    knows_logins: bool = False

    @classmethod
    def of(
        cls,
        environ: WSGIEnvironment,
        locate: Locate,
        *,
        method: str | None = None,
        path: str | None = None,
        knows_logins: bool = False,
    ) -> Request:
        """The request of an environment. A token in the path beats any header.

        Args:
            environ: is not changed.
            locate: reads the address.
            method: where it is another one than that of `environ`.
            path: decoded, perhaps with a token, where it is another one than that of `environ`.
            knows_logins: see above.
        """
        asked = (environ.get("PATH_INFO") or "/") if path is None else path
        token_path = split_token_path(asked)
        if token_path is None:
            presented = read_authorization(environ.get("HTTP_AUTHORIZATION"))
        else:
            presented, asked = Presented(token_path.secret, AuthScheme.PATH), token_path.rest
        return cls(
            method=method or environ["REQUEST_METHOD"],
            path=asked,
            presented=presented,
            address=locate(environ),
            environ=environ,
            knows_logins=knows_logins,
        )

    def at(self, path: str) -> Request:
        """The same request, of another path."""
        return self if path == self.path else replace(self, path=path)

    @property
    def reads(self) -> bool:
        """It changes nothing: a GET or HEAD."""
        return self.method in {"GET", "HEAD"}

    @property
    def is_head(self) -> bool:
        """Only the headers of a GET are asked for."""
        return self.method == "HEAD"

    @property
    def scheme(self) -> AuthScheme | None:
        """How the secret travelled, None where there was none."""
        return None if self.presented is None else self.presented.scheme

    @property
    def user_agent(self) -> str:
        """As the client sent it, or empty."""
        return self.environ.get("HTTP_USER_AGENT") or ""

    @property
    def if_none_match(self) -> str | None:
        """The header of RFC 9110 §13.1.2."""
        return self.environ.get("HTTP_IF_NONE_MATCH")

    def byte_range(self, size: int, *, etag: str, elsewhere: bool = False) -> ByteRange | None:
        """The one range of a file that the response to a GET carries; None for all of it.

        Args:
            size: of the file, in bytes.
            etag: of the file; an If-Range that names another one asks for all of it.
            elsewhere: another server sends the bytes. It knows the file by another ETag, and may
                compress: whenever it could send all of the file, that is what is counted.

        Raises:
            ValueError: when the range lies outside the file (status 416).
        """
        condition = self.environ.get("HTTP_IF_RANGE")
        if self.method != "GET" or (condition is not None and (elsewhere or condition != etag)):
            return None
        if elsewhere and encodes(self.environ.get("HTTP_ACCEPT_ENCODING")):
            return None
        return read_range(self.environ.get("HTTP_RANGE"), size)


@dataclass(frozen=True, slots=True)
class Response:
    """A response, and the WSGI application that gives it.

    Attributes:
        status: the HTTP status code.
        reason: the reason phrase, printable ASCII.
        headers: in order, Content-Length included.
        body: in pieces; not sent in a response to HEAD. Servers send a list at once, anything else
            in steps, so an empty body is a list.
    """

    status: int
    reason: str
    headers: Headers
    body: Iterable[bytes] = field(default_factory=list)

    @property
    def status_line(self) -> str:
        """The status as WSGI has it."""
        return f"{self.status} {self.reason}"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        start_response(f"{self.status} {self.reason}", list(self.headers))
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else self.body
