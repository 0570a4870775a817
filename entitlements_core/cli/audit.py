"""``entitlements audit``: what was changed, by whom."""

import json
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import emit, note_page, show_table
from entitlements_core.cli.options import (
    InRepositoryOption,
    JsonOption,
    PageOption,
    SinceOption,
    UntilOption,
)
from entitlements_core.cli.session import session
from entitlements_core.documents.audit import audit_document
from entitlements_core.documents.values import read_time
from entitlements_core.services.pagination import paged

if TYPE_CHECKING:
    from entitlements_core.services.reports import AuditEntry

__all__ = ["audit"]


def audit(  # noqa: PLR0913 - one option for each filter
    context: typer.Context,
    *,
    repo: InRepositoryOption = "",
    token: Annotated[
        str, typer.Option("--token", metavar="SLUG_PERM", help="Only this token.")
    ] = "",
    actor: Annotated[str, typer.Option("--actor", help="Only what they did.")] = "",
    since: SinceOption = None,
    until: UntilOption = None,
    page: PageOption = None,
    page_size: Annotated[
        int | None,
        typer.Option("--page-size", min=1, max=500, help="Lines of a page; alone, of the first."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List changes of tokens and repositories, the newest first. It never holds a secret."""
    start, end = read_time("from", since), read_time("until", until)
    with session(context).open(asked=[repo]) as core:
        found, total = paged(
            partial(
                core.reports.audit,
                repository=repo,
                token=token,
                actor=actor,
                since=start,
                until=end,
            ),
            page or (1 if page_size else None),
            page_size or 100,
        )
    rows = [
        (
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            one.actor,
            one.action,
            one.token or one.repository,
            _changes(one),
        )
        for one in found
    ]
    headings = ["When (UTC)", "Who", "What", "Of", "Change"]
    documents = [audit_document(one) for one in found]
    emit(documents, lambda console: show_table(console, headings, rows), as_json=as_json)
    note_page(len(found), total, as_json=as_json)


def _changes(entry: "AuditEntry") -> str:
    if not entry.before:  # something was made: show all its values
        said = {name: value for name, value in entry.after.items() if value}
        return ", ".join(f"{name}: {json.dumps(value)}" for name, value in said.items())
    return ", ".join(
        f"{name}: {json.dumps(entry.before.get(name))} → {json.dumps(value)}"
        for name, value in entry.after.items()
    )
