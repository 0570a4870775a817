"""Upload times for catalogs that have no store."""

from collections.abc import Mapping
from datetime import datetime

from entitlements_core.interfaces import UploadKey

__all__ = ["FileTimes"]


class FileTimes:
    """Upload times without a store: those of the file system, whenever a file is seen."""

    def revision(self) -> int:
        return 0

    def of(
        self,
        found: Mapping[UploadKey, datetime],
        *,
        complete: bool,
    ) -> Mapping[UploadKey, datetime]:
        return found
