"""Reads what an option cannot say in one word: paths, and secrets on stdin."""

import sys
from pathlib import Path
from typing import Final

import typer

from entitlements_core.errors import InvalidValue

__all__ = ["filled", "read_path", "read_secret"]

_LONGEST_LINE: Final = 1024
"""Characters of a line on stdin; a secret has at most 48."""


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


def read_secret(text: str) -> str:
    """The secret that was given; ``-`` stands for the first line of stdin."""
    return sys.stdin.readline(_LONGEST_LINE).rstrip("\r\n") if text == "-" else text
