"""``entitlements db upgrade``, ``current`` and ``check``: the store's tables."""

from typing import TYPE_CHECKING

import typer

from entitlements_core.cli.console import emit
from entitlements_core.cli.db.downloads import catch_up
from entitlements_core.cli.options import JsonOption
from entitlements_core.cli.session import session
from entitlements_core.documents.store import checked_document, upgraded_document

if TYPE_CHECKING:
    from entitlements_core.services.schema import Schema

__all__ = ["check", "current", "upgrade"]


def _schema(context: typer.Context) -> "Schema":
    from entitlements_core.services.schema import Schema  # noqa: PLC0415 - a fast start

    return Schema(session(context).settings)


def upgrade(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Bring the tables up to date. Safe while other processes start; make a backup first."""
    before, after = _schema(context).upgrade()
    catch_up(context)
    changed = (
        f"Brought from {before or 'nothing'} to {after}."
        if before != after
        else f"{after} already."
    )
    emit(
        upgraded_document(before, after),
        lambda console: console.print(changed),
        as_json=as_json,
    )


def current(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Tell the revision of the tables."""
    found = _schema(context).current()
    emit({"current": found}, lambda console: console.print(found), as_json=as_json)


def check(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Look for damage, and for tables that are not as they should be; exit 1 when there is any."""
    problems = _schema(context).check()
    emit(
        checked_document(problems),
        lambda console: console.print("\n".join(problems) or "The store is as it should be."),
        as_json=as_json,
    )
    if problems:
        raise typer.Exit(1)
