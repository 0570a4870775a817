"""The commands that plugins add. Plugins are loaded only when a name is not one of our own."""

from collections.abc import Mapping
from typing import Any

import typer

__all__ = ["added_commands"]


def added_commands() -> Mapping[str, Any]:
    """Typer's commands of all plugins, by name.

    Raises:
        PluginError: when a plugin does not fit.
    """
    from entitlements_core.plugins import Plugins  # noqa: PLC0415 - a fast start

    plugins = Plugins()
    if not plugins.implements("entitlements_commands"):
        return {}
    holder = typer.Typer()
    holder.callback()(_nothing)
    plugins.add_commands(holder)
    group = typer.main.get_command(holder)
    return dict(getattr(group, "commands", {}))


def _nothing() -> None:
    """Make a group even of one command."""
