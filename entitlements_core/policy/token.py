"""The vendor's full view of a token: `Terms` may be set, `Token` adds what happened to it."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum

from entitlements_core.policy.bases import RecordedBases
from entitlements_core.policy.credential import (
    Access,
    CredentialKind,
    State,
)
from entitlements_core.policy.limits import Usage
from entitlements_core.policy.metering import Account, Schedule, rolled
from entitlements_core.policy.period import ResetPeriod, next_reset
from entitlements_core.policy.terms import Terms

__all__ = ["EulaStatus", "Status", "Token", "TokenGrant"]


class Status(StrEnum):
    """What a token is at a moment: the vendor's switch, then the clock's and the counters' say."""

    ENABLED = State.ENABLED.value
    DISABLED = State.DISABLED.value
    DELETED = State.DELETED.value
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    LIMITED = "limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class EulaStatus:
    """Where a token stands with the licence of one repository.

    Attributes:
        number: of the revision in force; 0 when there is none.
        accepted: the revision in force was accepted; earlier ones do not count.
        accepted_at: aware, UTC.
        accepted_from: the address it was accepted from.
    """

    number: int = 0
    accepted: bool = False
    accepted_at: datetime | None = None
    accepted_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGrant:
    """What a token opens in one repository.

    Attributes:
        repository: ``owner/slug``.
        access: read, or read and upload.
        limit_package_query: the restriction as it was written; None is everything.
        is_default: the token is this repository's default token.
        mark: of the repository that it was made for, as the host told; empty is not bound yet, and
            None neither, from before there were marks.
        bases: the other repositories that were seen through it when it was made.
        eula: of this repository.
        contact: of this repository, for refused customers.
    """

    repository: str
    access: Access = Access.READ
    limit_package_query: str | None = None
    is_default: bool = False
    mark: str | None = None
    bases: RecordedBases = frozenset()
    eula: EulaStatus = field(default_factory=EulaStatus)
    contact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token(Terms):
    """One token, everything but its secret.

    Attributes:
        identifier: its public, permanent name (Cloudsmith's ``slug_perm``).
        kind: how it came about.
        state: the vendor's switch.
        user: of a user token; else empty.
        grants: one for each repository it opens, ordered by repository.
        usage: the counters as they were last written; `usage_at` has those of a moment.
        last_used_at: the last counted answer; None when it was never used.
        revision: grows with every change.
        revealable: the secret was kept sealed and can be shown again.
        created_at, updated_at, deleted_at: aware, UTC; by whom stands beside.
    """

    identifier: str
    kind: CredentialKind = CredentialKind.STANDARD
    state: State = State.ENABLED
    user: str = ""
    grants: tuple[TokenGrant, ...] = ()
    usage: Usage
    last_used_at: datetime | None = None
    revision: int = 1
    revealable: bool = False
    created_at: datetime
    created_by: str = ""
    updated_at: datetime | None = None
    updated_by: str = ""
    deleted_at: datetime | None = None
    deleted_by: str = ""

    @property
    def terms(self) -> Terms:
        """The part that a vendor may set."""
        return Terms(**{item.name: getattr(self, item.name) for item in fields(Terms)})

    @property
    def is_default(self) -> bool:
        """It is the token that a repository was born with."""
        return self.kind is CredentialKind.DEFAULT

    @property
    def schedule(self) -> Schedule:
        """When the counters go back to zero by themselves."""
        return Schedule(
            period=ResetPeriod.parse(self.scheduled_reset_period),
            anchor=self.scheduled_reset_at or self.created_at,
        )

    @property
    def has_limits(self) -> bool:
        """Something narrows it: a count, a date, an address rule or a package query."""
        return (
            self.limits.any
            or bool(self.allow_networks or self.deny_networks)
            or any(grant.limit_package_query for grant in self.grants)
            or (self.limit_date_range_from, self.limit_date_range_to, self.updates_until)
            != (None, None, None)
        )

    def usage_at(self, now: datetime) -> Usage:
        """The counters at `now`, zero when a reset has passed since they were written."""
        account = Account(
            limits=self.limits,
            schedule=self.schedule,
            usage=self.usage,
            used_at=self.last_used_at,
        )
        return rolled(account, now).usage

    def used_up(self, now: datetime) -> tuple[str, ...]:
        """The fields whose limit is reached at `now`: one more would be refused."""
        limits, usage = self.limits, self.usage_at(now)
        counters = (
            ("limit_num_downloads", limits.downloads, usage.downloads),
            ("limit_num_clients", limits.clients, usage.clients),
            ("limit_bandwidth", limits.bandwidth, usage.bandwidth),
        )
        return tuple(name for name, limit, used in counters if limit is not None and used >= limit)

    def is_limited(self, now: datetime) -> bool:
        """Whether any limit is used up at `now`."""
        return bool(self.used_up(now))

    def next_reset(self, now: datetime) -> datetime | None:
        """The first scheduled reset strictly after `now`; None when there is none."""
        return next_reset(self.schedule.period, self.schedule.anchor, now)

    def status(self, now: datetime) -> Status:
        """What the token is at `now`."""
        start, end = self.limit_date_range_from, self.limit_date_range_to
        if self.state is not State.ENABLED:
            return Status(self.state.value)
        if start is not None and now < start:
            return Status.NOT_YET_VALID
        if end is not None and now >= end:
            return Status.EXPIRED
        return Status.LIMITED if self.is_limited(now) else Status.ENABLED

    def grant_in(self, repository: str) -> TokenGrant | None:
        """The grant for `repository`, or None."""
        return next((grant for grant in self.grants if grant.repository == repository), None)
