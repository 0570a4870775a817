"""What a command prints: one JSON document on stdout, or something for people."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["emit", "note", "show_fields", "show_table", "stderr", "stdout", "warn"]

_WIDE: Final = 10_000
"""Columns of a pipe: nothing is folded or cut where a program reads."""


def stdout() -> "Console":
    """Where results for people go."""
    return _console(error=False)


def stderr() -> "Console":
    """Where notes, warnings and errors go."""
    return _console(error=True)


def emit(document: object, human: Callable[["Console"], None], *, as_json: bool) -> None:
    """Print a result.

    Args:
        document: what ``--json`` prints, and nothing else beside it.
        human: prints the same for people.
        as_json: which of the two.
    """
    if as_json:
        text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
        sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
    else:
        human(stdout())


def note(text: str) -> None:
    """A remark on stderr."""
    stderr().print(text, style="dim", soft_wrap=True)


def warn(warnings: Iterable[str], *, as_json: bool) -> None:
    """Warnings on stderr; a JSON document carries them itself."""
    if as_json:
        return
    for warning in warnings:
        console = stderr()
        console.print("Warning:", style="yellow", end=" ")
        console.print(warning, soft_wrap=True)


def show_table(console: "Console", headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table, or a word that it is empty."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - only for people
    from rich.table import Table  # noqa: PLC0415 - only for people
    from rich.text import Text  # noqa: PLC0415 - only for people

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    if table.row_count:
        console.print(table)
    else:
        console.print("Nothing found.", style="dim")


def show_fields(console: "Console", fields: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair a line; empty values are left out."""
    from rich.table import Table  # noqa: PLC0415 - only for people
    from rich.text import Text  # noqa: PLC0415 - only for people

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        if value:
            grid.add_row(name, Text(value))
    console.print(grid)


def _console(*, error: bool) -> "Console":
    from rich.console import Console  # noqa: PLC0415 - only for people

    console = Console(stderr=error, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDE
    return console
