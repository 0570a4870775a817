"""Where requests come from; and a note of what the vendor's proxies said, for the doctor."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from entitlements_core.forwarded import Hop, Proxies
from entitlements_core.interfaces import Clock
from entitlements_core.policy.counted import counted
from entitlements_core.policy.network import IPAddress
from entitlements_core.services.home import write_private
from entitlements_core.services.log_rate import LogRate

__all__ = ["ClientAddresses", "silent_proxies"]

log: Final = logging.getLogger("entitlements.gate")

NOTE: Final = "proxies.json"
"""In the home. By proxy, when it last sent a request without, and one with, an address."""

_SECONDS: Final = 3600.0


class ClientAddresses:
    """Reads the addresses of clients.

    Args:
        proxies: that may say where a request comes from.
        home: where the note is kept.
        clock: tells the time of the note.
    """

    def __init__(self, proxies: Proxies, *, home: Path, clock: Clock) -> None:
        self.proxies = proxies
        self._note = home / NOTE
        self._clock = clock
        self._logged = LogRate()
        self._noted = LogRate(_SECONDS)

    def of(self, environ: Mapping[str, Any]) -> IPAddress | None:
        """The client of the request of a WSGI environment; None when it cannot be read."""
        hop = self.proxies.locate(environ)
        if hop.problem and (count := self._logged.due(hop.problem)):
            often = counted(count, "time")
            log.warning("the address of a client cannot be read: %s (%s)", hop.problem, often)
        if hop.proxy and self._noted.due((hop.proxy, hop.silent)):
            self._remember(hop)
        return hop.address

    def _remember(self, hop: Hop) -> None:
        """Never more than a hint: what cannot be written is left out."""
        try:
            notes = _read(self._note)
            spoken = "silent" if hop.silent else "spoke"
            notes.setdefault(hop.proxy, {})[spoken] = self._clock().isoformat()
            write_private(self._note, json.dumps(notes))
        except OSError as error:
            log.info("%s cannot be written: %s", self._note, error)


def silent_proxies(home: Path) -> tuple[str, ...]:
    """The trusted proxies that servers of this home heard of, and which never named a client."""
    return tuple(sorted(proxy for proxy, seen in _read(home / NOTE).items() if "spoke" not in seen))


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
