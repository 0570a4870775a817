"""Limits on use, their units, and what has been used of them since the last reset."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from entitlements_core.errors import InvalidValue

__all__ = [
    "MAX_COUNT",
    "UNITS",
    "BandwidthUnit",
    "Limits",
    "Usage",
    "check_bandwidth",
    "check_count",
    "parse_bandwidth",
]

MAX_COUNT: Final = 2**63 - 1
"""The largest number a limit can hold: a signed 64-bit integer, in bytes for bandwidth."""


class BandwidthUnit(StrEnum):
    """Cloudsmith's units. Decimal: one Gigabyte is 1000³ bytes, not 1024³."""

    BYTE = "Byte"
    KILOBYTE = "Kilobyte"
    MEGABYTE = "Megabyte"
    GIGABYTE = "Gigabyte"
    TERABYTE = "Terabyte"
    PETABYTE = "Petabyte"
    EXABYTE = "Exabyte"
    ZETTABYTE = "Zettabyte"
    YOTTABYTE = "Yottabyte"

    @property
    def bytes(self) -> int:
        """How many bytes one unit is."""
        return int(1000 ** list(BandwidthUnit).index(self))

    @property
    def symbol(self) -> str:
        """The short form: B, kB, MB … YB."""
        return "B" if self is BandwidthUnit.BYTE else self.value[0].replace("K", "k") + "B"

    @classmethod
    def parse(cls, text: str) -> "BandwidthUnit":
        """The unit that `text` names, in full or short, in any case.

        Raises:
            InvalidValue: when it is no unit.
        """
        wanted = text.strip().casefold()
        for unit in cls:
            if wanted in {
                unit.value.casefold(),
                unit.symbol.casefold(),
                f"{unit.value}s".casefold(),
            }:
                return unit
        raise InvalidValue(
            "limit_bandwidth_unit",
            f"{text!r} is not a unit of bandwidth.",
            f"Use one of {UNITS}.",
        )


UNITS: Final = (
    f"{', '.join(unit.symbol for unit in BandwidthUnit)},"
    f" or in full {', '.join(BandwidthUnit)}; each is 1000 of the one before, and none is of 1024"
)
"""All that `BandwidthUnit.parse` reads, for people."""


def parse_bandwidth(text: str) -> tuple[int, BandwidthUnit]:
    """Read ``10GB``, ``10 Gigabyte`` or ``500`` (bytes) as an amount and its unit.

    Raises:
        InvalidValue: when it is not a whole number of a known unit, or too large.
    """
    digits = text.strip()
    end = next((i for i, char in enumerate(digits) if not ("0" <= char <= "9")), len(digits))
    unit = BandwidthUnit.parse(digits[end:]) if digits[end:].strip() else BandwidthUnit.BYTE
    if not end:
        raise InvalidValue(
            "limit_bandwidth",
            f"{text!r} is not an amount of bandwidth.",
            f"Write a whole number and a unit, such as 10GB or 500MB; the units are {UNITS}.",
        )
    amount = int(digits[:end]) if end <= len(str(MAX_COUNT)) else MAX_COUNT + 1
    check_bandwidth(amount, unit)
    return amount, unit


def check_count(field: str, value: int | None) -> int | None:
    """`value` unless it is negative or does not fit a signed 64-bit integer.

    Zero is a limit: nothing is allowed. None is no limit.

    Raises:
        InvalidValue: naming `field`.
    """
    if value is not None and (type(value) is not int or not 0 <= value <= MAX_COUNT):
        raise InvalidValue(
            field,
            f"{field} cannot be {value}.",
            f"Use 0 (none allowed) to {MAX_COUNT}, or clear it for no limit.",
        )
    return value


def check_bandwidth(amount: int | None, unit: BandwidthUnit) -> None:
    """Refuse an amount that is negative or, in bytes, does not fit a signed 64-bit integer.

    Raises:
        InvalidValue: naming ``limit_bandwidth``.
    """
    check_count("limit_bandwidth", amount)
    if amount is not None and amount * unit.bytes > MAX_COUNT:
        raise InvalidValue(
            "limit_bandwidth",
            f"{amount} {unit} is more than can be counted.",
            f"Use at most {MAX_COUNT} bytes, or clear it for no limit.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a credential may use per reset period. None is no limit, 0 allows nothing.

    Attributes:
        downloads: distribution files.
        clients: distinct client addresses.
        bandwidth: bytes.
    """

    downloads: int | None = None
    clients: int | None = None
    bandwidth: int | None = None

    @property
    def any(self) -> bool:
        """Whether anything is limited at all."""
        return not self.downloads is self.clients is self.bandwidth is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was used since `since`, inclusive.

    Attributes:
        since: aware, UTC: when the counters last were zero.
        downloads, clients: counts.
        bandwidth: bytes.
    """

    since: datetime
    downloads: int = 0
    clients: int = 0
    bandwidth: int = 0
