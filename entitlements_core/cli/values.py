"""Reads what an option cannot say in one word: times, durations, JSON, secrets on stdin."""

import json
import re
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final, overload

import typer

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.network import Address, parse_address

__all__ = [
    "filled",
    "read_address",
    "read_duration",
    "read_metadata",
    "read_path",
    "read_secret",
    "read_time",
]

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_DURATION: Final = re.compile(r"([0-9]{1,4000})([smhdw])")
_FITTING: Final = "Use a shorter one, of some thousand years at most."
_LONGEST_LINE: Final = 1024
"""Characters of a line on stdin; a secret has at most 48."""
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


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


def read_path(text: str | Path) -> Path:
    """A path that an option names, for Typer's ``parser``.

    Raises:
        typer.BadParameter: when it is empty, which would be the working directory.
    """
    if isinstance(text, str) and not text.strip():
        raise typer.BadParameter(
            "The path is empty. It may be a variable of the shell that is not set."
        )
    return Path(text)


def filled(field: str, text: str) -> str:
    """`text`, unless it is empty: the path of nothing would be the working directory.

    Raises:
        InvalidValue: when it is.
    """
    if not text.strip():
        raise InvalidValue(
            field,
            f"{field} is empty.",
            "It may be a variable of the shell that is not set; name what is meant.",
        )
    return text


def read_address(field: str, text: str | None) -> Address | None:
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


def read_secret(text: str) -> str:
    """The secret that was given; ``-`` stands for the first line of stdin."""
    return sys.stdin.readline(_LONGEST_LINE).rstrip("\r\n") if text == "-" else text


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
