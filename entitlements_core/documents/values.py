"""Single values of documents, as text and back: moments, durations, sizes, addresses, objects."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, overload

from entitlements_core.errors import InvalidValue
from entitlements_core.policy import instants
from entitlements_core.policy.limits import BandwidthUnit
from entitlements_core.policy.network import IPAddress, parse_address

__all__ = [
    "MASK",
    "instant",
    "read_address",
    "read_duration",
    "read_metadata",
    "read_time",
    "readable_bytes",
]

MASK: Final = "**********"
"""Stands for a secret that is not shown, as at Cloudsmith."""

_THOUSAND: Final = 1000
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_DURATION: Final = re.compile(r"([0-9]{1,4000})([smhdw])")
_FITTING: Final = "Use a shorter one, of some thousand years at most."
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def instant(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with ``Z``; None stays None."""
    return None if moment is None else instants.instant(moment)


def readable_bytes(count: int) -> str:
    """Bytes in decimal units, such as ``1.5 MB``."""
    amount = float(count)
    for unit in BandwidthUnit:
        if amount < _THOUSAND or unit is BandwidthUnit.YOTTABYTE:
            return f"{amount:.3g} {unit.symbol}" if amount < _THOUSAND else f"{count} B"
        amount /= _THOUSAND
    raise AssertionError


@overload
def read_time(field: str, text: str) -> datetime: ...
@overload
def read_time(field: str, text: str | None) -> datetime | None: ...
def read_time(field: str, text: str | None) -> datetime | None:
    """The moment that `text` names, with its zone; None stays None.

    A plain date is 00:00 UTC of that day.

    Raises:
        InvalidValue: when it is no time, or has no zone.
    """
    if text is None:
        return None
    written = text.strip()
    try:
        if _DAY.fullmatch(written):
            return datetime.combine(date.fromisoformat(written), time(), UTC)
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise _no_time(field, f"{text!r} is no time.") from None
    if moment.tzinfo is None:
        raise _no_time(field, f"{text!r} has no time zone.")
    return moment


def read_duration(field: str, text: str | None) -> timedelta | None:
    """The duration that `text` names, such as ``30m``, ``12h``, ``7d`` or ``2w``.

    Raises:
        InvalidValue: when it is none.
    """
    if text is None:
        return None
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        raise InvalidValue(
            field,
            f"{text!r} is no duration.",
            "Write a number and a unit, such as 30m, 12h, 7d or 2w.",
        )
    try:
        return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    except OverflowError:
        raise InvalidValue(field, f"{text!r} is too long.", _FITTING) from None


def read_address(field: str, text: str | None) -> IPAddress | None:
    """The address that `text` names; None stays None.

    Raises:
        InvalidValue: when it is none.
    """
    if text is None:
        return None
    found = parse_address(text)
    if found is None:
        raise InvalidValue(
            field, f"{text!r} is no address.", "Write one such as 203.0.113.9 or 2001:db8::1."
        )
    return found


def read_metadata(text: str) -> dict[str, object]:
    """The JSON object that `text` is.

    Raises:
        InvalidValue: when it is no JSON, or no object.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        said = "too deep" if isinstance(error, RecursionError) else str(error)
        raise _no_object(f"The metadata is no JSON: {said}.") from None
    if isinstance(found, dict):
        return found
    raise _no_object(f"The metadata is a JSON {_kind(found)}, not an object.")


def _kind(value: object) -> str:
    names = {list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")


def _no_time(field: str, problem: str) -> InvalidValue:
    remedy = (
        "Write 2026-12-31T18:30:00Z, with an offset such as +01:00, or 2026-12-31 for 00:00 UTC."
    )
    return InvalidValue(field, problem, remedy)


def _no_object(problem: str) -> InvalidValue:
    return InvalidValue("metadata", problem, """Write an object, such as '{"plan": "gold"}'.""")
