"""An option that was given an empty word, such as of a variable that is not set."""

from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["refuse_empty_options"]


class _Command(TyperCommand):
    """Refuses an empty word where to leave the option out would mean the same."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own kinds
        """Run the command.

        Raises:
            BadParameter: for such an option: a filter that filters nothing is not what was meant.
        """
        params: list[Any] = list(self.params)
        for param in params:
            name = str(param.name)
            if (
                param.param_type_name == "option"
                and param.default == ""
                and ctx.params.get(name) == ""
                and ctx.get_parameter_source(name).name == "COMMANDLINE"
            ):
                raise typer.BadParameter("it is empty; leave the option out.", ctx, param)
        return super().invoke(ctx)


def refuse_empty_options(app: typer.Typer) -> None:
    """Let all commands of `app` refuse them."""
    for one in _apps(app):
        for command in one.registered_commands:
            command.cls = _Command


def _apps(app: typer.Typer) -> Iterator[typer.Typer]:
    yield app
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _apps(group.typer_instance)
