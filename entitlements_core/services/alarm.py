"""A fault that every request meets is logged once a minute, not once a request."""

import logging
import time
from collections.abc import Callable
from typing import Final

from entitlements_core.errors import EntitlementsError
from entitlements_core.services.log_rate import LogRate

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
        self._rate = LogRate(INTERVAL, monotonic=monotonic)

    def raised(self, what: str, error: EntitlementsError) -> None:
        """Log that `what` happened because of `error`, unless that was logged a moment ago."""
        times = self._rate.due((what, type(error).__name__))
        if times:
            repeated = f" ({times - 1} more since the last such line)" if times > 1 else ""
            self._log.error("%s: %s%s", what, error, repeated)
