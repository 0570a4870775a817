"""Progress bars on stderr, and a catalog that is built in the foreground under one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from entitlements_core.interfaces import Progress
from entitlements_core.terminal import stderr

if TYPE_CHECKING:
    from entitlements_core.engine.catalog import Catalog, ScanReport

__all__ = ["build", "note_problems", "progress_bar"]


def build(catalog: "Catalog") -> "ScanReport":
    """Look at all files of a catalog; those that were read before are known from its cache."""
    with progress_bar("Reading distributions") as tell:
        return catalog.refresh(tell)


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """Show how far something is, where stderr is a terminal.

    Args:
        what: is done, a few words.

    Yields:
        What is called with the number that is done and the number that is wanted.
    """
    console = stderr()
    if not console.is_terminal:
        yield lambda _done, _wanted: None
        return
    from rich.progress import (  # noqa: PLC0415 - a fast start
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, wanted: bar.update(task, completed=done, total=wanted)


def note_problems(report: "ScanReport") -> None:
    """Say on stderr which files are not served, or not as they were meant."""
    console = stderr()
    for problem in report.problems:
        console.print(f"{problem.path}: {problem.reason} {problem.remedy}".strip(), soft_wrap=True)
