"""Whether a server can decide on requests now, found out without waiting for a silent database."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from entitlements_core.errors import EntitlementsError

__all__ = ["Ailment", "Readiness"]

WITHIN: Final = 1.0
"""Seconds that anybody waits for the answer."""
FRESH: Final = 0.5
"""Seconds for which an answer is good for others, too: anybody may ask."""

_WORDS: Final = {
    "store_locked": "The store is locked.",
    "store_missing": "The store is not there.",
    "store_replaced": "The store was replaced by something else.",
    "store_corrupt": "The store is damaged.",
    "store_full": "The disk of the store is full, or fails.",
    "store_unreachable": "The database server does not answer.",
    "store_older": "The store has to be upgraded.",
    "store_newer": "The store was made by a later version.",
    "key": "The store was made with another key.",
}


@dataclass(frozen=True, slots=True)
class Ailment:
    """Why a server cannot decide, for everybody to read: no path, no address, no secret.

    Attributes:
        code: a stable word.
        reason: a sentence.
    """

    code: str
    reason: str


SILENT: Final = Ailment("store_unreachable", "The store does not answer.")


class Readiness:
    """Asks the store, one question at a time, and never lets anybody wait for long.

    Args:
        check: asks; raises an `EntitlementsError` when the store cannot be used.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._attempt: _Attempt | None = None

    def ailment(self) -> Ailment | None:
        """What is wrong with the store; None when nothing is."""
        attempt = self._attempt
        if attempt is None or not attempt.is_current():
            # Two at once would be two questions, and no harm.
            attempt = self._attempt = _Attempt(self._check)
        return attempt.outcome()


class _Attempt:
    """One question, asked by a thread of its own, and its answer."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._began = time.monotonic()
        self._process = os.getpid()
        self._found: Ailment | None = SILENT
        self._over = threading.Event()
        threading.Thread(target=self._ask, daemon=True, name="readiness").start()

    def is_current(self) -> bool:
        """Whether its answer is still to come, or fresh; a fork does not inherit the thread."""
        if self._process != os.getpid():
            return False
        return not self._over.is_set() or time.monotonic() - self._began < FRESH

    def outcome(self) -> Ailment | None:
        """The answer, or that there was none in time."""
        left = self._began + WITHIN - time.monotonic()
        return self._found if self._over.wait(max(left, 0.0)) else SILENT

    def _ask(self) -> None:
        try:
            self._check()
            self._found = None
        except EntitlementsError as error:
            self._found = Ailment(error.code, _WORDS.get(error.code, "The store cannot be read."))
        except Exception:  # noqa: BLE001 - whatever it is, nothing can be decided
            self._found = Ailment("internal", "The store cannot be read.")
        finally:
            self._over.set()
