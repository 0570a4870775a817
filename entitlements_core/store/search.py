"""A token search as an SQL condition; values travel as bound parameters only.

The logic of the search language has three values, like SQL's: what a token does not have (a limit,
an end, a metadata key) makes a term neither true nor false, and only what is true is found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    String,
    and_,
    case,
    cast,
    collate,
    exists,
    func,
    literal,
    not_,
    null,
    or_,
    text,
    type_coerce,
)
from sqlmodel import Session, col

from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.limits import MAX_COUNT, BandwidthUnit
from entitlements_core.policy.query.syntax import (
    And,
    Choice,
    Comparison,
    DateRange,
    Flag,
    Node,
    Not,
    Number,
    Or,
    Term,
    TextPattern,
)
from entitlements_core.policy.token import Status
from entitlements_core.store.models import TagRow, TokenRow, UsageRow
from entitlements_core.store.moments import to_micros

__all__ = ["Search"]

Expression = Any
"""A column or what is made of columns; SQLAlchemy's types keep the two apart."""

_COMPARE: Final[dict[Comparison, Callable[[Expression, int], Expression]]] = {
    Comparison.EQ: lambda column, value: column == value,
    Comparison.GT: lambda column, value: column > value,
    Comparison.GE: lambda column, value: column >= value,
    Comparison.LT: lambda column, value: column < value,
    Comparison.LE: lambda column, value: column <= value,
}
_METADATA: Final = "metadata."
_COLLATIONS: Final = ("pg_c_utf8", "und-x-icu")
"""Of PostgreSQL 17 and later; of a server that was built with ICU."""
_COLLATIONS_THERE: Final = text("SELECT collname FROM pg_collation")
_SCALARS: Final = ("text", "string", "integer", "real", "number", "true", "false", "boolean")
"""What SQLite's json_type and PostgreSQL's json_typeof call a value that can be searched."""


@dataclass(frozen=True)
class Search:
    """Compiles search trees over `tokens` joined with `usage`.

    Args:
        dialect: ``sqlite`` or ``postgresql``.
        now: aware, UTC: what ``state`` is asked for.
        collation: of PostgreSQL, one that knows the letters of all scripts; empty for its default.
    """

    dialect: str
    now: datetime
    collation: str = ""

    @classmethod
    def on(cls, session: Session, now: datetime) -> "Search":
        """The compiler for the database of `session`."""
        dialect = session.get_bind().dialect.name
        if dialect == "sqlite":
            return cls(dialect, now)
        known = set(session.scalars(_COLLATIONS_THERE))
        return cls(dialect, now, next((name for name in _COLLATIONS if name in known), ""))

    def condition(self, node: Node) -> Expression:
        """The condition that holds for the tokens that `node` finds."""
        match node:
            case And():
                return and_(*map(self.condition, node.operands))
            case Or():
                return or_(*map(self.condition, node.operands))
            case Not():
                return not_(self.condition(node.operand))
            case Term():
                found = self._term(node)
                return not_(found) if node.negated else found

    @cached_property
    def status(self) -> Expression:
        """What `policy.token.Token.status` says of a token at `now`."""
        start, end = col(TokenRow.limit_date_range_from), col(TokenRow.limit_date_range_to)
        return case(
            (col(TokenRow.state) != State.ENABLED, col(TokenRow.state)),
            (start > self.now, literal(Status.NOT_YET_VALID)),
            (end <= self.now, literal(Status.EXPIRED)),
            (_used_up(), literal(Status.LIMITED)),
            else_=literal(Status.ENABLED),
        )

    def _term(self, term: Term) -> Expression:
        if term.field == "tag":
            return self._tagged(term)
        column = self._column(term.field)
        match term.value:
            case TextPattern() as pattern:
                return self._text(column, pattern)
            case Number(value):
                return _COMPARE[term.comparison](column, value)
            case DateRange() as moments:
                return _within(column, *moments.bounds(term.comparison))
            case Flag(value):
                return (column == State.ENABLED) if value else (column != State.ENABLED)
            case Choice(value):
                return column == value
            case _:  # pragma: no cover - `parse_token_search` makes no other
                raise AssertionError(term)

    def _column(self, field: str) -> Expression:
        if field.startswith(_METADATA):
            return self._metadata(field.removeprefix(_METADATA).split("."))
        return self.status if field == "state" else _COLUMNS[field]

    def _tagged(self, term: Term) -> Expression:
        assert isinstance(term.value, TextPattern)  # noqa: S101 - the field table says so
        tag = self._text(col(TagRow.tag), term.value)
        return exists().where(col(TagRow.token_id) == col(TokenRow.id), tag)

    def _text(self, column: Expression, pattern: TextPattern) -> Expression:
        lower = self._lower(column)
        if pattern.exact is not None:
            return lower == pattern.exact
        middle = "%".join(map(_escaped, pattern.parts))
        start = "" if pattern.anchored_start else "%"
        end = "" if pattern.anchored_end else "%"
        return lower.like(f"{start}{middle}{end}", escape="\\")

    def _lower(self, column: Expression) -> Expression:
        """As Python's `str.lower`; the databases' own `lower` may know only ASCII."""
        if self.dialect == "sqlite":
            return func.unicode_lower(column)
        return func.lower(collate(column, self.collation) if self.collation else column)

    def _metadata(self, keys: list[str]) -> Expression:
        """A text, number or truth value of the metadata, as text; NULL for all else."""
        column = col(TokenRow.token_metadata)
        value: Expression
        if self.dialect == "sqlite":
            if any('"' in key for key in keys):
                # Its path language cannot name such a key, so there is none to be found.
                return null()
            path = "$" + "".join(f'."{key}"' for key in keys)
            kind, value = func.json_type(column, path), func.json_extract(column, path)
            truth = kind.in_(("true", "false"))
            value = case((truth, kind), else_=cast(value, String))
        else:
            kind = func.json_typeof(func.json_extract_path(column, *keys))
            value = func.json_extract_path_text(column, *keys)
        return case((kind.in_(_SCALARS), value), else_=null())


