"""How every command is run, beside what it does itself: its words are read, its errors named."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

import typer
from typer.core import TyperCommand

from entitlements_core.cli.token.options import OPTIONS_OF_TERMS
from entitlements_core.errors import InvalidValue
from entitlements_core.policy.secret import shows_secret
from entitlements_core.terminal import escaped

__all__ = ["prepare_commands"]

_PARAMETERS: Final = MappingProxyType(
    {**OPTIONS_OF_TERMS, "upstream": ("upstream",), "url": ("url",)}
)
"""Fields of errors, as the API names them, to the parameters of commands."""
_SHOWN: Final = 60
"""Characters of a word that is repeated."""


class _Command(TyperCommand):
    """Refuses an empty word where to leave the option out would mean the same.

    Errors say which option they are about, and what was found.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer's own kinds
        """Read the words of the command line.

        Raises:
            BadParameter: for one that is of another kind than its option takes.
        """
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = _with_word(error)
            raise

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own kinds
        """Run the command.

        Raises:
            BadParameter: for such an option: a filter that filters nothing is not what was meant.
            InvalidValue: as the command does, with the option that was typed.
        """
        params: list[Any] = list(self.params)
        given = [one for one in params if _is_given(ctx, one)]
        for param in given:
            if param.default == "" and ctx.params.get(param.name) == "":
                raise typer.BadParameter("it is empty; leave the option out.", ctx, param)
        try:
            return super().invoke(ctx)
        except InvalidValue as error:
            raise _with_option(error, given) from error.__cause__


def _is_given(ctx: Any, param: Any) -> bool:  # noqa: ANN401 - Typer's own kinds
    source: str = ctx.get_parameter_source(str(param.name)).name
    return source == "COMMANDLINE" and param.param_type_name == "option"


def _with_option(error: InvalidValue, given: list[Any]) -> InvalidValue:
    """The same error; of a field that an option set, one that names the option instead."""
    wanted = _PARAMETERS.get(error.field, ())
    option = " or ".join(one.opts[0] for one in given if one.name in wanted)
    # The subclass shows the query itself.
    if not option or option in error.problem or type(error) is not InvalidValue:
        return error
    begins = error.problem.startswith(f"{error.field} ")
    rest = error.problem.removeprefix(error.field) if begins else f": {error.problem}"
    return InvalidValue(error.field, f"{option}{rest}", error.remedy)


def _with_word(error: typer.BadParameter) -> str:
    """What Typer says of a word, with the word where it leaves it out."""
    read: Any = getattr(error.__cause__, "errors", None)
    word = read()[0].get("input") if callable(read) else None
    if not isinstance(word, str) or shows_secret(word):
        return error.message
    return f"{escaped(word[:_SHOWN])!r}: {error.message}"


def prepare_commands(app: typer.Typer) -> None:
    """Let all commands of `app` be run so."""
    for one in _apps(app):
        for command in one.registered_commands:
            command.cls = _Command


def _apps(app: typer.Typer) -> Iterator[typer.Typer]:
    yield app
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _apps(group.typer_instance)
