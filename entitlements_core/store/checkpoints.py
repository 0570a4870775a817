"""Moving committed pages from SQLite's log into its file, off the request path.

By default the unlucky request whose commit fills the log does this work for everybody, and waits
for the disk. Here a short-lived thread does it with a connection of its own, while requests go on.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from entitlements_core.errors import EntitlementsError
from entitlements_core.store.store_file import FileIdentity
from entitlements_core.store.wal_index import WalIndex

__all__ = ["Checkpoints"]

log: Final = logging.getLogger("entitlements.store")

BEGIN_AT: Final = 4_000
"""Pages in the log, and not in the file, at which a thread begins to work them off."""
WAIT_AT: Final = 100_000
"""Pages in the log at which a request waits until it is empty, lest it fill the disk."""
COMPLAIN_AGAIN: Final = 60.0
"""Seconds between log lines of failure."""


class Checkpoints:
    """Keeps the log of a SQLite file short.

    Args:
        database: path of the file.
        connect: opens a connection to it.
    """

    def __init__(self, database: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self._database = database
        self._connect = connect
        self._index: tuple[int, FileIdentity | None, WalIndex | None] = (0, None, None)
        self._working = threading.Lock()
        self._complained = -COMPLAIN_AGAIN

    def after_commit(self, identity: FileIdentity | None = None) -> None:
        """Begin to work off the log if it has grown; returns at once, or waits when it is huge.

        To be called while a connection of this process to the file is open.

        Args:
            identity: of the file, which may take another one's place.
        """
        process, known, index = self._index
        if index is None or process != os.getpid() or known != identity:
            index = WalIndex(self._database)
            self._index = (os.getpid(), identity, index)
            self._working = threading.Lock()
        held, pending = index.frames()
        if held >= WAIT_AT:
            self._work("RESTART")
        elif pending >= BEGIN_AT and self._working.acquire(blocking=False):
            threading.Thread(target=self._in_background, args=(self._working,), daemon=True).start()

    def _in_background(self, working: threading.Lock) -> None:
        try:
            self._work("PASSIVE")
        finally:
            working.release()

    def _work(self, mode: str) -> None:
        try:
            connection = self._connect()
            try:
                connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
            finally:
                connection.close()
        except (sqlite3.Error, EntitlementsError) as error:
            now = time.monotonic()
            if now - self._complained >= COMPLAIN_AGAIN:
                self._complained = now
                log.warning("the store's log could not be worked off: %s", error)
