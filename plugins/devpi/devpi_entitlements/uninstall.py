"""Removes our keys from index configurations, so that devpi-server works without the plugin.

While the plugin is there, every index has ``acl_pkg_read``; without it, devpi-server keeps the key,
knows it no longer, and refuses every change of the index. So the keys have to go before the plugin.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from devpi_entitlements.access import ACL_KEY, ANONYMOUS
from devpi_entitlements.devpi_types import Xom
from entitlements_core.errors import Refused

__all__ = ["Kept", "keys_kept", "opened", "remove_keys"]

KEYS: Final = (ACL_KEY,)
"""All that our plugin puts into the configuration of an index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An index whose configuration has a key of ours.

    Attributes:
        index: ``user/index``.
        readers: who may read it now, users and groups.
        closed: whether that is not everybody: it will be, without the key.
    """

    index: str
    readers: tuple[str, ...]
    closed: bool


@contextmanager
def opened(serverdir: Path, storage: str) -> Iterator[Any]:
    """Devpi's own composition root over the directory of a server that is stopped.

    Raises:
        Refused: where there is no devpi-server in it, or a replica, which follows its primary.
    """
    from devpi_server.config import get_pluginmanager, parseoptions  # noqa: PLC0415 - optional
    from devpi_server.main import Fatal, xom_from_config  # noqa: PLC0415 - optional

    arguments = ["devpi-server", "--serverdir", str(serverdir), "--storage", storage]
    config = parseoptions(get_pluginmanager(), [*arguments, "--offline-mode"])
    if not config.nodeinfo_path.exists():
        raise Refused(
            f"{serverdir} is not the directory of a devpi-server.",
            "Give its --serverdir, and run this as its user.",
        )
    try:
        xom = xom_from_config(config)  # type: ignore[no-untyped-call] # devpi's own
    except Fatal as error:
        raise Refused(f"{serverdir} cannot be opened: {error}", "Give its --storage.") from None
    if xom.is_replica():
        raise Refused(
            f"{serverdir} is of a replica.", "Run this for its primary; the replica follows."
        )
    try:
        yield xom
    finally:
        xom.thread_pool.kill()
        xom._close_sessions()  # noqa: SLF001 - devpi closes them at the end of a server only


def keys_kept(xom: Xom) -> list[Kept]:
    """The indexes with a key of ours, sorted."""
    with xom.keyfs.read_transaction():
        return sorted(
            (
                Kept(
                    index=f"{user.name}/{name}",
                    readers=tuple(config.get(ACL_KEY, (ANONYMOUS,))),
                    closed=ANONYMOUS not in config.get(ACL_KEY, (ANONYMOUS,)),
                )
                for user in xom.model.get_userlist()
                for name, config in user.get().get("indexes", {}).items()
                if any(key in config for key in KEYS)
            ),
            key=lambda kept: kept.index,
        )


def remove_keys(xom: Xom) -> None:
    """Take our keys out of every index, in one commit: all of them, or none."""
    with xom.keyfs.write_transaction():
        for user in xom.model.get_userlist():
            if not any(_ours(config) for config in user.get().get("indexes", {}).values()):
                continue
            with user.key.update() as stored:
                for config in stored["indexes"].values():
                    for key in _ours(config):
                        del config[key]


def _ours(config: dict[str, Any]) -> list[str]:
    return [key for key in KEYS if key in config]
