"""A note beside the key: which devpi-server uses this store, so that commands find it."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from devpi_entitlements.configuration import is_locked_down, storage_of
from devpi_entitlements.devpi_types import Config
from entitlements_core.services.home import make_home, write_private

__all__ = ["ServerInfo", "leave_note", "read_note"]

log: Final = logging.getLogger("entitlements.devpi")

NAME: Final = "devpi.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What a command has to know of a devpi-server.

    Attributes:
        serverdir: its server directory, absolute.
        storage: its ``--storage``, as text.
        url: where it is reached: its ``--outside-url``, or its own address.
        core_metadata: it runs with ``--enable-core-metadata``.
        lockdown: nothing of it is open to strangers.
    """

    serverdir: str
    storage: str
    url: str
    core_metadata: bool
    lockdown: bool = False


def leave_note(home: Path, config: Config) -> None:
    """Write the note of the server that starts; a home that cannot be written to goes without."""
    args = config.args
    note = ServerInfo(
        serverdir=str(config.server_path.absolute()),
        storage=storage_of(args),
        url=(config.outside_url or f"http://{args.host}:{args.port}").rstrip("/"),
        core_metadata=bool(getattr(args, "enable_core_metadata", False)),
        lockdown=is_locked_down(config),
    )
    try:
        make_home(home)
        # The storage of PostgreSQL is named with its password.
        write_private(home / NAME, json.dumps(asdict(note), indent=2) + "\n")
    except OSError as error:
        log.warning("commands will not find this server: %s", error)


def read_note(home: Path) -> ServerInfo | None:
    """The note of the server that used this home last; None where there is none or no whole one."""
    try:
        return ServerInfo(**json.loads((home / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
