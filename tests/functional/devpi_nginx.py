"""A real nginx with a configuration that devpi-gen-config has written, as it is."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.functional import devpis
from tests.functional.devpi_verbs import SECONDS, Devpi
from tests.functional.nginx import BINARY

__all__ = ["Front", "fronted", "generated", "reserved_port"]

_CONFIGURATION: Final = """
daemon off;
{user}
worker_processes 1;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    include {configuration};
}}
"""

Front = str
"""The URL of an nginx, without a slash at the end."""


def reserved_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def generated(
    server: Devpi,
    folder: Path,
    outside: str,
    *options: str,
    without: Sequence[str] = devpis.OTHERS,
) -> Path:
    """The folder with all that devpi-gen-config writes for a running server."""
    folder.mkdir()
    own = ["--serverdir", str(server.directory), "--port", str(server.port)]
    given = [*own, "--outside-url", outside, *options]
    devpis.command(devpis.GENCONFIG, *given, without=without, cwd=folder)
    for written in (folder / "gen-config").glob("nginx-entitlements*.conf"):
        # Where a packaged nginx is installed, its log folder may not be ours to write to.
        written.write_text(written.read_text().replace("/var/log/nginx/", "logs/"))
    return folder / "gen-config"


@contextmanager
def fronted(root: Path, configuration: Path, url: str) -> Iterator[Front]:
    """Start nginx in the new folder `root`; it is to answer at `url`."""
    root.mkdir()
    (root / "logs").mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    text = _CONFIGURATION.format(root=root, user=user, configuration=configuration)
    (root / "nginx.conf").write_text(text)
    command = [str(BINARY), "-p", str(root), "-c", str(root / "nginx.conf"), "-e", "stderr"]
    with (root / "output.log").open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        _await(process, int(url.rpartition(":")[2]), root)
        yield url
    finally:
        process.terminate()
        process.wait(SECONDS)


def _await(process: subprocess.Popen[bytes], port: int, root: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError((root / "output.log").read_text())
