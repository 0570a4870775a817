"""A fault that every request meets is logged once a minute, not once a request."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from entitlements_core.errors import EntitlementsError

__all__ = ["Alarm"]

INTERVAL: Final = 60.0
"""Seconds between two lines about the same."""


class Alarm:
    """Logs errors; the same one again only after a while, and then how often it came.

    Args:
        log: where to.
        monotonic: tells seconds that only grow.
    """

    def __init__(
        self, log: logging.Logger, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._monotonic = monotonic
        self._guard = threading.Lock()
        self._logged: dict[tuple[str, str], tuple[float, int]] = {}

    def raised(self, what: str, error: EntitlementsError) -> None:
        """Log that `what` happened because of `error`, unless that was logged a moment ago."""
        now, key = self._monotonic(), (what, type(error).__name__)
        with self._guard:
            since, times = self._logged.get(key, (now - INTERVAL, 0))
            silent = now - since < INTERVAL
            self._logged[key] = (since, times + 1) if silent else (now, 0)
        if not silent:
            repeated = f" ({times} more since the last such line)" if times else ""
            self._log.error("%s: %s%s", what, error, repeated)
