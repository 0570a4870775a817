"""Small files in memory, by their contents: a popular one is not read again for every download."""

import hashlib
import threading
from collections import OrderedDict
from typing import Final

__all__ = ["ContentCache"]

CAPACITY: Final = 16 * 1024 * 1024
"""Bytes that a process keeps."""


class ContentCache:
    """The contents of files by their SHA-256, those asked for last; may be shared by threads.

    Args:
        capacity: bytes of all contents together.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._guard = threading.Lock()

    def get(self, sha256: str) -> bytes | None:
        """The contents with this digest (hexadecimal), if they are kept."""
        with self._guard:
            data = self._kept.get(sha256)
            if data is not None:
                self._kept.move_to_end(sha256)
            return data

    def keep(self, sha256: str, data: bytes) -> None:
        """Keep what was read as the contents with this digest, if that is what it is."""
        if len(data) > self._capacity or hashlib.sha256(data).hexdigest() != sha256:
            return
        with self._guard:
            if sha256 in self._kept:
                return
            self._kept[sha256] = data
            self._size += len(data)
            while self._size > self._capacity:
                _, dropped = self._kept.popitem(last=False)
                self._size -= len(dropped)
