"""What a vendor may set on a token, and the rules it obeys.

Field names are Cloudsmith's (`RepositoryToken` of its API), so that one word means one thing in the
API, the store and here.
"""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.limits import (
    BandwidthUnit,
    Limits,
    check_bandwidth,
    check_count,
)
from entitlements_core.policy.metadata import Metadata, check_metadata
from entitlements_core.policy.network import Networks
from entitlements_core.policy.period import ResetPeriod
from entitlements_core.policy.query import MAX_LENGTH, PackageQuery
from entitlements_core.policy.secret import shows_secret

__all__ = [
    "Terms",
    "check_restriction",
    "check_tags",
    "check_text",
    "check_time",
    "checked",
]

LONGEST_NAME: Final = 255
LONGEST_TAG: Final = 64
MOST_TAGS: Final = 50


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
        InvalidValue: when it is too long, empty though required, holds a generated secret, or
            control characters or lone surrogates, which neither a database nor a terminal can be
            trusted with.
    """
    text = text.strip()
    permitted = "\n\r\t" if lines else ""
    if any(unicodedata.category(char) in {"Cc", "Cs"} and char not in permitted for char in text):
        problem = "holds a control character"
    elif required and not text:
        problem = "is empty"
    elif len(text) > longest:
        problem = f"has {len(text)} characters"
    elif shows_secret(text):
        # It would be shown by every list, in the audit and, a contact, to customers.
        raise InvalidValue(
            field, f"The {field} holds a secret.", "Name the token by its SLUG_PERM."
        )
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
        text: as it was written; None is no restriction, and nothing else is: a variable that
            was not set must not open everything.
        parse: reads it; the default knows only the fields that need no plugin.

    Raises:
        QuerySyntaxError: when it is no package query.
        InvalidValue: when it is blank, or longer than `MAX_LENGTH` characters.
    """
    if text is None:
        return None, ()
    if not isinstance(text, str):
        raise InvalidValue(
            "limit_package_query", "The package query is no text.", "Write it as a text, or None."
        )
    if not text.strip():
        raise InvalidValue(
            "limit_package_query",
            "The package query is blank, which could be read as opening everything.",
            "Write one, such as name:^demo$; or say --no-query (in a document: null, or left out).",
        )
    if len(text) > MAX_LENGTH:
        raise InvalidValue(
            "limit_package_query",
            f"The package query has {len(text)} characters.",
            f"Use at most {MAX_LENGTH}; tags say much in few words.",
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
