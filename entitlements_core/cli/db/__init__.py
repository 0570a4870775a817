"""``entitlements db``: the care of the store's tables."""

import typer

from entitlements_core.cli.db import downloads, tables

__all__ = ["app"]

app = typer.Typer(help="The tables of the store.", no_args_is_help=True)
app.command("rollups")(downloads.rollups)
app.command("prune")(downloads.prune)
app.command("upgrade")(tables.upgrade)
app.command("current")(tables.current)
app.command("check")(tables.check)
