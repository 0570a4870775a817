"""Bodies under ASGI: whole at once, by path where the server can, else piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from entitlements_core.engine.downloads import DirectSender
from entitlements_core.engine.files import CHUNK, OpenFile
from entitlements_core.http import ByteRange
from entitlements_core.wsgi import Response

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

__all__ = ["Message", "PathSender", "Send", "send_response"]

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class PathSender(DirectSender):
    """Leaves a whole file to the server where it offers ``http.response.pathsend``."""

    OFFER: Final = "entitlements.pathsend"
    """The key in the environment that says so."""

    def send(
        self, opened: OpenFile, part: ByteRange, head: Response, environ: WSGIEnvironment
    ) -> Response:
        """See `Sender.send`."""
        whole = part.stop - part.start == opened.file.size > CHUNK
        if not whole or not environ.get(self.OFFER):
            return super().send(opened, part, head, environ)
        opened.close()
        return replace(head, body=PathBody(opened.file.path))


class PathBody:
    """A file that the server reads by itself."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __iter__(self) -> Iterator[bytes]:
        yield Path(self.path).read_bytes()


async def send_response(send: Send, response: Response, *, head: bool) -> None:
    """Send a whole response; a reason phrase has no place in ASGI."""
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = response.body
    if head or isinstance(body, list):
        await send(_piece(b"" if head else b"".join(body), more=False))
    elif isinstance(body, PathBody):
        await send({"type": "http.response.pathsend", "path": body.path})
    else:
        await _send_pieces(send, body)


async def _send_pieces(send: Send, body: Iterable[bytes]) -> None:
    pieces = iter(body)
    try:
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            await send(_piece(piece, more=True))
        await send(_piece(b"", more=False))
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


def _piece(data: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}
