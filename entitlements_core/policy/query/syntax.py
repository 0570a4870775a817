"""The syntax tree of a query, for packages and for tokens, and how it is printed back.

A tree is made of `And`, `Or` and `Not` over `Term`. A term compares one field with one value;
the type of the value says how:

=================== =========================================================================
`TextPattern`       the text holds the parts in order, from its start or to its end if anchored
`Number`            ``x == value``, or the comparison of the term
`DateRange`         ``low <= x < high`` with ``low, high = value.bounds(term.comparison)``
`RelativeDate`      only in a package query, until `dates.bind` turns it into a `DateRange`
`Flag`              ``x is value``
`Choice`            ``x == value``, one of the words of its field
`VersionEqual`      only in a package query
`VersionSet`        only in a package query
`Dependency`        only in a package query
=================== =========================================================================

`Term.negated` turns the outcome of the comparison round. The logic has three values: a fact that
is not known makes a term neither true nor false, whether or not it is negated, and only a tree
that is true matches. That is how SQL treats NULL in ``AND``, ``OR``, ``NOT`` and ``WHERE``.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName
from packaging.version import Version

__all__ = [
    "And",
    "Choice",
    "Comparison",
    "DateRange",
    "Dependency",
    "Flag",
    "Node",
    "Not",
    "Number",
    "Or",
    "RelativeDate",
    "Span",
    "Term",
    "TextPattern",
    "Value",
    "VersionEqual",
    "VersionSet",
    "terms",
    "unparse",
]

Span = tuple[int, int]
"""Start (inclusive) and end (exclusive) in the query, in characters."""


class Comparison(Enum):
    """How a number or a date is compared; every other value is compared with `EQ` alone."""

    EQ = ""
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="


@dataclass(frozen=True, slots=True)
class TextPattern:
    """Text to look for, whatever its case.

    Attributes:
        anchored_start: the first part must stand at the start of the text.
        anchored_end: the last part must stand at the end of the text.
        parts: at least one; lower case, in this order and without overlap, with any text (or
            none) between them. An empty part is found anywhere.
    """

    anchored_start: bool
    anchored_end: bool
    parts: tuple[str, ...]

    @property
    def exact(self) -> str | None:
        """The only text that matches, or None when several can."""
        whole = self.anchored_start and self.anchored_end and len(self.parts) == 1
        return self.parts[0] if whole else None


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number from 0 to `limits.MAX_COUNT`: a count, or a size in bytes."""

    value: int


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    value: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One word of a fixed list, in the spelling of `Field.choices`' values."""

    value: str


@dataclass(frozen=True, slots=True)
class DateRange:
    """A day, a minute, a second or an instant (one microsecond).

    Attributes:
        start: inclusive, aware, UTC.
        end: exclusive, aware, UTC.
    """

    start: datetime
    end: datetime

    def bounds(self, comparison: Comparison) -> tuple[datetime | None, datetime | None]:
        """The interval that a term stands for: low (inclusive) and high (exclusive); None = open.

        ``>`` begins when the range has ended, ``>=`` when it starts; ``<`` ends before it starts,
        ``<=`` when it has ended.
        """
        return {
            Comparison.EQ: (self.start, self.end),
            Comparison.GT: (self.end, None),
            Comparison.GE: (self.start, None),
            Comparison.LT: (None, self.start),
            Comparison.LE: (None, self.end),
        }[comparison]


@dataclass(frozen=True, slots=True)
class RelativeDate:
    """A date that moves with the clock.

    Attributes:
        amount: how many units from now; negative is the past.
        unit: ``seconds``, ``minutes``, ``hours``, ``days``, ``weeks``, ``months`` or ``years``;
            months and years are those of the calendar.
        whole_day: the UTC day that holds the instant (``today``), not the instant itself.
    """

    amount: int
    unit: str
    whole_day: bool = False


@dataclass(frozen=True, slots=True)
class VersionEqual:
    """The version, PEP 440: ``1.2`` and ``1.2.0`` are one."""

    version: Version


@dataclass(frozen=True, slots=True)
class VersionSet:
    """PEP 440 specifiers, all of which must admit the version; pre-releases are admitted."""

    specifiers: SpecifierSet


@dataclass(frozen=True, slots=True)
class Dependency:
    """A project that the file requires, at a version that these specifiers admit."""

    name: NormalizedName
    specifiers: SpecifierSet


Value = (
    TextPattern
    | Number
    | Flag
    | Choice
    | DateRange
    | RelativeDate
    | VersionEqual
    | VersionSet
    | Dependency
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One comparison.

    Attributes:
        field: as the field table spells it (aliases resolved); empty for a package query's term
            that was written without a field.
        value: what the field is compared with.
        comparison: how; `Comparison.EQ` unless the value is a `Number` or a date.
        negated: the value was written with a leading ``~``.
        written: the value as written, without ``~``, quotes and escapes.
        text: the whole term as written.
        span: where it stands in the query.
    """

    field: str
    value: Value
    comparison: Comparison = Comparison.EQ
    negated: bool = False
    written: str = dataclasses.field(default="", compare=False)
    text: str = dataclasses.field(default="", compare=False)
    span: Span = dataclasses.field(default=(0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """Every operand holds; there are at least two."""

    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one operand holds; there are at least two."""

    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The operand is false; an operand that is unknown stays unknown."""

    operand: "Node"
    span: Span = dataclasses.field(default=(0, 0), compare=False)


Node = And | Or | Not | Term


def terms(node: Node, *, positive: bool = True) -> Iterator[tuple[Term, bool]]:
    """Every term from left to right, and whether it must hold (True) or must not (False).

    A term below an odd number of ``NOT`` and ``~`` must not hold.
    """
    match node:
        case Term():
            yield node, positive is not node.negated
        case Not():
            yield from terms(node.operand, positive=not positive)
        case _:
            for operand in node.operands:
                yield from terms(operand, positive=positive)


def unparse(node: Node) -> str:
    """The tree as text that parses to an equal tree; terms are printed as they were written."""
    match node:
        case Term():
            return node.text
        case Not():
            return f"NOT {_enclosed(node.operand, And, Or)}"
        case And():
            return " AND ".join(_enclosed(operand, And, Or) for operand in node.operands)
        case _:
            return " OR ".join(_enclosed(operand, Or) for operand in node.operands)


def _enclosed(node: Node, *enclosed: type[And | Or]) -> str:
    return f"({unparse(node)})" if isinstance(node, enclosed) else unparse(node)
