"""``entitlements preview``: which files a package query opens."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import emit, show_table, warn
from entitlements_core.cli.options import DirectoriesOption, JsonOption, of_repository
from entitlements_core.cli.session import session
from entitlements_core.documents.preview import preview_document

if TYPE_CHECKING:
    from entitlements_core.services.previews import Preview

__all__ = ["preview"]


def preview(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    query: Annotated[
        str, typer.Argument(metavar="Q", help="A package query; name:* is everything.")
    ],
    *,
    repo: Annotated[str, of_repository("Whose files they are.")],
    directories: DirectoriesOption = None,
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="SLUG_PERM",
            help="Say what the query would add and remove for this token.",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show which files a package query opens; nothing is changed."""
    from entitlements_core.engine.preview import preview_query  # noqa: PLC0415 - a fast start

    with session(context).open(repositories=[repo]) as core:
        found = preview_query(core, query, repo, directories=directories or (), slug_perm=token)
    document, headings, rows = preview_document(found), _headings(found), _rows(found)
    emit(document, lambda console: show_table(console, headings, rows), as_json=as_json)
    warn(found.warnings, as_json=as_json)


def _headings(found: "Preview") -> list[str]:
    return ["File"] if found.added is None else ["Change", "File"]


def _rows(found: "Preview") -> Sequence[tuple[str, ...]]:
    if found.added is None:
        return [(name,) for name in found.files]
    added = set(found.added)
    rows = [("+" if name in added else "", name) for name in found.files]
    return rows + [("-", name) for name in found.removed or ()]
