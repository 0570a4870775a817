"""When a file first came to its index, by all that devpi ever kept of its version.

devpi's log of a file begins anew when the same file is uploaded again, which is no release.
"""

from __future__ import annotations

import threading
from calendar import timegm
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cachetools import LRUCache

from devpi_entitlements.devpi_types import Stage

__all__ = ["FirstUploads"]

REMEMBERED: Final = 16384
"""Of how many files it is remembered when they came."""


class FirstUploads:
    """Upload times, remembered for as long as nothing was written of the version."""

    def __init__(self) -> None:
        self._known: LRUCache[str, tuple[int, datetime | None]] = LRUCache(REMEMBERED)
        self._lock = threading.Lock()

    def of(
        self,
        stage: Stage,
        project: str,
        version: str,
        path: str,
    ) -> datetime | None:
        """When a file was first uploaded to an index, or pushed to it; None where that is unknown.

        Args:
            stage: the index that holds the file.
            project: that the file is of.
            version: as devpi keeps it.
            path: ``user/index/+f/…/filename``, which says the contents.
        """
        tx, key = stage.keyfs.tx, stage.key_projversion(project, version)
        last = tx.get_last_serial_and_value_at(key, tx.at_serial, raise_on_error=False)
        if last is None:
            return None
        serial, present = last
        with self._lock:
            known = self._known.get(path)
        if known is None or known[0] != serial:
            moments = list(_moments(present, path, stage.name))
            if moments:
                for _, former in tx.iter_serial_and_value_backwards(key.relpath, serial):
                    moments += _moments(former, path, stage.name)
            known = serial, min(moments, default=None)
            with self._lock:
                self._known[path] = known
        return known[1]


def _moments(data: Mapping[str, Any] | None, path: str, index: str) -> Iterator[datetime]:
    """When a file came to an index, by the log of one state of its version."""
    for link in (data or {}).get("+elinks", ()):
        if link["entrypath"] == path:
            log = [entry for entry in link.get("_log", ()) if entry.get("when")]
            # One that was pushed brings along the log of the index that it comes from.
            here = [entry for entry in log if entry.get("dst") == index]
            for entry in here or log[-1:]:
                yield datetime.fromtimestamp(timegm(tuple(entry["when"])), UTC)
