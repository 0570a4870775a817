"""Spellings of an address that some server or application could read as another one."""

from __future__ import annotations

import contextlib
import random
import re
import socket
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Final

DOTS: Final = (
    *("..", ".", "", "x", "about", "%2e%2e", ".%2e", "%2e", "%252e%252e", "%25252e%25252e"),
    *("..;x", "..;", ".;x", ";x", "..%3bx", "%2e%2e;x", "..%00", "%00", "..%00x", "..%0d%0a"),
    *("..%5c", "..\\", ".\\", "..%255c", "%c0%ae%c0%ae", "%e0%80%ae.", "%uff0e%uff0e", "..%20"),
    *("...", "....", "..%09", "%2e%2e%2f", "..?", "%3f", "..%23", "~", "*", "%ef%bc%8e%ef%bc%8e"),
)
SLASHES: Final = (
    *("/", "//", "///", "/./", "/;x/", ";/", "\\", "%5c", "%2f", "%2F", "%252f", "/%2f", "%c0%af"),
    *("%e0%80%af", "%25252f", "/%2e/", "%ef%bc%8f", "/%00/", "/x/../", "/x%2f../", "/x/%2e%2e/"),
)


def spellings(prefix: str, file: str, hidden: tuple[str, ...], count: int) -> list[str]:
    """At least `count` paths, the same ones each time, all different.

    Args:
        prefix: of the file views, such as ``/simple``.
        file: below it, such as ``project/name.whl``.
        hidden: other things below it.
        count: of paths.
    """
    targets = (file, file.rpartition("/")[2], *hidden)
    found = dict.fromkeys(_respelled(prefix, targets))
    pick = random.Random(prefix)  # noqa: S311 - the same choice each time is the point
    heads = (prefix, prefix.upper(), f"/{prefix}", "", "/about", "/+t", "/+t/x", "/.", "/..;x")
    while len(found) < count:
        target = pick.choice(targets)
        inner = "".join(
            pick.choice(SLASHES) + pick.choice(DOTS) for _ in range(pick.choice((1, 1, 2, 3)))
        )
        tail = pick.choice(SLASHES)
        again = pick.choice(("", "", prefix.strip("/") + pick.choice(SLASHES)))
        end = pick.choice(("", "", "", "", "/", "%20", ".", ";x", "%00", "?x", "%2f", "::$DATA"))
        found[f"{pick.choice(heads)}{inner}{tail}{again}{target}{end}"] = None
    return list(found)


def _respelled(prefix: str, targets: Iterable[str]) -> Iterator[str]:
    """Each way of writing one part, the rest being plain."""
    for target, dots, slash in product(targets, DOTS, SLASHES):
        yield f"{prefix}/{dots}{slash}{target}"
    for target in targets:
        yield f"{prefix}/{target}"
        path = f"{prefix}/{target}"
        for place in range(1, len(path)):
            for times in (1, 2):
                code = f"%{'25' * (times - 1)}{ord(path[place]):02x}"
                yield path[:place] + code + path[place + 1 :]
            yield path[:place] + path[place].swapcase() + path[place + 1 :]


class RawConnection:
    """A client that sends a request target as it stands, whatever it is (RFC 9112).

    Args:
        port: on the loopback.
        headers: of each request.
    """

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port = port
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._socket: socket.socket | None = None

    def fetch(self, target: str) -> tuple[int, bytes]:
        """Status and body; 0 where the server hangs up without an answer."""
        request = f"GET {target} HTTP/1.1\r\n{self._head}\r\n".encode("latin-1")
        for _ in range(2):  # it may have closed the connection after the request before
            try:
                return self._ask(request)
            except (ConnectionError, EOFError):
                self.close()
        return 0, b""

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, request: bytes) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        self._socket.sendall(request)
        answer = self._read(b"", b"\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        fields = head.lower()
        if length := re.search(rb"\r\ncontent-length: *(\d+)", fields):
            while len(body) < int(length[1]):
                body += self._receive()
        elif b"\r\ntransfer-encoding: chunked" in fields:
            body = self._read(body, b"0\r\n\r\n")
        else:
            with contextlib.suppress(EOFError):
                while True:
                    body += self._receive()
            self.close()
        if b"\r\nconnection: close" in fields:
            self.close()
        return int(head.split(b" ", 2)[1]), body

    def _read(self, data: bytes, end: bytes) -> bytes:
        while end not in data:
            data += self._receive()
        return data

    def _receive(self) -> bytes:
        assert self._socket is not None
        data = self._socket.recv(65_536)
        if not data:
            raise EOFError
        return data
