"""Rendered pages of devpi, remembered until anything is committed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Final

from cachetools import LRUCache

from entitlements_core.engine.pages import Page

__all__ = ["CACHE_BYTES", "PageCache"]

CACHE_BYTES: Final = 64 * 1024 * 1024
"""How much memory remembered pages may take."""


class PageCache:
    """Pages under a key and the serial of the commit that they show.

    A serial never comes back with other contents, so a page of an older one is never given out.

    Attributes:
        hits: how many were given out.
    """

    def __init__(self) -> None:
        self._pages: LRUCache[Hashable, tuple[int, Page]] = LRUCache(
            CACHE_BYTES, getsizeof=lambda entry: len(entry[1].body) + 1024
        )
        self._lock = threading.Lock()
        self.hits = 0

    def recall(self, key: Hashable, serial: Callable[[], int]) -> Page | None:
        """The page, if it is of the serial that `serial` gives; not asked where there is none."""
        with self._lock:
            entry = self._pages.get(key)
        if entry is None or entry[0] != serial():
            return None
        with self._lock:
            self.hits += 1
        return entry[1]

    def keep(self, key: Hashable, serial: int, page: Page) -> None:
        """Remember a page; one that is too large to be one of many is not."""
        if len(page.body) < CACHE_BYTES // 4:
            with self._lock:
                self._pages[key] = (serial, page)
