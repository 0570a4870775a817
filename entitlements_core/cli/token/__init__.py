"""``entitlements token``: the commands of all modules that are about tokens."""

import typer

from entitlements_core.cli.token.create import create
from entitlements_core.cli.token.edit import edit
from entitlements_core.cli.token.grants import clients, grant, regrant, revoke
from entitlements_core.cli.token.list import list_, show
from entitlements_core.cli.token.secret import refresh, set_
from entitlements_core.cli.token.state import delete, disable, enable, reset
from entitlements_core.cli.token.sync import cleanup, sync

__all__ = ["app"]

app = typer.Typer(help="The tokens that customers use.", no_args_is_help=True)
app.command("create")(create)
app.command("list")(list_)
app.command("show")(show)
app.command("edit")(edit)
app.command("set")(set_)
app.command("refresh")(refresh)
app.command("reset")(reset)
app.command("enable")(enable)
app.command("disable")(disable)
app.command("delete")(delete)
app.command("grant")(grant)
app.command("regrant")(regrant)
app.command("revoke")(revoke)
app.command("clients")(clients)
app.command("sync")(sync)
app.command("cleanup")(cleanup)
