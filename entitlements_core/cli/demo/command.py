"""``entitlements demo``: the main job, end to end, with real servers and real clients.

A vendor's folder of wheels becomes an index over which two customers have two tokens, and real pip
and uv show what each of them gets. Everything happens in one directory and on loopback.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from entitlements_core.cli.demo.steps import DemoFailed, Demonstration
from entitlements_core.cli.options import read_path

__all__ = ["demo"]


def demo(
    *,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Leave the server running, and its directory, and print the URLs."
        ),
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory", parser=read_path, help="Work here instead of in a temporary directory."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the outcome as one JSON document.")
    ] = False,
) -> None:
    """Show the main job end to end: an index, two tokens, real pip and uv installs."""
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)
    work = directory or Path(tempfile.mkdtemp(prefix="entitlements-demo-"))
    try:
        _tell(Demonstration(work.absolute(), console), console, keep=keep, as_json=as_json)
    finally:
        if directory is None and not keep:
            shutil.rmtree(work, ignore_errors=True)


def _tell(story: Demonstration, console: Console, *, keep: bool, as_json: bool) -> None:
    try:
        story.run()
    except DemoFailed as failure:
        console.print(f"\nThe demonstration failed: {failure}", style="bold red", markup=False)
        story.end()
        if as_json:
            typer.echo(
                json.dumps(story.outcome(running=False) | {"passed": False, "detail": str(failure)})
            )
        raise typer.Exit(1) from None
    except BaseException:
        story.end()
        raise
    if keep:
        story.leave()
    else:
        story.end()
    if as_json:
        typer.echo(json.dumps(story.outcome(running=keep)))
