"""``entitlements backup`` and ``entitlements restore``: copies of the store."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import emit
from entitlements_core.cli.options import MOST, JsonOption, filled
from entitlements_core.cli.session import session
from entitlements_core.documents.store import backup_document, restored_document
from entitlements_core.errors import NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from entitlements_core.services.backups import Backup, Backups, Restored
    from entitlements_core.store.former_store import ChangesSince

__all__ = ["backup", "restore"]


def backup(
    context: typer.Context,
    target: Annotated[
        str, typer.Argument(metavar="FILE|DIR", help="Where to; a file there is left alone.")
    ],
    *,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep",
            metavar="N",
            min=1,
            max=MOST,
            help="In DIR, only the newest N stay of the copies that this command named itself.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the store while servers use it, and look the copy over.

    The key file is not in the copy: keep one apart, since neither opens anything alone.
    """
    path = Path(filled("target", target)).expanduser()
    if target.endswith(os.sep) and not path.is_dir():
        raise NotFound(f"There is no directory {target}.", "Make it first, or name a file.")
    made = _backups(context).backup(path, keep=keep)
    emit(backup_document(made), lambda console: _show_backup(console, made), as_json=as_json)


def restore(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A copy that was made with the same key.")
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Put a copy in the store's place, once it was found sound; servers may go on running.

    The store that was there is kept beside it. Tables of an earlier version are brought up to date.
    """
    path = Path(filled("source", source)).expanduser()
    done = _backups(context).restore(path, actor=session(context).actor)
    emit(restored_document(done), lambda console: _show_restored(console, done), as_json=as_json)


def _backups(context: typer.Context) -> "Backups":
    from entitlements_core.services.backups import Backups  # noqa: PLC0415 - a fast start

    return Backups(session(context).settings)


def _show_backup(console: "Console", made: "Backup") -> None:
    console.print(f"{made.path} holds the store, and is sound.", soft_wrap=True)
    for one in made.removed:
        console.print(f"Removed, as an older one: {one}", soft_wrap=True)
    console.print(
        f"Its key is not in it: keep a copy of {made.key_file} apart"
        f" (fingerprint {made.key_fingerprint[:8]}).",
        soft_wrap=True,
    )


def _show_restored(console: "Console", done: "Restored") -> None:
    console.print(f"{done.database} is a copy of {done.source} now.", soft_wrap=True)
    if done.before != done.schema:
        console.print(f"Brought from {done.before} to {done.schema}.")
    if done.kept is None:
        return
    console.print(
        "What was changed and counted since the copy was made is gone: a token that was disabled"
        " or deleted since then is in force again, and so is a secret that was replaced.",
        soft_wrap=True,
    )
    for identifiers, what in _changed(done.since):
        if identifiers:
            console.print(f"{what}: {', '.join(identifiers)}", soft_wrap=True)
    if done.since is None:
        console.print("Which these are cannot be told: the store of before cannot be read.")
    console.print(
        f"The store that was there is kept: {done.kept} (remove it, with what begins with its name,"
        " once the restored store is in use and nothing of the former one is missed)",
        soft_wrap=True,
    )


def _changed(since: "ChangesSince | None") -> "list[tuple[tuple[str, ...], str]]":
    if since is None:
        return []
    return [
        (since.replaced, "The secret of then opens again, that of now nothing (refresh it anew)"),
        (since.closed, "In force again (disable or delete it anew)"),
        (since.gone, "Made since, and gone"),
    ]
