"""The options that say what a token may do, the same for ``create`` and ``edit``."""

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from entitlements_core.cli.options import TIME
from entitlements_core.documents.values import read_metadata, read_time
from entitlements_core.errors import InvalidValue
from entitlements_core.policy.limits import UNITS, BandwidthUnit, parse_bandwidth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from entitlements_core.services.token_changes import GrantChanges

__all__ = [
    "OPTIONS_OF_TERMS",
    "AccessOption",
    "AllowOption",
    "BasesOption",
    "DenyOption",
    "EulaRequiredOption",
    "MaxBandwidthOption",
    "MaxClientsOption",
    "MaxDownloadsOption",
    "MetadataOption",
    "NoQueryOption",
    "OwnerOption",
    "QueryOption",
    "ResetAtOption",
    "ResetPeriodOption",
    "SecretOption",
    "TagsOption",
    "UpdatesUntilOption",
    "ValidFromOption",
    "ValidUntilOption",
    "check_query",
    "is_given",
    "read_grant",
    "read_terms",
]

_RESTRICTION: Final = "Restriction"
_VALIDITY: Final = "Validity"
_LIMITS: Final = "Limits"
_NOTES: Final = "Notes"

QueryOption = Annotated[
    str | None,
    typer.Option(
        "--query",
        metavar="Q",
        help="The package query that says what is visible, such as 'name:^demo$'.",
        rich_help_panel=_RESTRICTION,
    ),
]
NoQueryOption = Annotated[
    bool,
    typer.Option(
        "--no-query",
        help="Everything in the repository is visible; the default of a new token.",
        rich_help_panel=_RESTRICTION,
    ),
]
AccessOption = Annotated[
    str | None,
    typer.Option(
        "--access", metavar="r|rw", help="Read, or also upload.", rich_help_panel=_RESTRICTION
    ),
]
BasesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--base",
        metavar="OWNER/SLUG",
        help="A closed index that it sees where the one that it opens inherits from it, beside"
        " those that it inherits from when it is granted; again for more.",
        rich_help_panel=_RESTRICTION,
    ),
]
AllowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="CIDR",
        help="Only these addresses; again for more.",
        rich_help_panel=_RESTRICTION,
    ),
]
DenyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--deny",
        metavar="CIDR",
        help="Not these addresses; wins over --allow.",
        rich_help_panel=_RESTRICTION,
    ),
]
EulaRequiredOption = Annotated[
    bool | None,
    typer.Option(
        "--eula-required/--no-eula-required",
        help="The licence has to be accepted where the repository enforces one.",
        rich_help_panel=_RESTRICTION,
    ),
]
ValidFromOption = Annotated[
    str | None,
    typer.Option(
        "--valid-from",
        metavar="TIME",
        help=f"Inclusive. {TIME}",
        rich_help_panel=_VALIDITY,
    ),
]
ValidUntilOption = Annotated[
    str | None,
    typer.Option(
        "--valid-until",
        metavar="TIME",
        help=f"Exclusive. {TIME}",
        rich_help_panel=_VALIDITY,
    ),
]
UpdatesUntilOption = Annotated[
    str | None,
    typer.Option(
        "--updates-until",
        metavar="TIME",
        help=f"Files uploaded later are hidden. {TIME}",
        rich_help_panel=_VALIDITY,
    ),
]
MaxDownloadsOption = Annotated[
    int | None,
    typer.Option(
        "--max-downloads",
        metavar="N",
        help="Downloads per period; 0 allows none. What one client fetches again within five"
        " minutes counts once (ENTITLEMENTS_DOWNLOAD_WINDOW).",
        rich_help_panel=_LIMITS,
    ),
]
MaxClientsOption = Annotated[
    int | None,
    typer.Option(
        "--max-clients",
        metavar="N",
        help="Client addresses per period; 0 allows none.",
        rich_help_panel=_LIMITS,
    ),
]
MaxBandwidthOption = Annotated[
    str | None,
    typer.Option(
        "--max-bandwidth",
        metavar="AMOUNT",
        help=f"Such as 10GB per period; 0 allows none. Units: {UNITS}.",
        rich_help_panel=_LIMITS,
    ),
]
ResetPeriodOption = Annotated[
    str | None,
    typer.Option(
        "--reset-period",
        metavar="PERIOD",
        help="Never Reset, Daily, Weekly, Fortnightly, Monthly, Bi-Monthly, Quarterly,"
        " Every 6 months or Annual.",
        rich_help_panel=_LIMITS,
    ),
]
ResetAtOption = Annotated[
    str | None,
    typer.Option(
        "--reset-at",
        metavar="TIME",
        help=f"The first reset, from which the others are counted. {TIME}",
        rich_help_panel=_LIMITS,
    ),
]
MetadataOption = Annotated[
    str | None,
    typer.Option(
        "--metadata",
        metavar="JSON",
        help="An object of your own, at most 16 KB.",
        rich_help_panel=_NOTES,
    ),
]
TagsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", metavar="T", help="A word to find it by; again for more.", rich_help_panel=_NOTES
    ),
]
OwnerOption = Annotated[
    str | None,
    typer.Option(
        "--owner",
        help="Whose quota it counts on; the repository's owner if nobody is named.",
        rich_help_panel=_NOTES,
    ),
]
SecretOption = Annotated[
    str | None,
    typer.Option(
        "--secret",
        metavar="S",
        help="A secret of your own; - reads it from stdin, which keeps it out of the shell's"
        " history. Left out, one is generated.",
    ),
]


