"""The indexes that a user ever had, and what these ever inherited from.

Whose a name is must not depend on what is configured at the moment: deleting an index, or taking it
out of the bases of another one, would let a mirror have its names. devpi forgets no configuration.
"""

from __future__ import annotations

import threading
from typing import Final

from cachetools import LRUCache

from devpi_entitlements.devpi_types import Stage
from devpi_entitlements.stages import MIRROR

__all__ = ["PastIndexes"]

REMEMBERED: Final = 1024
"""Of how many users it is remembered."""


class PastIndexes:
    """Reads the history of a user's configuration once, and what was added to it afterwards."""

    def __init__(self) -> None:
        self._known: LRUCache[str, tuple[int, frozenset[str]]] = LRUCache(REMEMBERED)
        self._lock = threading.Lock()

    def of(self, stage: Stage) -> frozenset[str]:
        """The names (``user/index``) of all that are or were of the user of an index but mirrors.

        And of the bases that they have or had, whosever these are.

        Args:
            stage: in a transaction.
        """
        transaction, user = stage.keyfs.tx, stage.username
        key = stage.keyfs.USER(user=user)
        with self._lock:
            since, names = self._known.get(user, (-1, frozenset()))
        found, at, newest = set(names), transaction.at_serial, since
        while at > since:
            entry = transaction.get_last_serial_and_value_at(key, at, raise_on_error=False)
            if entry is None or entry[0] <= since:
                break
            last, configuration = entry
            newest = max(newest, last)
            for index, options in ((configuration or {}).get("indexes") or {}).items():
                if options.get("type") != MIRROR:
                    found.update((f"{user}/{index}", *options.get("bases", ())))
            at = last - 1
        result = frozenset(found)
        if newest > since:
            with self._lock:
                self._known[user] = newest, result
        return result
