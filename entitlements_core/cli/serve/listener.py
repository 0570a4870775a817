"""Where a server listens, and saying so as soon as it answers."""

import http.client
import json
import os
import socket
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from entitlements_core.documents.server import server_document
from entitlements_core.errors import ConfigurationError
from entitlements_core.terminal import stderr

if TYPE_CHECKING:
    from entitlements_core.services.settings import Settings

__all__ = ["ServeOptions", "announce_when_ready", "bind_socket", "leads_here", "wait_until_ready"]

_EVERYWHERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - as asked
_PORTS: Final = {"http": 80, "https": 443}
PATIENCE: Final = 60.0
"""Seconds in which a server has to begin to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How to serve.

    Attributes:
        bound: the socket that `bind_socket` gave for `host` and `port`.
    """

    host: str
    port: int
    bound: socket.socket
    workers: int
    threads: int
    access_log: bool = False

    @property
    def url(self) -> str:
        """Where to connect to, without a slash at the end."""
        host = _EVERYWHERE.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def bind_socket(host: str, port: int) -> socket.socket:
    """A socket that keeps an address until it is closed, if nobody listens there; it does not.

    Args:
        host: an address, or a name that has one.
        port: 0 is any that is free.

    Raises:
        ConfigurationError: when it is taken, or may not be used.
    """
    try:
        ((family, kind, proto, _, address), *_) = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        bound = socket.socket(family, kind, proto)
        try:
            # Old connections in TIME_WAIT must not keep us from binding; another server must.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except BaseException:
            bound.close()
            raise
    except (OSError, UnicodeError) as error:  # UnicodeError: no host name can be so
        why = getattr(error, "strerror", None) or error
        where = f"[{host}]" if ":" in host else host
        raise ConfigurationError(
            f"The server cannot listen on {where}:{port}: {why}.",
            "Choose another --host or --port.",
        ) from None
    return bound


def leads_here(url: str, bound: socket.socket) -> bool:
    """Whether an address leads to a socket of ours: whoever is sent there comes back here.

    Args:
        url: absolute.
        bound: the socket that `bind_socket` gave.
    """
    parts = urlsplit(url)
    here, port = bound.getsockname()[:2]
    if (parts.port or _PORTS.get(parts.scheme)) != port:
        return False
    try:
        found = socket.getaddrinfo(parts.hostname, None, bound.family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False  # the name leads nowhere
    addresses = {address[0] for *_, address in found}
    return here in addresses or (here in _EVERYWHERE and any(map(_is_own, addresses)))


def _is_own(address: str | int) -> bool:
    """Whether an address is one of this machine's: nobody else's can be taken."""
    family = socket.AF_INET6 if ":" in str(address) else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def announce_when_ready(
    options: ServeOptions, settings: "Settings", *, as_json: bool
) -> threading.Thread:
    """Print where the index is as soon as it answers; gives the thread that waits for that."""
    document = server_document(options.url, settings, os.getpid())

    def announce() -> None:
        if not wait_until_ready(options):
            return
        if as_json:
            sys.stdout.write(json.dumps(document) + "\n")
            sys.stdout.flush()
            return
        console = stderr()
        console.print(f"Serving {settings.repository} at {document['simple_url']}")
        console.print(f"Tokens in the path: {document['token_url']}  Ctrl-C ends it.", style="dim")

    thread = threading.Thread(target=announce, daemon=True)
    thread.start()
    return thread


def wait_until_ready(options: ServeOptions) -> bool:
    """Wait until the server says that it is ready."""
    host = _EVERYWHERE.get(options.host, options.host)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection(host, options.port, timeout=2)
        try:
            connection.request("GET", "/+health")
            if connection.getresponse().status == http.HTTPStatus.OK:
                return True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    return False
