"""Asking before something ends for good: its name has to be typed, as at Cloudsmith."""

import sys

import typer

from entitlements_core.errors import Refused

__all__ = ["confirm"]


def is_attended() -> bool:
    """Whether somebody sits at a terminal."""
    return sys.stdin.isatty()


def confirm(consequence: str, name: str, *, skip: bool) -> None:
    """Let `name` be typed; where nobody sits at a terminal, nobody is asked.

    Args:
        consequence: what will happen, one sentence.
        name: what has to be typed.
        skip: do not ask.

    Raises:
        Refused: when something else is typed.
    """
    if skip or not is_attended():
        return
    typed = typer.prompt(f"{consequence} Type {name} to go on", err=True)
    if str(typed).strip() != name:
        raise Refused(f"{typed!r} is not {name!r}.", "Nothing was changed.")
