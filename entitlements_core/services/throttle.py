"""Guessing is bounded per address, and nobody ever waits for it.

A generated secret cannot be guessed at any speed, and is not bounded. This is for custom ones: an
address may have so many different ones looked up a minute, and further ones are refused without a
look-up. A secret that the address has used before is never refused, and one that it sent before is
no new guess, so neither the customers behind a shared address nor somebody's wrong password in a
netrc are bounded by it.
"""

import logging
import threading
from typing import Final

from cachetools import LRUCache
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from entitlements_core.services.seldom import Seldom

__all__ = ["Throttle"]

log: Final = logging.getLogger("entitlements.gate")

CAPACITY: Final = 16_384
"""How many secrets of how many addresses are remembered, each of those used and those unknown."""


class Throttle:
    """Says which secrets of an address are looked up. Threads may share it.

    Args:
        guesses_per_minute: different unknown secrets of an address; 0 is no bound.
    """

    def __init__(self, *, guesses_per_minute: int = 60) -> None:
        self._limit = RateLimitItemPerMinute(guesses_per_minute) if guesses_per_minute else None
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._used: LRUCache[tuple[str, bytes], None] = LRUCache(CAPACITY)
        self._unknown: LRUCache[tuple[str, bytes], None] = LRUCache(CAPACITY)
        self._lock = threading.Lock()
        self._logged = Seldom()

    def admits(self, client: str, digest: bytes) -> bool:
        """Whether a secret that `client` sent may be looked up."""
        if self._limit is None:
            return True
        sent = (client, digest)
        if sent in self._used or sent in self._unknown:
            return True
        return self._limiter.test(self._limit, client)

    def found(self, client: str, digest: bytes) -> None:
        """Note that a secret of `client` opened something."""
        self._keep(self._used, (client, digest))

    def missed(self, client: str, digest: bytes | None = None, *, tells: bool = True) -> None:
        """Note that `client` sent an unknown secret.

        Args:
            client: as it is counted.
            digest: of the secret; None for one that was not looked up, or cannot be guessed, which
                counts for nothing.
            tells: it can be nothing but a token, and the log says so.
        """
        if tells and (count := self._logged.due(client)):
            log.warning("client %s sent %d unknown tokens since this was last said", client, count)
        if digest is None or self._limit is None or (client, digest) in self._unknown:
            return
        self._keep(self._unknown, (client, digest))
        self._limiter.hit(self._limit, client)

    def _keep(self, kept: "LRUCache[tuple[str, bytes], None]", sent: tuple[str, bytes]) -> None:
        if sent not in kept:
            with self._lock:
                kept[sent] = None
