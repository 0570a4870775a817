"""One transaction, and the stores that share it."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from sqlmodel import Session

from entitlements_core.store.audit import AuditLog
from entitlements_core.store.download_sums import DownloadSums
from entitlements_core.store.eulas import Eulas
from entitlements_core.store.future_moments import FutureMoments
from entitlements_core.store.models import StoreInfoRow
from entitlements_core.store.old_downloads import OldDownloads
from entitlements_core.store.package_tags import PackageTagRows
from entitlements_core.store.repositories import Repositories
from entitlements_core.store.reserved_names import ReservedNameRows
from entitlements_core.store.rollup_rows import RollupRows
from entitlements_core.store.secrets import Secrets
from entitlements_core.store.token_lists import TokenLists
from entitlements_core.store.tokens import Tokens
from entitlements_core.store.upload_times import UploadTimeRows
from entitlements_core.store.usage import UsageReports

__all__ = ["UnitOfWork"]

_KEY: Final = "key_fingerprint"


@dataclass
class UnitOfWork:
    """What the services work with between the beginning and the end of a transaction."""

    session: Session

    @cached_property
    def repositories(self) -> Repositories:
        """The indexes."""
        return Repositories(self.session)

    @cached_property
    def tokens(self) -> Tokens:
        """Single tokens."""
        return Tokens(self.session)

    @cached_property
    def lists(self) -> TokenLists:
        """Tokens by the page."""
        return TokenLists(self.session)

    @cached_property
    def secrets(self) -> Secrets:
        """Which secret opens which repository."""
        return Secrets(self.session)

    @cached_property
    def eulas(self) -> Eulas:
        """Licences and who accepted them."""
        return Eulas(self.session)

    @cached_property
    def package_tags(self) -> PackageTagRows:
        """The vendor's tags on packages."""
        return PackageTagRows(self.session)

    @cached_property
    def reserved_names(self) -> ReservedNameRows:
        """Names that are the vendor's without a file."""
        return ReservedNameRows(self.session)

    @cached_property
    def upload_times(self) -> UploadTimeRows:
        """When files were uploaded."""
        return UploadTimeRows(self.session)

    @cached_property
    def usage(self) -> UsageReports:
        """What tokens used."""
        return UsageReports(self.session)

    @cached_property
    def download_sums(self) -> DownloadSums:
        """What tokens used, summed up when it is asked for."""
        return DownloadSums(self.session)

    @cached_property
    def rollups(self) -> RollupRows:
        """What tokens used, summed up by days."""
        return RollupRows(self.session)

    @cached_property
    def old_downloads(self) -> OldDownloads:
        """Downloads of long ago, and their removal."""
        return OldDownloads(self.session)

    @cached_property
    def audit(self) -> AuditLog:
        """The record of all changes."""
        return AuditLog(self.session)

    def future_moments(self, now: datetime) -> FutureMoments:
        """What lies ahead of `now` and cannot."""
        return FutureMoments(self.session, now)

    def key_fingerprint(self) -> str | None:
        """Which key the store was made with; None before the first use."""
        row = self.session.get(StoreInfoRow, _KEY)
        return None if row is None else row.value

    def remember_key(self, fingerprint: str) -> str:
        """Keep `fingerprint` unless another process was first; gives the one that is kept."""
        known = self.key_fingerprint()
        if known is None:
            self.session.add(StoreInfoRow(name=_KEY, value=fingerprint))
        return known or fingerprint
