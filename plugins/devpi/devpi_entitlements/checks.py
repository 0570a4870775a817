"""What ``entitlements doctor`` finds out about a devpi-server."""

from __future__ import annotations

import shlex
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from devpi_entitlements.nginx import unguarded_configurations
from devpi_entitlements.server_info import ServerInfo
from entitlements_core.policy.health import Finding, Health
from entitlements_core.services.certificates import HOW_TO_TRUST, client_context

if TYPE_CHECKING:
    from devpi_entitlements.host import HostHooks

__all__ = ["look_over"]

SECONDS: Final = 10
SHOWN: Final = 10
CLOSED: Final = frozenset({401, 403})


def look_over(note: ServerInfo, host: HostHooks | None) -> Iterator[Finding]:
    """Everything that is worth knowing of the server of a note.

    Args:
        note: of the server.
        host: reads its database; None when it could not be read.
    """
    if host is None:
        yield Finding(
            check="devpi-server",
            health=Health.ERROR,
            detail=f"The server directory {note.serverdir} cannot be read.",
            remedy="Run the command as the user of devpi-server, in its environment.",
        )
        return
    yield Finding(
        check="devpi-server",
        health=Health.OK,
        detail=f"{host.entitlements_host()} in {note.serverdir}, whose address is {note.url}.",
    )
    yield from _core_metadata(note)
    yield from _nginx(note)
    yield from _mirrors(host)
    yield _strangers(note, host)


def _core_metadata(note: ServerInfo) -> Iterator[Finding]:
    if not note.core_metadata:
        yield Finding(
            check="devpi core metadata",
            health=Health.WARNING,
            detail="Clients download files to read their metadata, and each download counts.",
            remedy="Start devpi-server with --enable-core-metadata.",
        )


def _nginx(note: ServerInfo) -> Iterator[Finding]:
    found = list(unguarded_configurations(Path(note.serverdir)))
    for path, line in found:
        yield Finding(
            check="nginx",
            health=Health.ERROR,
            detail=f"{path}:{line} sends files past the entitlements, to anybody.",
            remedy="Use nginx-entitlements.conf, which devpi-gen-config writes.",
        )


def _mirrors(host: HostHooks) -> Iterator[Finding]:
    """Whoever registers a name of the vendor's elsewhere must not be installed in its place."""
    opened = host.mirrors_opened()
    for index, names in opened.items():
        what = "every name" if "*" in names else ", ".join(names[:SHOWN])
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield Finding(
            check="devpi mirrors",
            health=Health.WARNING,
            detail=f"mirror_whitelist of {index} lets mirrors answer for {what}{more}, of which the"
            " vendor has or had files. Tokens are kept away from that; users of devpi are not.",
            remedy=f"Run: devpi index {index} {shlex.quote(f'mirror_whitelist-={names[0]}')}",
        )
    if not opened:
        yield Finding(
            check="devpi mirrors",
            health=Health.OK,
            detail="No mirror answers for a name that the vendor has or had.",
        )


def _strangers(note: ServerInfo, host: HostHooks) -> Finding:
    """Whether somebody without a login gets a file of a closed index, asked of the real server."""
    path = host.closed_file()
    if path is None:
        return Finding(
            check="closed indexes",
            health=Health.OK,
            detail="There is no closed index with a file yet.",
            remedy="Close one with: devpi index USER/INDEX acl_pkg_read=USER",
        )
    url = f"{note.url}/{path}"
    try:
        status = _status(url)
    except OSError as error:
        return Finding(
            check="closed indexes",
            health=Health.WARNING,
            detail=f"{note.url} cannot be asked: {error}.",
            remedy=f"Start devpi-server, or correct its --outside-url. {HOW_TO_TRUST}",
        )
    if status in CLOSED:
        detail = f"Strangers are answered {status} at {note.url}."
        return Finding(check="closed indexes", health=Health.OK, detail=detail)
    return Finding(
        check="closed indexes",
        health=Health.ERROR,
        detail=f"A stranger who asks for a file of a closed index is answered {status}: {url}",
        remedy="Look at what stands in front of devpi-server; it must not send files by itself.",
    )


def _status(url: str) -> int:
    request = urllib.request.Request(url, headers={"Range": "bytes=0-0"})  # noqa: S310 - the administrator's own server
    try:
        with urllib.request.urlopen(  # noqa: S310 - see above
            request, timeout=SECONDS, context=client_context()
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
