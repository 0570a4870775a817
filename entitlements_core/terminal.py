"""The terminal: where people read, and what of anybody's text may be shown there.

Names of files and clients may hold characters that steer a terminal.
"""

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["STEERING", "escaped", "stderr", "stdout"]

STEERING: Final = r"\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Control characters, and those that turn the direction of writing; for a class of `re`."""

_STEERING: Final = re.compile(f"[{STEERING}]")
_WIDE: Final = 10_000
"""Columns of a pipe: nothing is folded or cut where a program reads."""


def stdout() -> "Console":
    """Where results for people go."""
    return _console(error=False)


def stderr() -> "Console":
    """Where notes, warnings, errors and progress go."""
    return _console(error=True)


def escaped(text: str, *, kept: str = "") -> str:
    """`text` with escapes for what steers a terminal, so that it is one line.

    Args:
        text: of anybody.
        kept: characters that stay.
    """
    return _STEERING.sub(lambda found: found[0] if found[0] in kept else _escape(found[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - as Python does


def _console(*, error: bool) -> "Console":
    from rich.console import Console  # noqa: PLC0415 - only for people

    console = Console(stderr=error, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console
