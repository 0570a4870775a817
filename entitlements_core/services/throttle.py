"""Guessing is bounded per address, and nobody ever waits for it.

A generated secret cannot be guessed at any speed, and is not bounded. This is for custom ones: an
address may have so many different ones looked up a minute, and further ones are refused without a
look-up. A secret that the address has used before is never refused, and one that it sent before is
no new guess, so neither the customers behind a shared address nor somebody's wrong password in a
netrc are bounded by it.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from cachetools import LRUCache

from entitlements_core.policy.counted import counted
from entitlements_core.services.log_rate import LogRate

__all__ = ["Throttle"]

log: Final = logging.getLogger("entitlements.gate")

CAPACITY: Final = 16_384
"""How many addresses, and secrets of addresses, are remembered; the oldest are forgotten first."""

_MINUTE: Final = 60.0


class Throttle:
    """Says which secrets of an address are looked up. Threads may share it.

    Args:
        guesses_per_minute: different unknown secrets of an address; 0 is no bound.
        monotonic: seconds of a clock that only goes forward.
    """

    def __init__(
        self, *, guesses_per_minute: int = 60, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = guesses_per_minute
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._used: LRUCache[tuple[str, bytes], None] = LRUCache(CAPACITY)
        self._unknown: LRUCache[tuple[str, bytes], None] = LRUCache(CAPACITY)
        self._spent: LRUCache[str, tuple[float, float]] = LRUCache(CAPACITY)
        """Guesses of an address that do not count as past yet, and when that was."""
        self._logged = LogRate()

    def admits(self, client: str, digest: bytes) -> bool:
        """Whether a secret that `client` sent may be looked up."""
        if not self._limit:
            return True
        sent = (client, digest)
        if sent in self._used or sent in self._unknown:
            return True
        with self._lock:
            return self._spent_by(client) + 1 <= self._limit

    def found(self, client: str, digest: bytes) -> None:
        """Note that a secret of `client` opened something."""
        with self._lock:
            self._used[client, digest] = None

    def missed(self, client: str, digest: bytes | None = None, *, tells: bool = True) -> None:
        """Note that `client` sent an unknown secret.

        Args:
            client: as it is counted.
            digest: of the secret; None for one that was not looked up, or cannot be guessed, which
                counts for nothing.
            tells: it can be nothing but a token, and the log says so.
        """
        if tells and (count := self._logged.due(client)):
            sent = counted(count, "unknown token")
            log.warning("client %s sent %s since this was last said", client, sent)
        if digest is None or not self._limit:
            return
        with self._lock:
            if (client, digest) in self._unknown:
                return
            self._unknown[client, digest] = None
            self._spent[client] = (self._spent_by(client) + 1, self._monotonic())

    def _spent_by(self, client: str) -> float:
        """How many guesses of an address still count; they expire one by one."""
        spent, at = self._spent.get(client, (0.0, 0.0))
        return max(spent - (self._monotonic() - at) * self._limit / _MINUTE, 0.0)
