"""Guessing is slowed per address, and a valid token is never punished for its neighbours.

Only the answer to an unknown secret waits. A generated secret cannot be guessed at any speed; this
is for custom ones, and for the log. The waiting is bounded: a few answers at a time per process, so
that a guesser cannot hold every thread of the server.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

__all__ = ["Throttle"]

log: Final = logging.getLogger("entitlements.gate")


class Throttle:
    """Delays the answers to unknown secrets of an address that sends many.

    Args:
        misses_per_minute: unknown secrets that an address may send without delay; 0 switches the
            delay off.
        delay: seconds that each further answer waits.
        waiting: the most answers of this process that wait at a time; further ones do not.
        sleep: waits.
    """

    def __init__(
        self,
        *,
        misses_per_minute: int = 20,
        delay: float = 1.0,
        waiting: int = 4,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit = RateLimitItemPerMinute(misses_per_minute) if misses_per_minute else None
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._delay = delay
        self._places = threading.BoundedSemaphore(waiting)
        self._sleep = sleep

    def miss(self, client: str) -> None:
        """Note that `client` sent an unknown secret, and wait if it sent too many."""
        if self._limit is None or self._limiter.hit(self._limit, client):
            return
        log.warning("client %s keeps sending unknown tokens; its answers are delayed", client)
        if self._places.acquire(blocking=False):
            try:
                self._sleep(self._delay)
            finally:
                self._places.release()
