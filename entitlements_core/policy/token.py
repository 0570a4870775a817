"""The vendor's full view of a token, and the rules its fields obey.

Field names are Cloudsmith's (`RepositoryToken` of its API), so that one word means one thing in the
API, the store and here. `Terms` is what a vendor may set; `Token` adds what happened to it.
"""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.credential import (
    Access,
    Credential,
    CredentialKind,
    Eula,
    Grant,
    State,
)
from entitlements_core.policy.limits import (
    BandwidthUnit,
    Limits,
    Usage,
    check_bandwidth,
    check_count,
)
from entitlements_core.policy.metadata import Metadata, check_metadata
from entitlements_core.policy.metering import Account, Schedule, rolled
from entitlements_core.policy.network import Networks
from entitlements_core.policy.period import ResetPeriod, next_reset
from entitlements_core.policy.query import PackageQuery

__all__ = [
    "LONGEST_QUERY",
    "Licence",
    "Status",
    "Terms",
    "Token",
    "TokenGrant",
    "check_restriction",
    "check_tags",
    "check_text",
    "check_time",
    "checked",
]

LONGEST_NAME: Final = 255
LONGEST_TAG: Final = 64
MOST_TAGS: Final = 50
LONGEST_QUERY: Final = 1024
"""Characters of a package query, as at Cloudsmith."""


