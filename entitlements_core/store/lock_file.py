"""A lock file that processes hold one at a time."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from entitlements_core.store.ownership import open_or_make

try:
    import fcntl
except ImportError:  # pragma: no cover - only where there is no flock
    fcntl = None  # type: ignore[assignment]  # then SQLite's own waiting has to do

__all__ = ["LockFile"]

PATIENCE: Final = 5.0
"""Seconds after which a process goes on without its turn."""
BRIEFLY: Final = 0.05
"""Seconds for which one waits that went on without its turn the last time."""
SHORTEST_PAUSE: Final = 0.000_05
LONGEST_PAUSE: Final = 0.000_3
"""Seconds between two looks at the lock file; a transaction takes about as long."""


class LockFile:
    """A lock that processes hold one at a time.

    It is a courtesy that makes waiting short and fair; SQLite's own lock is what excludes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._owner = 0
        self._was_skipped = False

    @contextmanager
    def held(self, *, within: float = PATIENCE) -> Iterator[None]:
        """Hold the lock for the length of the block, or go on without it `within` so many seconds.

        Whoever holds it then is stopped, perhaps; it is not waited for as long a second time.
        """
        if fcntl is None:  # pragma: no cover - only where there is no flock
            yield
            return
        descriptor = self._open()
        patience = min(within, PATIENCE)
        taken = _take(descriptor, min(patience, BRIEFLY) if self._was_skipped else patience)
        self._was_skipped = not taken
        try:
            yield
        finally:
            if taken:
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the lock file."""
        if self._descriptor is not None and self._owner == os.getpid():
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = None

    def _open(self) -> int:
        # A descriptor inherited over a fork would share the parent's lock.
        if self._descriptor is None or self._owner != os.getpid():
            self._descriptor = open_or_make(self._path)
            self._owner = os.getpid()
        return self._descriptor


def _take(descriptor: int, patience: float) -> bool:
    """Take the lock; False when its holder does not let go, stopped perhaps, and SQLite decides."""
    pause, deadline = SHORTEST_PAUSE, time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
        else:
            return True
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
