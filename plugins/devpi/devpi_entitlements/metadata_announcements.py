"""Whether the core metadata of a wheel can be announced, for devpi announces those of every one.

devpi does not look at them before somebody asks. Those that are not UTF-8 make pip end in a
traceback where an index announces them, see `entitlements_core.engine.core_metadata`.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from cachetools import LRUCache

from devpi_entitlements.devpi_types import FileStore
from entitlements_core.engine.core_metadata import is_announceable
from entitlements_core.engine.distributions import Unservable, faults_of_one_file, parse_filename
from entitlements_core.engine.wheels import wheel_metadata

__all__ = ["MetadataAnnouncements"]

log: Final = logging.getLogger("entitlements.devpi")

REMEMBERED: Final = 65536
"""Of how many files it is remembered; some hundred bytes each."""


class MetadataAnnouncements:
    """Looks once into each wheel on this disk."""

    def __init__(self) -> None:
        self._known: LRUCache[str, bool] = LRUCache(REMEMBERED)
        self._lock = threading.Lock()

    def of(self, filestore: FileStore, path: str) -> bool:
        """Whether the core metadata of a wheel may be announced.

        Of a file that is not here, or that cannot be read, devpi is believed.

        Args:
            filestore: of the server, in a transaction.
            path: ``user/index/+f/…/filename``, which says the contents.
        """
        with self._lock:
            known = self._known.get(path)
        if known is None:
            known = _look(filestore, path)
            if known is None:
                return True
            with self._lock:
                self._known[path] = known
        return known


def _look(filestore: FileStore, path: str) -> bool | None:
    entry = filestore.get_file_entry(path)
    if entry is None or not entry.file_exists():
        return None
    try:
        with faults_of_one_file(), entry.file_open_read() as archive:
            found = is_announceable(wheel_metadata(archive, parse_filename(entry.basename)).body)
    except Unservable:
        return True
    except OSError:
        return None
    if not found:
        log.warning("%s is listed without its core metadata, which are not UTF-8", path)
    return found
