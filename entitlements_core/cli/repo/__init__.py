"""``entitlements repo``: the repositories that tokens open."""

import typer

from entitlements_core.cli.repo.repository import add, edit, list_, remove, show
from entitlements_core.cli.repo.reserved import reserve, reserved, unreserve

__all__ = ["app"]

app = typer.Typer(help="The repositories that tokens open.", no_args_is_help=True)
app.command("add")(add)
app.command("list")(list_)
app.command("show")(show)
app.command("edit")(edit)
app.command("reserve")(reserve)
app.command("unreserve")(unreserve)
app.command("reserved")(reserved)
app.command("remove")(remove)