def _used_up() -> Expression:
    return or_(
        col(UsageRow.downloads) >= col(TokenRow.limit_num_downloads),
        col(UsageRow.clients) >= col(TokenRow.limit_num_clients),
        col(UsageRow.bandwidth) >= _limit_in_bytes(),
    )


def _limit_in_bytes() -> Expression:
    """Of a unit that is itself beyond 64 bits, only an amount of zero can be kept."""
    sizes = [
        (col(TokenRow.limit_bandwidth_unit) == unit, literal(unit.bytes, BigInteger))
        for unit in BandwidthUnit
        if unit.bytes <= MAX_COUNT
    ]
    return col(TokenRow.limit_bandwidth) * case(*sizes, else_=literal(0, BigInteger))


def _within(column: Expression, low: datetime | None, high: datetime | None) -> Expression:
    moment = type_coerce(column, BigInteger)
    bounds = []
    if low is not None:
        bounds.append(moment >= to_micros(low))
    if high is not None:
        bounds.append(moment < to_micros(high))
    return and_(*bounds)


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_COLUMNS: Final[dict[str, Expression]] = {
    "name": col(TokenRow.name),
    "identifier": col(TokenRow.identifier),
    "user": col(TokenRow.user),
    "active": col(TokenRow.state),
    "token_type": case(
        (col(TokenRow.kind) == CredentialKind.USER, literal("user")), else_=literal("standard")
    ),
    "clients": col(UsageRow.clients),
    "downloads": col(UsageRow.downloads),
    "bandwidth_usage": col(UsageRow.bandwidth),
    "bandwidth_limit": col(TokenRow.limit_bandwidth),
    "bandwidth_limit_unit": case(
        (col(TokenRow.limit_bandwidth).is_not(None), col(TokenRow.limit_bandwidth_unit)),
        else_=null(),
    ),
    "created": col(TokenRow.created_at),
    "last_reset": col(UsageRow.since),
    "last_used": col(UsageRow.last_used_at),
    "limit_date_from": col(TokenRow.limit_date_range_from),
    "limit_date_to": col(TokenRow.limit_date_range_to),
}
