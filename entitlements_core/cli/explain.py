"""``entitlements explain``: whether a token may download a file, and why."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import emit, warn
from entitlements_core.cli.options import TIME, DirectoriesOption, JsonOption
from entitlements_core.cli.session import session
from entitlements_core.documents.explanation import explanation_document
from entitlements_core.documents.values import read_address, read_time
from entitlements_core.terminal import stdout

if TYPE_CHECKING:
    from entitlements_core.services.explanation import Explained

__all__ = ["explain"]


def explain(  # noqa: PLR0913 - one option for each circumstance
    context: typer.Context,
    slug_perm: Annotated[str, typer.Argument(metavar="SLUG_PERM", help="The token.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="The name of the file.")],
    *,
    directories: DirectoriesOption = None,
    repo: Annotated[
        str,
        typer.Option("--repo", metavar="OWNER/SLUG", help="Needed for a token that opens several."),
    ] = "",
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help=f"As of then. {TIME}")
    ] = None,
    address: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help="The client's address.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether a token may download a file, with every reason against it.

    A refusal is an answer: the exit status is 0 for it. The limits are judged by what is used now.
    """
    from entitlements_core.engine.explanation import explain_download  # noqa: PLC0415 - a fast start

    moment, client = read_time("at", at), read_address("from", address)
    with session(context).open(asked=[repo]) as core:
        found, hidden = explain_download(
            core,
            slug_perm,
            Path(file).name,
            repository=repo,
            directories=directories or (),
            address=client,
            at=moment,
        )
    emit(explanation_document(found), lambda _: _show(found), as_json=as_json)
    warn((*found.warnings, *hidden), as_json=as_json)


def _show(found: "Explained") -> None:
    console = stdout()
    origin = found.origin
    verdict = "may download" if found.allowed else "may not download"
    if found.allowed and origin is not None and origin.upstream:
        verdict = "is sent elsewhere for"
    console.print(f"{found.token.name} {verdict} {found.filename} of {found.repository}.")
    if origin is not None:
        console.print(f"  {origin}", soft_wrap=True)
    for deny in found.reasons:
        console.print(f"  {deny.reason.value}: {deny.title}. {deny.remedy}".rstrip())
    for clause in found.clauses:
        mark = "yes" if clause.matched else "no "
        console.print(f"  {mark}  {clause.text}: {clause.sentence}")
