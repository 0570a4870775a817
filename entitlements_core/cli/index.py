"""``entitlements index``: build the catalog."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import emit
from entitlements_core.cli.options import JsonOption, of_repository, read_path
from entitlements_core.cli.session import session
from entitlements_core.documents.package import catalog_document
from entitlements_core.engine.progress import note_problems
from entitlements_core.engine.repository_files import scanned
from entitlements_core.policy.counted import counted

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["index"]


def index(
    context: typer.Context,
    directories: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...", parser=read_path, help="The directories of distributions."
        ),
    ],
    *,
    repo: Annotated[str, of_repository("Whose files they are.")],
    as_json: JsonOption = False,
) -> None:
    """Read all distributions, so that a server starts at once, and report what is not served.

    What was read before and did not change since is known from the catalog's cache. What is new
    counts as uploaded now; what is there at the very first look, when it was last modified.
    """
    with (
        session(context).open(repositories=[repo]) as core,
        scanned(core, repo, directories, records=True) as (catalog, report),
    ):
        snapshot = catalog.snapshot
    document = catalog_document(snapshot, report)

    def show(console: "Console") -> None:
        console.print(
            f"{counted(len(snapshot.files), 'file')} of"
            f" {counted(len(snapshot.projects), 'project')}:"
            f" {report.read} read, {report.reused} known, {report.waiting} still being written,"
            f" {counted(len(report.problems), 'problem')}."
        )

    if not as_json:
        note_problems(report)
    emit(document, show, as_json=as_json)
