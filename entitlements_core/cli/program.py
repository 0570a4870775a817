"""The command line put together: the global options, and the commands of all modules."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from entitlements_core import __version__
from entitlements_core.cli import (
    audit,
    backup,
    db,
    demo,
    doctor,
    eula,
    explain,
    index,
    init,
    package,
    preview,
    repo,
    serve,
    snippets,
    token,
    usage,
    user_token,
)
from entitlements_core.cli.exit_status import end
from entitlements_core.cli.invocation import prepare_commands
from entitlements_core.cli.session import Session
from entitlements_core.errors import EntitlementsError

__all__ = ["OWN_PROCESS", "app"]

OWN_PROCESS: Final = object()
"""The context's object where the process is the command line's own: only then root may give up its
rights for good, which a test or `flask entitlements` must not do to its process."""


class Program(TyperGroup):
    """The whole command line; whatever a command raises ends here."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - Click's signature
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002 - Click's signature
        **extra: Any,  # noqa: ANN401 - Click's signature
    ) -> Any:  # noqa: ANN401 - what a command gives
        """Run one command, and end the process unless told not to."""
        words = list(sys.argv[1:] if args is None else args)

        def run() -> Any:  # noqa: ANN401 - what a command gives
            return super(Program, self).main(
                words,
                prog_name,
                complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )

        return end(run, words) if standalone_mode else run()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - Typer's own kinds
        """A command of ours, else of a plugin; None when there is neither."""
        return super().get_command(ctx, cmd_name) or _added_commands().get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - Typer's own kind
        """Our commands, then those of the plugins, as far as they can be loaded."""
        ours = super().list_commands(ctx)
        try:
            return [*ours, *(name for name in _added_commands() if name not in ours)]
        except EntitlementsError:
            return ours


def _added_commands() -> Mapping[str, Any]:
    """Typer's commands of all plugins, by name.

    Raises:
        PluginError: when a plugin does not fit.
    """
    from entitlements_core.plugins import Plugins  # noqa: PLC0415 - a fast start

    plugins = Plugins()
    if not plugins.implements("entitlements_commands"):
        return {}
    holder = typer.Typer()
    holder.callback()(_group)
    plugins.add_commands(holder)
    group = typer.main.get_command(holder)
    return dict(getattr(group, "commands", {}))


def _group() -> None:
    """A callback, with which Typer makes a group even of a single command."""


app = typer.Typer(
    cls=Program,
    name="entitlements",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(asked: bool) -> None:  # noqa: FBT001 - as Typer calls it
    if asked:
        typer.echo(f"index-entitlements {__version__}")
        raise typer.Exit


@app.callback()
def globals_(
    context: typer.Context,
    *,
    home: Annotated[
        str | None,
        typer.Option(
            "--home",
            metavar="DIR",
            envvar="ENTITLEMENTS_HOME",
            show_envvar=True,
            help="Holds the key file, the store and the catalog's cache. Default: ~/.entitlements",
        ),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            metavar="URL",
            envvar="ENTITLEMENTS_DATABASE_URL",
            show_envvar=True,
            help="Another store, such as postgresql://user@host/name.",
        ),
    ] = None,
    debug: Annotated[  # noqa: ARG001 - read where the program ends
        bool,
        typer.Option(
            "--debug", envvar="ENTITLEMENTS_DEBUG", help="Show where an unexpected error arose."
        ),
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Entitlement tokens for the Python package index that you already run."""
    run = Session(home=Path(home) if home else None, database_url=database_url or None)
    if context.obj is OWN_PROCESS and hasattr(os, "geteuid") and os.geteuid() == 0:
        _take_owners_rights(run)
    context.obj = run


def _take_owners_rights(run: Session) -> None:
    """As root, go on with the rights of who owns the home or the store; see `privileges`."""
    from entitlements_core.cli.privileges import home_owner, take_rights  # noqa: PLC0415 - root's alone

    settings, _ = run.usable
    scheme, _, path = settings.url.partition(":///")
    stores = [Path(path).parent] if scheme.startswith("sqlite") else []
    for place in (settings.home, *stores):
        found = home_owner(place)
        if found is not None:
            take_rights(*found, place)
            return


app.command("init")(init.init)
app.add_typer(repo.app, name="repo")
app.add_typer(token.app, name="token")
app.add_typer(user_token.app, name="user-token")
app.add_typer(package.app, name="package")
app.command("preview")(preview.preview)
app.command("explain")(explain.explain)
app.command("snippets")(snippets.snippets)
app.command("usage")(usage.usage)
app.command("audit")(audit.audit)
app.add_typer(eula.app, name="eula")
app.command("index")(index.index)
app.command("serve")(serve.serve)
app.add_typer(db.app, name="db")
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)
prepare_commands(app)
