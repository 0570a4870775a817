"""``entitlements token``: the commands of all modules that are about tokens."""

import typer

from entitlements_core.cli import token_create, token_list

__all__ = ["app"]

app = typer.Typer(help="The tokens that customers use.", no_args_is_help=True)
app.command("create")(token_create.create)
app.command("list")(token_list.list_)
app.command("show")(token_list.show)
