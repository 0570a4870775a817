"""When files came into an index: recorded when they are first seen.

A customer may be entitled to what was released until a day. Copying a file again, touching it or
restoring it from a backup is no release, and a build that writes old times into its files is one.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime

from packaging.utils import NormalizedName

from entitlements_core.interfaces import Clock, UploadKey
from entitlements_core.store.upload_register import KnownUploads, UploadRegister

__all__ = ["RecordedUploads"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUploads:
    """The upload times of one repository, an `interfaces.UploadTimes`.

    Who only looks gets the times that a server has recorded or would record now.

    Attributes:
        repository: ``owner/slug``.
        register: where they are recorded.
        clock: tells when a file is first seen.
        records: record what is new.
    """

    repository: str
    register: UploadRegister
    clock: Clock
    records: bool = True

    def revision(self) -> Hashable:
        """See `interfaces.UploadTimes`."""
        return self.register.revision(self.repository)

    def keep_names(self, names: Collection[NormalizedName]) -> None:
        """See `interfaces.UploadTimes`. Who only looks keeps none.

        Raises:
            EntitlementsError: when the store cannot be read or written.
        """
        if self.records:
            self.register.keep_names(self.repository, names)

    def of(
        self, found: Mapping[UploadKey, datetime], *, complete: bool
    ) -> Mapping[UploadKey, datetime]:
        """See `interfaces.UploadTimes`. Nobody knows the times of a repository that is not there.

        Raises:
            EntitlementsError: when the store cannot be read or written.
        """
        known = self.register.known(self.repository, found)
        new = {upload: at for upload, at in found.items() if upload not in known.times}
        if not known.exists or not (new or (complete and not known.is_adopted)):
            return known.times
        if not self.records:
            return {**known.times, **self._foresee(known, new)}
        added = self.register.record(self.repository, new, self.clock(), complete=complete)
        return {**known.times, **added}

    def _foresee(
        self, known: KnownUploads, new: Mapping[UploadKey, datetime]
    ) -> Mapping[UploadKey, datetime]:
        now = self.clock()
        return {upload: now if known.is_adopted else min(at, now) for upload, at in new.items()}
