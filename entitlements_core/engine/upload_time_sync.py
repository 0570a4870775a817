"""Gives the files of a builder their upload times, as the store remembers them.

What the file system says of a file changes with every copy, so it decides nothing by itself.
"""

import logging
import time
from collections.abc import Hashable
from typing import Final

from packaging.utils import NormalizedName

from entitlements_core.engine.snapshot_builder import SnapshotBuilder
from entitlements_core.errors import EntitlementsError, StoreError
from entitlements_core.interfaces import UploadTimes

__all__ = ["UploadTimeSync"]

_log = logging.getLogger("entitlements.engine")

_ASK_SECONDS: Final = 0.5
"""The least time between two questions whether times were changed."""


class UploadTimeSync:
    """Keeps the upload times of a builder those of the store. Not thread-safe, as the builder.

    A file whose time cannot be had stays in the builder without one, and is asked for again.

    Args:
        builder: of the files.
        times: remembers them.
    """

    def __init__(self, builder: SnapshotBuilder, times: UploadTimes) -> None:
        self._builder = builder
        self._times = times
        self._revision: Hashable = None
        self._asked_at = 0.0
        self._is_complete = False
        self._failed = False
        self._kept: frozenset[NormalizedName] = frozenset()

    def is_due(self) -> bool:
        """Whether times were changed in the store, or are still wanted; asks now and then only."""
        now = time.monotonic()
        if now - self._asked_at < _ASK_SECONDS:
            return False
        self._asked_at = now
        if self._failed:
            return True
        try:
            return self._times.revision() != self._revision
        except StoreError:
            return False  # as nobody is let in now, the times that are known can wait

    def settle(self, names: frozenset[NormalizedName], *, complete: bool) -> None:
        """Ask for the times that are wanted. Raises nothing that has to do with them.

        Args:
            names: of the projects of files that are there and not served, which are remembered
                as those of the others are.
            complete: everything that is there is in the builder.
        """
        try:
            self._settle(complete=complete)
            if names - self._kept:
                self._times.keep_names(names - self._kept)
                self._kept |= names
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - logged; one odd time must not keep back all files
            if not self._failed:
                unforeseen = not isinstance(error, EntitlementsError)
                _log.warning(
                    "The upload times of new files are not known yet: %s",
                    error,
                    exc_info=unforeseen,
                )
            self._failed = True
        else:
            self._failed = False

    def _settle(self, *, complete: bool) -> None:
        # Asked first: what is changed in between is seen the next time.
        revision = self._times.revision()
        if self._revision not in {None, revision}:
            self._builder.doubt()
        wanted = self._builder.undated()
        if wanted or (complete and not self._is_complete):
            self._builder.date(self._times.of(wanted, complete=complete))
        self._revision = revision
        self._is_complete = self._is_complete or complete
