"""A file that an app's own view sends: counted before, corrected by what the view answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from entitlements_core.http import ByteRange
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Deny
from entitlements_core.policy.resource import DistributionFile
from entitlements_core.services.gate import Gate, Reservation
from entitlements_core.wsgi import PRIVATE_HEADERS, Headers, Request

__all__ = ["RESERVED", "ReservedDownload", "private_headers"]

_OK: Final = 200
_PARTIAL: Final = 206
_NOT_MODIFIED: Final = 304
_ERRORS: Final = 400

RESERVED: Final = "entitlements.reserved_download"
"""Where a view finds that its file was already let through."""

_CONDITIONS: Final = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_RANGE")
_OFFLOADED: Final = frozenset({"x-accel-redirect", "x-sendfile", "x-lighttpd-send-file"})
_REPLACED: Final = frozenset({"expires", "pragma"}) | (
    {name.lower() for name, _ in PRIVATE_HEADERS} - {"vary"}  # a view may depend on more
)


class ReservedDownload:
    """Permission to pass on a request for one file.

    Args:
        gate: counts.
        question: was decided as allowed.
        request: whose Range says how much the answer will carry.
    """

    def __init__(self, gate: Gate, question: Question, request: Request, size: int) -> None:
        self._gate = gate
        self._question = question
        self._request = request
        self._size = size
        self._reserved: tuple[ByteRange, Reservation] | None = None

    @property
    def request(self) -> Request:
        """What was asked."""
        return self._request

    @property
    def filename(self) -> str:
        """The distribution file that was decided about."""
        resource = self._question.resource
        return resource.facts.filename if isinstance(resource, DistributionFile) else ""

    @property
    def credential(self) -> Credential:
        """Who asks."""
        return self._question.credential

    def begin(self) -> Deny | None:
        """Reserve what the answer is likely to carry.

        Nothing, where that depends on a condition that only the view can judge; `finish` sees to
        it, which is still before the first byte.
        """
        environ = self._request.environ
        conditional = any(environ.get(name) for name in _CONDITIONS)
        return None if conditional else self._reserve(self._asked())

    def finish(self, status: int, headers: Iterable[tuple[str, str]]) -> Deny | None:
        """Make what is reserved fit the answer, before its first byte; a refusal stops it.

        Nothing stays reserved for an answer without the file: HEAD, 304, an error.
        """
        carried = self._carried(status, {name.lower(): value for name, value in headers})
        if self._reserved is not None and self._reserved[0] == carried:
            return None
        self.abandon()
        return self._reserve(carried)

    def abandon(self) -> None:
        """Give back what is reserved: nothing was sent."""
        if self._reserved is not None:
            self._gate.release(self._reserved[1])
            self._reserved = None

    def _reserve(self, part: ByteRange | None) -> Deny | None:
        if part is None:
            return None
        reserved = self._gate.reserve(self._question, part, self._request.user_agent)
        if isinstance(reserved, Deny):
            return reserved
        self._reserved = (part, reserved)
        return None

    def _asked(self, *, elsewhere: bool = False) -> ByteRange | None:
        """What the request asks for; None for nothing of the file."""
        if self._request.is_head:
            return None
        try:
            wanted = self._request.byte_range(self._size, etag="", elsewhere=elsewhere)
        except ValueError:
            return None
        return wanted or self._whole

    def _carried(self, status: int, headers: dict[str, str]) -> ByteRange | None:
        """What the answer sends, or has sent by whom it leads to; in doubt all of the file."""
        if self._request.is_head or status == _NOT_MODIFIED or status >= _ERRORS:
            return None
        if status == _PARTIAL:
            return self._partial(headers.get("content-range", ""))
        if status == _OK and not _OFFLOADED.isdisjoint(headers):
            return self._asked(elsewhere=True)  # the server in front applies the range
        return self._whole

    @property
    def _whole(self) -> ByteRange:
        return ByteRange(0, self._size)

    def _partial(self, content_range: str) -> ByteRange:
        stretch = content_range.removeprefix("bytes ").partition("/")[0]
        first, _, last = stretch.partition("-")
        if not (first.isdecimal() and last.isdecimal()):
            return self._whole
        return ByteRange(int(first), int(last) + 1)


def private_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    """The headers of a view's answer, so that no cache between gives it to somebody else."""
    kept = [pair for pair in headers if pair[0].lower() not in _REPLACED]
    return (*kept, *PRIVATE_HEADERS)
