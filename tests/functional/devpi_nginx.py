"""A real nginx with a configuration that devpi-gen-config has written, as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.functional import devpis, nginx
from tests.functional.devpi_verbs import Devpi

__all__ = ["Front", "fronted", "generated"]

Front = str
"""The URL of an nginx, without a slash at the end."""


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
    http = "access_log off; sendfile on;"
    port = int(url.rpartition(":")[2])
    with nginx.started(root, http=http, servers=f"include {configuration};", port=port):
        yield url
