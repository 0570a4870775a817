"""One piece of configuration, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["HIDDEN_NAMES", "Made", "Snippet", "Unfit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One piece of configuration.

    Attributes:
        client: whose it is.
        title: what it does.
        file: that it belongs in, or ``shell``.
        language: of the text, as code blocks name it.
        text: to be copied, with a line break at its end.
        warning: what to know before it is used, or empty.
    """

    client: str
    title: str
    file: str
    language: str
    text: str
    warning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """Why there is no configuration of a client, and what would give one."""

    client: str
    reason: str
    remedy: str


Made = Snippet | Unfit

HIDDEN_NAMES: Final = (
    "A name that this index does not show you is looked for in the public one. An index with an"
    " upstream prevents that: ask the vendor for it."
)
"""What remains of two indexes where a client asks them in their order."""
