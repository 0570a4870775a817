"""A command that changes what is named, and was told nothing to change."""

from collections.abc import Mapping

import typer

__all__ = ["require_changes"]

_NO_CHANGES = frozenset({"--repo", "--json", "--help", "-h"})


class _NothingAsked(typer.BadParameter):
    """A wrong use of the command; its words stand alone."""

    def format_message(self) -> str:
        """The message as it is."""
        return self.message


def require_changes(context: typer.Context, changes: Mapping[str, object]) -> None:
    """Return when something is to be changed: a change of nothing would stand in the audit.

    Raises:
        typer.BadParameter: listing the options that change something; the exit status is 2.
    """
    if changes:
        return
    options = [
        name
        for param in context.command.params
        for name in (*param.opts, *param.secondary_opts)
        if param.param_type_name == "option" and name not in _NO_CHANGES
    ]
    raise _NothingAsked(
        f"Nothing was asked to be changed. Give any of {', '.join(options)}.", context
    )
