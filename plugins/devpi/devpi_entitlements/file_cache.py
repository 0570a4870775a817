"""Files on this disk that were admitted before, remembered until anything is committed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from entitlements_core.policy.facts import FileFacts

__all__ = ["FileCache", "LocalFile"]

LARGEST: Final = 16384
"""How many files are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A distribution file on this disk; a `StoredFile`.

    Attributes:
        path: absolute.
        relative: the path below devpi's server directory.
        size: in bytes.
        etag: strong and quoted, of the contents.
        root_index: there is one root.
    """

    path: str
    relative: str
    size: int
    etag: str
    root_index: int = 0


class FileCache:
    """What was found out about a file for a view of it, and the serial that this holds for.

    It spares devpi's transaction and the look-ups in it. It decides nothing: whether a token may
    have the file is asked each time.
    """

    def __init__(self) -> None:
        self._files: LRUCache[Hashable, tuple[int, FileFacts, LocalFile]] = LRUCache(LARGEST)
        self._lock = threading.Lock()

    def recall(
        self, key: Hashable, serial: Callable[[], int]
    ) -> tuple[FileFacts, LocalFile] | None:
        """The facts and the place of a file, if they are of the serial that `serial` gives."""
        with self._lock:
            entry = self._files.get(key)
        return entry[1:] if entry is not None and entry[0] == serial() else None

    def keep(self, key: Hashable, serial: int, facts: FileFacts, file: LocalFile) -> None:
        """Remember a file that was admitted at `serial`."""
        with self._lock:
            self._files[key] = (serial, facts, file)
