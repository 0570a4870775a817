"""Cells of CSV that a spreadsheet may open: clients choose some of the texts."""

from typing import Final

__all__ = ["cell"]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def cell(value: object) -> str:
    """A text that a spreadsheet does not take for a formula; an apostrophe marks those that are."""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
