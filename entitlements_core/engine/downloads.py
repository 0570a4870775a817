"""A distribution file as a response, counted before its first byte.

`send_file` is the one sequence by which every host sends its own files. `part_sent_elsewhere` says
how much to count of what another server sends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

from entitlements_core.engine.files import CHUNK, OpenFile
from entitlements_core.engine.responses import not_modified, unsatisfiable
from entitlements_core.http import ByteRange, etag_matches
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Deny
from entitlements_core.services.gate import Reservation
from entitlements_core.wsgi import FILE_HEADERS, Headers, Request, Response

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = ["DirectSender", "Offload", "Sender", "part_sent_elsewhere", "send_file"]

CONTENT_TYPE: Final = "application/octet-stream"


class DownloadCounter(Protocol):
    """Counts what is sent; `services.gate.Gate`."""

    def reserve(
        self, question: Question, part: ByteRange, user_agent: str = ""
    ) -> Reservation | Deny:
        """See `Gate.reserve`."""
        ...

    def release(self, reservation: Reservation) -> None:
        """See `Gate.release`."""
        ...


class Sender(Protocol):
    """A way of sending a part of a file.

    Attributes:
        elsewhere: another server sends the bytes, and reads the conditions of a range by itself.
    """

    elsewhere: bool

    def send(
        self, opened: OpenFile, part: ByteRange, head: Response, environ: WSGIEnvironment
    ) -> Response:
        """The response that sends `part`. Takes `opened` over.

        Args:
            opened: the file.
            part: of it.
            head: the status and the headers of the response.
            environ: of the request.
        """
        ...


class DirectSender:
    """Reads the file itself, or lets the server do it where it offers to (PEP 3333)."""

    elsewhere = False

    def send(
        self, opened: OpenFile, part: ByteRange, head: Response, environ: WSGIEnvironment
    ) -> Response:
        """See `Sender.send`."""
        length = part.stop - part.start
        if opened.data is not None:
            whole = length == len(opened.data)
            data = opened.data if whole else opened.data[part.start : part.stop]
            return Response(head.status, head.reason, head.headers, [data])
        if length <= CHUNK:
            try:
                data = os.pread(opened.descriptor, length, part.start)
            finally:
                opened.close()
            if opened.bodies is not None and length == opened.file.size:
                opened.bodies.keep(opened.sha256, data)
            return Response(head.status, head.reason, head.headers, [data])
        wrapper = environ.get("wsgi.file_wrapper")
        if wrapper is not None and length == opened.file.size:
            stream = os.fdopen(opened.descriptor, "rb", buffering=0)
            opened.descriptor = -1
            return replace(head, body=wrapper(stream, CHUNK))
        return replace(head, body=_Chunks(opened, part))


class Offload:
    """Leaves the sending to the server in front: ``X-Accel-Redirect`` or ``X-Sendfile``.

    Args:
        header: the name of the header.
        locations: what stands for each root in the header, in the catalog's order: an internal
            location of nginx, or the root's path for X-Sendfile.
    """

    elsewhere = True

    def __init__(self, header: str, locations: tuple[str, ...]) -> None:
        self._header = header
        self._locations = locations

    def send(
        self,
        opened: OpenFile,
        part: ByteRange,  # noqa: ARG002 - the protocol
        head: Response,
        environ: WSGIEnvironment,  # noqa: ARG002 - the protocol
    ) -> Response:
        """See `Sender.send`; the server in front applies the range by itself."""
        opened.close()
        file = opened.file
        location = f"{self._locations[file.root_index].rstrip('/')}/{quote(file.relative)}"
        kept = tuple(
            (name, value)
            for name, value in head.headers
            if name not in {"Content-Length", "Content-Range"}
        )
        return replace(
            head, headers=(*kept, ("Content-Length", "0"), (self._header, location)), body=[]
        )


class _Chunks:
    """A part of a file; closes the file when the server is done, however far it got."""

    def __init__(self, opened: OpenFile, part: ByteRange) -> None:
        self._opened = opened
        self._position = part.start
        self._stop = part.stop

    def __iter__(self) -> Iterator[bytes]:
        try:
            while self._position < self._stop:
                wanted = min(CHUNK, self._stop - self._position)
                data = os.pread(self._opened.descriptor, wanted, self._position)
                if not data:
                    return
                self._position += len(data)
                yield data
        finally:
            self._opened.close()

    def close(self) -> None:
        """Called by the server at the end (PEP 3333)."""
        self._opened.close()


def send_file(
    opened: OpenFile, question: Question, request: Request, *, gate: DownloadCounter, sender: Sender
) -> Response | Deny:
    """The response that carries a file, counted; or the refusal by a limit.

    Whatever can still fail comes before the count, and the count before the first byte. Nothing is
    counted for a response without a byte of the file: HEAD, 304, 416.

    Args:
        opened: the file, which is closed or handed over in every case.
        question: was decided as allowed.
        request: whose conditions and range are kept.
        gate: counts.
        sender: sends.
    """
    size = opened.file.size
    try:
        if etag_matches(request.if_none_match, opened.etag):
            opened.close()
            return not_modified((("ETag", opened.etag), *FILE_HEADERS))
        try:
            wanted = request.byte_range(size, etag=opened.etag, elsewhere=sender.elsewhere)
        except ValueError:
            opened.close()
            return unsatisfiable(size)
        head = _head(opened, wanted)
        if request.is_head:
            opened.close()
            return head
        part = wanted or ByteRange(0, size)
        reserved = gate.reserve(question, part, request.user_agent)
        if isinstance(reserved, Deny):
            opened.close()
            return reserved
        try:
            return sender.send(opened, part, head, request.environ)
        except BaseException:
            gate.release(reserved)
            raise
    except BaseException:
        opened.close()
        raise


def _head(opened: OpenFile, wanted: ByteRange | None) -> Response:
    """The status and the headers of a response that carries the file, or a range of it."""
    size = opened.file.size
    start, stop = (0, size) if wanted is None else (wanted.start, wanted.stop)
    headers: Headers = (
        ("Content-Type", CONTENT_TYPE),
        ("Content-Length", str(stop - start)),
        ("ETag", opened.etag),
        *FILE_HEADERS,
    )
    if wanted is None:
        return Response(200, "OK", headers)
    content_range = ("Content-Range", f"bytes {start}-{stop - 1}/{size}")
    return Response(206, "Partial Content", (*headers, content_range))


def part_sent_elsewhere(request: Request, size: int) -> ByteRange:
    """What a server in front sends of a file of `size` bytes that it was let send; in doubt all."""
    try:
        wanted = request.byte_range(size, etag="", elsewhere=True)
    except ValueError:
        wanted = None  # it answers 416, unless the file on its disk is another one by now
    return wanted or ByteRange(0, size)
