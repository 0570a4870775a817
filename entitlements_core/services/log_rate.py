"""Log lines that say the same again and again, written seldom and with a count."""

import threading
import time
from collections.abc import Callable, Hashable

from cachetools import LRUCache

__all__ = ["LogRate"]


class LogRate:
    """Says when something that happens often is due to be told again. Threads may share it.

    Args:
        seconds: at least so long between two tellings of the same.
        capacity: how many things are told apart; the longest quiet is forgotten first.
        monotonic: seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        seconds: float = 60.0,
        *,
        capacity: int = 4096,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._told: LRUCache[Hashable, tuple[float, int]] = LRUCache(capacity)

    def due(self, what: Hashable) -> int:
        """How often it happened since it was last told, this time included; 0: not to be told."""
        now = self._monotonic()
        with self._lock:
            at, count = self._told.get(what, (None, 0))
            if at is None or now - at >= self._seconds:
                self._told[what] = (now, 0)
                return count + 1
            self._told[what] = (at, count + 1)
            return 0
