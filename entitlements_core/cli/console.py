"""What a command prints: a JSON document, or text for people; and how it asks before it goes on."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import typer

from entitlements_core.errors import Refused
from entitlements_core.terminal import STEERING, escaped, stderr, stdout

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "confirm",
    "emit",
    "is_attended",
    "note",
    "note_page",
    "show_fields",
    "show_table",
    "warn",
]

_UNESCAPED: Final = re.compile(rf"(?![\x00-\x1f])[{STEERING}]")
"""What JSON does not escape by itself."""
_MANY: Final = 500
"""Rows of a table that nobody reads on one screen."""


def emit(document: object, human: Callable[["Console"], None], *, as_json: bool) -> None:
    """Print a result.

    Args:
        document: what ``--json`` prints, and nothing else beside it.
        human: prints the same for people.
        as_json: which of the two.
    """
    if as_json:
        text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
        text = _UNESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
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


def note_page(shown: int, total: int, *, as_json: bool) -> None:
    """Say on stderr that there is more than what is shown."""
    if shown < total and not as_json:
        note(f"{shown} of {total}.")


def printable(text: str, *, lines: bool = False) -> str:
    """`text` without characters that steer a terminal, which a client may have sent as its name.

    Args:
        text: of anybody.
        lines: whether line breaks stay.
    """
    return escaped(text, kept="\n" if lines else "")


def show_table(console: "Console", headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table, or a word that it is empty."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - only for people
    from rich.table import Table  # noqa: PLC0415 - only for people
    from rich.text import Text  # noqa: PLC0415 - only for people

    listed = list(rows)
    if len(listed) > _MANY:
        _show_lines(console, headings, listed)
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in listed:
        table.add_row(*(Text(printable(one)) for one in row))
    if listed:
        _print_trimmed(console, table)
    else:
        console.print("Nothing found.", style="dim")


def _show_lines(console: "Console", headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The same table without folding: Rich takes half a millisecond for a row."""
    from rich.cells import cell_len  # noqa: PLC0415 - only for people

    cells = [headings, *([printable(one) for one in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "   ".join(
            one + " " * (width - cell_len(one)) for one, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    ]
    lines.insert(1, "─" * (sum(widths) + 3 * (len(widths) - 1)))
    console.file.write("\n".join(lines) + "\n")


def show_fields(console: "Console", fields: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair a line; empty values are left out."""
    from rich.table import Table  # noqa: PLC0415 - only for people
    from rich.text import Text  # noqa: PLC0415 - only for people

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in fields:
        if value:
            grid.add_row(name, Text(printable(value, lines=True)))
    _print_trimmed(console, grid)


def _print_trimmed(console: "Console", table: "Table") -> None:
    """Print a table; into a file or a pipe without the blanks that fill its lines up."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as printed:
        console.print(table)
    lines = printed.get().split("\n")
    console.file.write("\n".join(line.rstrip() for line in lines))


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
