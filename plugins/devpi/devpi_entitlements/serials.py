"""The serial of devpi's last commit, asked for once before devpi itself is asked.

That costs a connection to devpi's database, as much as all the rest of a remembered page.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from devpi_entitlements.devpi_types import KeyFS

__all__ = ["Serials"]


class Serials:
    """Tells the serial of devpi's last commit: equal serials are equal contents.

    Args:
        keyfs: of devpi-server.
    """

    def __init__(self, keyfs: KeyFS) -> None:
        self._keyfs = keyfs
        self._here = _Here()

    def current(self) -> int:
        """The serial of now; within `once`, that of the first time it was asked for."""
        known = self._here.serial
        if known is None:
            known = int(self._keyfs.get_current_serial())
            if self._here.is_kept:
                self._here.serial = known
        return known

    @contextmanager
    def once(self) -> Iterator[None]:
        """Ask at most once in this thread. Not to be used inside a transaction of devpi."""
        self._here.is_kept = True
        try:
            yield
        finally:
            self._here.is_kept, self._here.serial = False, None


class _Here(threading.local):
    """What a thread knows."""

    is_kept = False
    serial: int | None = None
