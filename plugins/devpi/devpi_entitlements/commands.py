"""``entitlements devpi``: what is done to a devpi-server that is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devpi_entitlements.server_info import read_note
from entitlements_core.cli.options import read_path
from entitlements_core.errors import Refused

if TYPE_CHECKING:
    from rich.console import Console

    from devpi_entitlements.uninstall import Kept

__all__ = ["app"]

app = typer.Typer(help="What concerns a devpi-server.", no_args_is_help=True)


@app.callback()
def devpi() -> None:
    """What concerns a devpi-server."""


@app.command()
def leave(  # noqa: PLR0913 - an option is an argument
    context: typer.Context,
    *,
    serverdir: Annotated[
        Path | None,
        typer.Option(
            "--serverdir",
            metavar="DIR",
            parser=read_path,
            help="Of the devpi-server, which is stopped.",
        ),
    ] = None,
    storage: Annotated[
        str, typer.Option("--storage", metavar="NAME", help="As devpi-server's own option.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Take out of all indexes what only this plugin understands, to go on without it.

    Closed indexes are open to everybody afterwards. Stop devpi-server before, with its replicas.
    Without --serverdir, the server is meant that used the home of this store last.
    """
    from devpi_entitlements.server_lock import LEFT, occupied  # noqa: PLC0415 - see below
    from devpi_entitlements.uninstall import keys_kept, opened, remove_keys  # noqa: PLC0415 - devpi
    from entitlements_core.cli.console import emit  # noqa: PLC0415 - a fast start
    from entitlements_core.services.home import write_private  # noqa: PLC0415 - a fast start

    where, backend = _server(context, serverdir, storage)
    with occupied(where) as running:
        if running and not dry_run:
            raise Refused(
                f"A devpi-server runs over {where}; its closed indexes would be open at once.",
                "Stop it, with its replicas, and repeat the command.",
            )
        with opened(where, backend) as xom:
            found = keys_kept(xom)
            if found and not dry_run:
                _ask(found, skip=yes)
                closed = [one.index for one in found if one.closed]
                if closed:
                    write_private(where / LEFT, "".join(f"{name}\n" for name in closed))
                remove_keys(xom)
    document = {
        "serverdir": str(where),
        "is_running": running,
        "dry_run": dry_run,
        "indexes": [
            {"index": one.index, "acl_pkg_read": list(one.readers), "was_closed": one.closed}
            for one in found
        ],
    }

    def show(console: Console) -> None:
        _show(console, found, dry_run=dry_run)
        if running:
            console.print("A devpi-server runs there now: stop it before, with its replicas.")

    emit(document, show, as_json=as_json)


def _server(context: typer.Context, serverdir: Path | None, storage: str) -> tuple[Path, str]:
    """The directory and the storage: as given, or as the server that used our home has noted."""
    home = _home(context)
    note = None if home is None else read_note(home)
    if serverdir is None and note is None:
        raise Refused("It is not known which devpi-server is meant.", "Give --serverdir DIR.")
    where = Path(note.serverdir) if serverdir is None and note else Path(serverdir or ".")
    noted = note is not None and Path(note.serverdir) == where.absolute()
    return where.expanduser(), storage or (note.storage if note and noted else "sqlite")


def _home(context: typer.Context) -> Path | None:
    """Ours, if the settings can be read: without them, the directory has to be given."""
    from entitlements_core.cli.session import session  # noqa: PLC0415 - a fast start
    from entitlements_core.errors import ConfigurationError  # noqa: PLC0415 - see above

    try:
        return session(context).settings.home
    except ConfigurationError:
        return None


def _ask(found: list[Kept], *, skip: bool) -> None:
    """Let it be confirmed that closed indexes are opened: what is read once cannot be taken back.

    Raises:
        Refused: when it is not; also where nobody is there to be asked.
    """
    from entitlements_core.cli.console import confirm, is_attended  # noqa: PLC0415 - see above

    closed = [one.index for one in found if one.closed]
    if skip or not closed:
        return
    names = ", ".join(closed)
    if not is_attended():
        raise Refused(f"Everybody could read {names} afterwards.", "Repeat it with --yes.")
    confirm(f"Everybody can read {names} afterwards.", "open", skip=False)


def _show(console: Console, found: list[Kept], *, dry_run: bool) -> None:
    verb = "would be" if dry_run else "is"
    for one in found:
        readers = ", ".join(one.readers) or "nobody"
        if one.closed:
            console.print(f"{one.index} {verb} open to everybody. Before: {readers} alone.")
    if not found:
        console.print("No index has a key of this plugin: it can be uninstalled.")
    else:
        said = "would be" if dry_run else "was"
        console.print(f"acl_pkg_read {said} removed; indexes: {len(found)}.")
    if found and not dry_run:
        console.print("Uninstall the plugin now, before devpi-server is started again.")
