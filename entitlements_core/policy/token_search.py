"""The search language for tokens: the package query's grammar over the fields of a token.

The store compiles the tree to SQL; `entitlements_core.policy.query.syntax` documents its nodes.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from entitlements_core.policy.limits import BandwidthUnit
from entitlements_core.policy.query.dates import bind
from entitlements_core.policy.query.field_table import Field, FieldTable, ValueKind
from entitlements_core.policy.query.parser import parse
from entitlements_core.policy.query.syntax import Node
from entitlements_core.policy.token import Status

__all__ = ["TOKEN_FIELDS", "parse_token_search"]

_UNITS: Final = {
    **{unit.symbol.lower(): unit.value for unit in BandwidthUnit},
    **{unit.value.lower(): unit.value for unit in BandwidthUnit},
}


def _text(name: str, help_: str, example: str) -> Field:
    return Field(name=name, kind=ValueKind.TEXT, help=help_, example=example)


def _count(name: str, help_: str, example: str) -> Field:
    return Field(name=name, kind=ValueKind.NUMBER, help=help_, example=example)


def _date(name: str, help_: str, example: str) -> Field:
    return Field(name=name, kind=ValueKind.DATE, help=help_, example=example)


def _choice(name: str, help_: str, example: str, words: Mapping[str, str]) -> Field:
    return Field(name=name, kind=ValueKind.CHOICE, help=help_, example=example, choices=words)


_NAME: Final = _text("name", "the customer's name on the token", "name:acme")
_EXPIRES: Final = _date("limit_date_to", "valid until", "limit_date_to:<'in 30 days'")
_ALL: Final = (
    _NAME,
    _text("identifier", "the public identifier", "identifier:abced12345"),
    Field(name="active", kind=ValueKind.FLAG, help="enabled by its owner", example="active:false"),
    _choice(
        "state",
        "what the token is at the moment",
        "state:expired",
        {status.value: status.value for status in Status},
    ),
    _choice(
        "token_type",
        "issued by hand, or a user's own",
        "token_type:user",
        {"standard": "standard", "user": "user"},
    ),
    _text("user", "the user of a user token", "user:foo"),
    _text("tag", "any tag of the token", "tag:trial"),
    _count("clients", "clients since the last reset", "clients:>1"),
    _count("downloads", "downloads since the last reset", "downloads:>1"),
    Field(
        name="bandwidth_usage",
        kind=ValueKind.SIZE,
        help="bytes served since the last reset",
        example="bandwidth_usage:>10GB",
    ),
    _count("bandwidth_limit", "the limit, counted in its unit", "bandwidth_limit:100"),
    _choice(
        "bandwidth_limit_unit",
        "the unit of the limit, in full or short",
        "bandwidth_limit_unit:GB",
        _UNITS,
    ),
    _date("created", "when it was made", "created:>2024-10-10"),
    _date("last_reset", "when its counters were last set to zero", "last_reset:>2024-10-10"),
    _date("last_used", "the last download", "last_used:<'6 months ago'"),
    _date("limit_date_from", "valid from", "limit_date_from:2024-10-10"),
    _EXPIRES,
)

TOKEN_FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {known.name: known for known in _ALL} | {"expires": _EXPIRES}
)
"""Every field by the name that is written; ``expires`` is another word for ``limit_date_to``."""

_TABLE: Final = FieldTable(
    fields=TOKEN_FIELDS,
    bare=_NAME,
    open_field=_text("metadata", "a value of the token's metadata", "metadata.region:emea"),
)


def parse_token_search(text: str, *, now: datetime) -> Node:
    """The typed tree of a token search.

    Args:
        text: at most `MAX_LENGTH` characters, not blank; a term without a field searches the name.
        now: aware, UTC; relative dates are counted from it, so that the tree holds only
            `DateRange` for dates.

    Returns:
        A tree whose terms carry a field of `TOKEN_FIELDS` (aliases resolved) or
        ``metadata.KEY[.KEY...]``, and one of `TextPattern`, `Number`, `DateRange`, `Flag` and
        `Choice`.

    Raises:
        QuerySyntaxError: the text is no search; shows where, and what was expected.
    """
    return bind(parse(text, _TABLE), now)
