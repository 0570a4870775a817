"""Upload times for catalogs that have no store."""

from collections.abc import Collection, Mapping
from datetime import datetime

from packaging.utils import NormalizedName

from entitlements_core.interfaces import UploadKey

__all__ = ["FileTimes"]


class FileTimes:
    """Upload times without a store: those of the file system, whenever a file is seen."""

    def revision(self) -> int:
        return 0

    def keep_names(self, names: Collection[NormalizedName]) -> None:
        """There is nowhere to keep them."""

    def of(
        self,
        found: Mapping[UploadKey, datetime],
        *,
        complete: bool,
    ) -> Mapping[UploadKey, datetime]:
        return found
