"""What a look at a server's condition finds, for ``entitlements doctor``."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Health"]


class Health(StrEnum):
    """How something is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    """It has to be mended; the doctor's exit status is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name, a word or two.
        health: how it is.
        detail: what was found, one sentence, never a secret.
        remedy: what to do about it, or empty.
    """

    check: str
    health: Health
    detail: str
    remedy: str = ""
