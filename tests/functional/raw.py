"""Requests whose address arrives as it was written, which no client library sends."""

from __future__ import annotations

import base64
import socket
import ssl

__all__ = ["raw_get"]


def raw_get(
    url: str,
    target: str,
    context: ssl.SSLContext | None = None,
    *,
    user: str = "",
    referer: str = "",
) -> tuple[int, bytes]:
    """The status and the body of what `target` is answered at a server; 0 for no answer.

    Args:
        url: of the server, without a slash at the end.
        target: of the request line.
        context: trusts the server, where it has TLS.
        user: name and password of basic auth, with a colon.
        referer: another header.
    """
    host, _, port = url.rpartition("//")[2].partition(":")
    named = f"Referer: {referer}\r\n" if referer else ""
    said = base64.b64encode(user.encode()).decode()
    plain = socket.create_connection((host, int(port)))
    with context.wrap_socket(plain, server_hostname=host) if context else plain as stream:
        stream.sendall(
            f"GET {target} HTTP/1.1\r\nHost: {host}:{port}\r\n{named}"
            f"Authorization: Basic {said}\r\nConnection: close\r\n\r\n".encode()
        )
        received = b""
        while data := stream.recv(1 << 16):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    return (int(head.split(b" ", 2)[1]) if head else 0), body