class Status(StrEnum):
    """What a token is at a moment: the vendor's switch, then the clock's and the counters' say."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    DELETED = "deleted"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    LIMITED = "limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """Where a token stands with the licence of one repository.

    Attributes:
        enforced: the repository asks for acceptance.
        number: of the revision in force; 0 when there is none.
        accepted: the revision in force was accepted; earlier ones do not count.
        accepted_at: aware, UTC.
        accepted_from: the address it was accepted from.
    """

    enforced: bool = False
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
        licence: of this repository.
        contact: of this repository, for refused customers.
    """

    repository: str
    access: Access = Access.READ
    limit_package_query: str | None = None
    is_default: bool = False
    licence: Licence = field(default_factory=Licence)
    contact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a vendor may set on a token, its grants apart. None is no limit, 0 allows nothing.

    Attributes:
        name: 1 to 255 characters, none of them a control character; need not be unique.
        owner: whose quota the token counts on.
        limit_num_downloads, limit_num_clients: per reset period.
        limit_bandwidth: per reset period, in units of `limit_bandwidth_unit`.
        scheduled_reset_period: when the counters go back to zero.
        scheduled_reset_at: aware; the first reset, from which all others are counted. None stands
            for the moment the token was made (or the field cleared).
        limit_date_range_from: aware, inclusive. None is since ever.
        limit_date_range_to: aware, exclusive. None is for ever.
        updates_until: aware, inclusive: files uploaded later are hidden.
        allow_networks, deny_networks: CIDR texts; deny wins.
        tags: free words to find it by.
        metadata: the vendor's own JSON object.
        eula_required: a licence has to be accepted where the repository enforces one.
        access_private_broadcasts: opens the private broadcast pages.
    """

    name: str
    owner: str = ""
    limit_num_downloads: int | None = None
    limit_num_clients: int | None = None
    limit_bandwidth: int | None = None
    limit_bandwidth_unit: str = BandwidthUnit.BYTE
    scheduled_reset_period: str = ResetPeriod.NEVER
    scheduled_reset_at: datetime | None = None
    limit_date_range_from: datetime | None = None
    limit_date_range_to: datetime | None = None
    updates_until: datetime | None = None
    allow_networks: tuple[str, ...] = ()
    deny_networks: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    eula_required: bool = False
    access_private_broadcasts: bool = False

    @property
    def limits(self) -> Limits:
        """The limits as they are counted, bandwidth in bytes."""
        amount = self.limit_bandwidth
        unit = BandwidthUnit.parse(self.limit_bandwidth_unit)
        return Limits(
            downloads=self.limit_num_downloads,
            clients=self.limit_num_clients,
            bandwidth=None if amount is None else amount * unit.bytes,
        )

    @property
    def networks(self) -> Networks:
        """Which addresses may use the token."""
        return Networks.parse(self.allow_networks, self.deny_networks)


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
        account = Account(limits=self.limits, schedule=self.schedule, usage=self.usage)
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

    def to_credential(
        self, *, repository: str, number: int = 0, user_has_access: bool = False, eula_url: str = ""
    ) -> Credential:
        """The policy's view of the token for a request to `repository`.

        Args:
            repository: ``owner/slug``; its licence and contact are the ones that matter.
            number: the store's id of the token.
            user_has_access: for a user token, whether the host confirms its user now.
            eula_url: where the licence can be accepted; never holds a secret.

        Raises:
            QuerySyntaxError: when a restriction cannot be read; nothing is opened then.
        """
        here = self.grant_in(repository)
        licence = Licence() if here is None else here.licence
        return Credential(
            id=number,
            identifier=self.identifier,
            name=self.name,
            kind=self.kind,
            state=self.state,
            grants=tuple(map(_policy_grant, self.grants)),
            limits=self.limits,
            valid_from=self.limit_date_range_from,
            valid_until=self.limit_date_range_to,
            updates_until=self.updates_until,
            networks=self.networks,
            eula=Eula(
                required=self.eula_required and licence.enforced,
                accepted=licence.accepted,
                url=eula_url,
            ),
            user=self.user,
            user_has_access=user_has_access,
            contact="" if here is None else here.contact,
        )


def checked(terms: Terms) -> Terms:
    """`terms` in their canonical spelling (UTC, full unit names, sorted tags, masked networks).

    Raises:
        InvalidValue: naming the first field that does not fit.
    """
    unit = BandwidthUnit.parse(terms.limit_bandwidth_unit)
    check_count("limit_num_downloads", terms.limit_num_downloads)
    check_count("limit_num_clients", terms.limit_num_clients)
    check_bandwidth(terms.limit_bandwidth, unit)
    networks = terms.networks
    start = check_time("limit_date_range_from", terms.limit_date_range_from)
    end = check_time("limit_date_range_to", terms.limit_date_range_to)
    _check_range(start, end)
    return replace(
        terms,
        name=check_text("name", terms.name, longest=LONGEST_NAME, required=True),
        owner=check_text("owner", terms.owner, longest=LONGEST_NAME),
        limit_bandwidth_unit=unit,
        scheduled_reset_period=ResetPeriod.parse(terms.scheduled_reset_period),
        allow_networks=tuple(map(str, networks.allow)),
        deny_networks=tuple(map(str, networks.deny)),
        tags=check_tags(terms.tags),
        metadata=check_metadata(terms.metadata),
        limit_date_range_from=start,
        limit_date_range_to=end,
        updates_until=check_time("updates_until", terms.updates_until),
        scheduled_reset_at=check_time("scheduled_reset_at", terms.scheduled_reset_at),
    )


def check_text(
    field: str, text: str, *, longest: int, required: bool = False, lines: bool = False
) -> str:
    """`text` without space around it, if it can be kept and shown.

    Args:
        field: named in the error.
        text: any text.
        longest: in characters, inclusive.
        required: an empty text is refused.
        lines: line breaks and tabs are allowed.

    Raises:
        InvalidValue: when it is too long, empty though required, or holds control characters or
            lone surrogates, which neither a database nor a terminal can be trusted with.
    """
    text = text.strip()
    permitted = "\n\r\t" if lines else ""
    if any(unicodedata.category(char) in {"Cc", "Cs"} and char not in permitted for char in text):
        problem = "holds a control character"
    elif required and not text:
        problem = "is empty"
    elif len(text) > longest:
        problem = f"has {len(text)} characters"
    else:
        return text
    least = 1 if required else 0
    raise InvalidValue(field, f"The {field} {problem}.", f"Use {least} to {longest} characters.")


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """`tags` sorted and without repetition: at most 50, each of 1 to 64 characters without space.

    Raises:
        InvalidValue: naming ``tags``.
    """
    if isinstance(tags, str):
        raise InvalidValue("tags", "The tags are one text, not a list.", "Give a list of words.")
    words = sorted({check_text("tags", tag, longest=LONGEST_TAG, required=True) for tag in tags})
    spaced = next((word for word in words if len(word.split()) > 1), None)
    if spaced is not None:
        raise InvalidValue("tags", f"The tag {spaced!r} holds a space.", "Use single words.")
    if len(words) > MOST_TAGS:
        raise InvalidValue("tags", f"There are {len(words)} tags.", f"Use at most {MOST_TAGS}.")
    return tuple(words)


def check_time(field: str, moment: datetime | None) -> datetime | None:
    """`moment` in UTC; None stays None.

    Raises:
        InvalidValue: when it has no time zone, or UTC cannot express it.
    """
    if moment is None:
        return None
    try:
        if moment.tzinfo is None or moment.utcoffset() is None:
            raise InvalidValue(
                field,
                f"{field} is {moment.isoformat()}, without a time zone.",
                "Add one, such as 2026-12-31T00:00:00Z.",
            )
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidValue(
            field, f"{field} lies outside the calendar.", "Use a year from 1 to 9999."
        ) from None


def check_restriction(
    text: str | None, parse: Callable[[str], PackageQuery] = PackageQuery.parse
) -> tuple[str | None, tuple[str, ...]]:
    """A package query as it is kept, and what its author should be warned of.

    Args:
        text: as it was written; a blank text is no restriction, that is None.
        parse: reads it; the default knows only the fields that need no plugin.

    Raises:
        QuerySyntaxError: when it is no package query.
        InvalidValue: when it is longer than 1,024 characters.
    """
    if text is None or not text.strip():
        return None, ()
    if len(text) > LONGEST_QUERY:
        raise InvalidValue(
            "limit_package_query",
            f"The package query has {len(text)} characters.",
            f"Use at most {LONGEST_QUERY}; tags say much in few words.",
        )
    return text, parse(text).warnings


def _check_range(start: datetime | None, end: datetime | None) -> None:
    if start is not None and end is not None and start >= end:
        raise InvalidValue(
            "limit_date_range_to",
            f"The token would end at {end:%Y-%m-%d %H:%M:%S} UTC,"
            f" not after it begins at {start:%Y-%m-%d %H:%M:%S} UTC.",
            "Choose an end after the beginning.",
        )


def _policy_grant(grant: TokenGrant) -> Grant:
    text = grant.limit_package_query
    return Grant(
        repository=grant.repository,
        access=grant.access,
        restriction=None if text is None else PackageQuery.parse(text),
    )