def check_query(query: str | None, *, no_query: bool) -> None:
    """Return when a query is given, or none, but not both.

    Raises:
        InvalidValue: when both are.
    """
    if query is not None and no_query:
        raise InvalidValue(
            "limit_package_query", "--query and --no-query contradict.", "Give one of them."
        )


def read_grant(
    *, query: str | None, no_query: bool, access: str | None, base: list[str] | None
) -> "GrantChanges":
    """What options name of a grant.

    Raises:
        InvalidValue: when two contradict, or there is no such access.
    """
    from entitlements_core.services.token_changes import checked_access  # noqa: PLC0415 - a fast start

    check_query(query, no_query=no_query)
    changes: GrantChanges = {}
    if query is not None or no_query:
        changes["limit_package_query"] = query
    if access is not None:
        changes["access"] = checked_access(access)
    if base:
        changes["bases"] = base
    return changes


def is_given(value: object) -> bool:
    """Whether an option was given; a list option that was not is an empty list to Typer."""
    return value not in (None, [], ())


def read_terms(given: "Mapping[str, Any]") -> dict[str, Any]:
    """The changes of a token that options name; None is an option that was not given.

    Raises:
        InvalidValue: when a time, an amount or the metadata cannot be read.
    """
    changes: dict[str, Any] = {
        field: value
        for option, field in _AS_THEY_ARE.items()
        if is_given(value := given.get(option))
    }
    for option, field in _TIMES.items():
        if given.get(option) is not None:
            changes[field] = read_time(field, given[option])
    if given.get("max_bandwidth") is not None:
        amount, unit = _bandwidth(given["max_bandwidth"])
        changes |= {"limit_bandwidth": amount, "limit_bandwidth_unit": unit}
    if given.get("metadata") is not None:
        changes["metadata"] = read_metadata(given["metadata"])
    return changes


def _bandwidth(text: str) -> tuple[int, BandwidthUnit]:
    if text.strip().startswith("-"):
        raise InvalidValue(
            "limit_bandwidth",
            f"limit_bandwidth cannot be {text.strip()}.",
            "Use 0 (none allowed) or more, or clear it for no limit.",
        )
    return parse_bandwidth(text)


_AS_THEY_ARE: Final = {
    "owner": "owner",
    "max_downloads": "limit_num_downloads",
    "max_clients": "limit_num_clients",
    "reset_period": "scheduled_reset_period",
    "tag": "tags",
    "allow": "allow_networks",
    "deny": "deny_networks",
    "eula_required": "eula_required",
}
_TIMES: Final = {
    "valid_from": "limit_date_range_from",
    "valid_until": "limit_date_range_to",
    "updates_until": "updates_until",
    "reset_at": "scheduled_reset_at",
}
OPTIONS_OF_TERMS: Final = MappingProxyType(
    {field: (option,) for option, field in (_AS_THEY_ARE | _TIMES).items()}
    | {
        "limit_bandwidth": ("max_bandwidth",),
        "limit_bandwidth_unit": ("max_bandwidth",),
        "limit_package_query": ("query",),
        "bases": ("base",),
        "networks": ("allow", "deny"),
        **{name: (name,) for name in ("name", "access", "metadata")},
    }
)
"""Fields of tokens and grants to the parameters of commands that set them."""
