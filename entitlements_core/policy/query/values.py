"""Read the value of a term: one function for each kind of field."""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Final, TypeVar

from entitlements_core.policy.limits import MAX_COUNT, BandwidthUnit
from entitlements_core.policy.query.dates import read_date
from entitlements_core.policy.query.field_table import Field, ValueKind
from entitlements_core.policy.query.patterns import normalised, read_pattern, without_blanks
from entitlements_core.policy.query.syntax import Choice, Comparison, Flag, Number, Value
from entitlements_core.policy.query.tokenizer import Excerpt
from entitlements_core.policy.query.versions import read_dependency, read_version

__all__ = ["read_value"]

_T = TypeVar("_T")
_Read = tuple[Comparison, Value]

_ORDER: Final = (Comparison.GE, Comparison.LE, Comparison.GT, Comparison.LT)
_TEXT_OPERATORS: Final = ("~=", "==", "!=", ">=", "<=", ">", "<", "=")
_SIZE: Final = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>[a-z]*)")
_DECIMAL: Final = {
    unit.symbol: unit.bytes for unit in BandwidthUnit if unit.bytes <= BandwidthUnit.PETABYTE.bytes
}
_BINARY: Final = {
    f"{symbol[0].upper()}iB": 1024**power for power, symbol in enumerate(_DECIMAL) if power
}
_SIZES: Final = {**_DECIMAL, **_BINARY}
_FACTORS: Final = {"": 1, **{symbol.lower(): factor for symbol, factor in _SIZES.items()}}


def read_value(value: Excerpt, field: Field) -> _Read:
    """What a term of this field is compared with, and how; `value` is not empty.

    Raises:
        QuerySyntaxError: the value does not fit the field; says what was expected.
    """
    return _READERS[field.kind](value, field)


def _read_text(value: Excerpt, field: Field) -> _Read:
    operator = next(filter(value.begins, _TEXT_OPERATORS), None)
    if operator is not None:
        bare = "A term without a field", "write it directly after a field, such as version:>=1.2"
        named = f"The field {field.name}", f"expected text such as in {field.example}"
        subject, expected = named if field.name else bare
        raise value.error(f"{subject} is text and cannot be compared with {operator}; {expected}")
    return Comparison.EQ, read_pattern(value)


def _read_name(value: Excerpt, field: Field) -> _Read:
    _read_text(value, field)
    return Comparison.EQ, normalised(read_pattern(value))


def _read_specifiers(value: Excerpt, _: Field) -> _Read:
    return Comparison.EQ, without_blanks(read_pattern(value))


def _read_version(value: Excerpt, _: Field) -> _Read:
    return Comparison.EQ, read_version(value)


def _read_dependency(value: Excerpt, _: Field) -> _Read:
    return Comparison.EQ, read_dependency(value)


def _read_date(value: Excerpt, _: Field) -> _Read:
    comparison, rest = _read_comparison(value)
    return read_date(rest, comparison)


def _read_number(value: Excerpt, field: Field) -> _Read:
    comparison, rest = _read_comparison(value)
    if not (rest.text.isascii() and rest.text.isdigit()):
        raise rest.error(f"Expected a whole number, such as in {field.example}")
    return comparison, _bounded(rest, int(rest.text))


def _read_size(value: Excerpt, field: Field) -> _Read:
    comparison, rest = _read_comparison(value)
    found = _SIZE.fullmatch(rest.text.lower())
    factor = _FACTORS.get(found["unit"]) if found else None
    if found is None or factor is None:
        raise rest.error(
            f"Expected bytes, or {', '.join([*_SIZES][1:])}, such as in {field.example}"
        )
    size = Fraction(found["number"]) * factor
    if size.denominator != 1:
        raise rest.error(f"{rest.text} is not a whole number of bytes.")
    return comparison, _bounded(rest, size.numerator)


def _bounded(value: Excerpt, number: int) -> Number:
    if number > MAX_COUNT:
        raise value.error(f"The number is too large; the largest is {MAX_COUNT}.")
    return Number(number)


def _read_comparison(value: Excerpt) -> tuple[Comparison, Excerpt]:
    found = next((one for one in _ORDER if value.begins(one.value)), Comparison.EQ)
    rest = value.without(len(found.value)).stripped()
    if not rest.text:
        raise value.error(f"Expected a value after {value.text.strip()}, found nothing.")
    return found, rest


def _read_flag(value: Excerpt, field: Field) -> _Read:
    return Comparison.EQ, Flag(_chosen(value, field, {"true": True, "false": False}))


def _read_choice(value: Excerpt, field: Field) -> _Read:
    return Comparison.EQ, Choice(_chosen(value, field, field.choices))


def _chosen(value: Excerpt, field: Field, words: Mapping[str, _T]) -> _T:
    chosen = words.get(value.text.strip().lower())
    if chosen is None:
        raise value.error(
            f"{value.text} is not a value of {field.name}; expected one of {', '.join(words)}."
        )
    return chosen


_READERS: Final[Mapping[ValueKind, Callable[[Excerpt, Field], _Read]]] = {
    ValueKind.TEXT: _read_text,
    ValueKind.NAME: _read_name,
    ValueKind.SPECIFIERS: _read_specifiers,
    ValueKind.VERSION: _read_version,
    ValueKind.DEPENDENCY: _read_dependency,
    ValueKind.NUMBER: _read_number,
    ValueKind.SIZE: _read_size,
    ValueKind.DATE: _read_date,
    ValueKind.FLAG: _read_flag,
    ValueKind.CHOICE: _read_choice,
}
"""A reader for every kind."""
