"""``entitlements token sync`` and ``cleanup``: many tokens at once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from entitlements_core.cli.console import confirm, emit, show_table
from entitlements_core.cli.options import InRepositoryOption, JsonOption, YesOption
from entitlements_core.cli.session import session
from entitlements_core.documents.sync import cleanup_document, sync_document

if TYPE_CHECKING:
    from entitlements_core.policy.token import Token

__all__ = ["cleanup", "sync"]

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")]


def sync(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="OWNER/SLUG; nothing changes there.")
    ],
    destination: Annotated[
        str, typer.Argument(metavar="DESTINATION", help="OWNER/SLUG that gets the tokens.")
    ],
    *,
    mode: Annotated[
        Literal["replace", "merge"],
        typer.Option(
            "--mode",
            help="replace deletes the destination's tokens first; merge adds and updates.",
        ),
    ] = "replace",
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give one repository the tokens of another, with the same secrets."""
    run = session(context)
    with run.open(asked=[source, destination]) as core:
        if mode == "replace" and not dry_run:
            core.repositories.show(destination)
            confirm(f"This deletes the tokens of {destination}.", destination, skip=yes or as_json)
        found = core.sync.run(source, destination, actor=run.actor, mode=mode, dry_run=dry_run)
        document = sync_document(
            found,
            core.clock(),
            source=source,
            destination=destination,
            mode=mode,
            dry_run=dry_run,
        )
    rows = (
        _rows("add", found.added)
        + _rows("change", [there for _, there in found.changed])
        + _rows("keep", found.kept)
        + _rows("remove", found.removed)
    )
    headings = ["Would" if dry_run else "Did", "Identifier", "Name"]
    emit(document, lambda console: show_table(console, headings, rows), as_json=as_json)


def cleanup(
    context: typer.Context,
    *,
    repo: InRepositoryOption = "",
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete user tokens whose user may no longer read the repository."""
    run = session(context)
    with run.open(asked=[repo]) as core:
        found = core.user_tokens.cleanup(actor=run.actor, repository=repo, dry_run=dry_run)
        document = cleanup_document(found, core.clock(), repository=repo, dry_run=dry_run)
    rows = _rows("delete", found)
    headings = ["Would" if dry_run else "Did", "Identifier", "Name"]
    emit(document, lambda console: show_table(console, headings, rows), as_json=as_json)


def _rows(verb: str, tokens: "Sequence[Token]") -> list[tuple[str, str, str]]:
    return [(verb, token.identifier, token.name) for token in tokens]
