"""``entitlements token``: the commands of all modules that are about tokens."""

import typer

from entitlements_core.cli import (
    token_create,
    token_edit,
    token_grants,
    token_list,
    token_secret,
    token_state,
    token_sync,
)

__all__ = ["app"]

app = typer.Typer(help="The tokens that customers use.", no_args_is_help=True)
app.command("create")(token_create.create)
app.command("list")(token_list.list_)
app.command("show")(token_list.show)
app.command("edit")(token_edit.edit)
app.command("set")(token_secret.set_)
app.command("refresh")(token_secret.refresh)
app.command("reset")(token_state.reset)
app.command("enable")(token_state.enable)
app.command("disable")(token_state.disable)
app.command("delete")(token_state.delete)
app.command("grant")(token_grants.grant)
app.command("regrant")(token_grants.regrant)
app.command("revoke")(token_grants.revoke)
app.command("clients")(token_grants.clients)
app.command("sync")(token_sync.sync)
app.command("cleanup")(token_sync.cleanup)
