"""Texts of anybody, as they may be shown: names of files and clients can steer a terminal."""

import re
from typing import Final

__all__ = ["STEERING", "escaped"]

STEERING: Final = r"\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Control characters, and those that turn the direction of writing; for a class of `re`."""

_STEERING: Final = re.compile(f"[{STEERING}]")


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
