"""Options and arguments that several commands take, and how they are read and checked."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from entitlements_core.errors import InvalidValue

__all__ = [
    "MOST",
    "TIME",
    "DirectoriesOption",
    "InRepositoryOption",
    "JsonOption",
    "PageOption",
    "PageSizeOption",
    "RepositoryArgument",
    "ShowSecretOption",
    "SinceOption",
    "SlugPermArgument",
    "UntilOption",
    "YesOption",
    "filled",
    "of_repository",
    "read_path",
    "read_secret",
    "require_changes",
]

MOST: Final = 1_000_000_000
"""Pages and lines that can be asked for; databases count to 2**63."""
SERVED: Final = "ENTITLEMENTS_REPOSITORY"
"""The setting `repository`, in the environment."""
TIME: Final = "ISO 8601 with a zone, or a date, which is 00:00 UTC of that day."

_LONGEST_LINE: Final = 1024
"""Characters of a line on stdin; a secret has at most 48."""
_NO_CHANGES = frozenset({"--repo", "--json", "--help", "-h"})


def read_path(text: str | Path) -> Path:
    """A path that an option names, for Typer's ``parser``.

    Raises:
        typer.BadParameter: when it is empty, which would be the working directory.
    """
    if isinstance(text, str) and not text.strip():
        raise typer.BadParameter(
            "The path is empty. It may be a variable of the shell that is not set."
        )
    return Path(text)


JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, with Cloudsmith's API names.")
]
SlugPermArgument = Annotated[
    str,
    typer.Argument(metavar="SLUG_PERM", help="The public identifier of the token."),
]
RepositoryArgument = Annotated[
    str, typer.Argument(metavar="OWNER/SLUG", help="The name of the repository.")
]


def of_repository(meaning: str) -> Any:  # noqa: ANN401 - as `typer.Option` itself
    """The option ``--repo`` of a command that is about one; left out, it is what is served here.

    Args:
        meaning: the help text.
    """
    return typer.Option("--repo", metavar="OWNER/SLUG", envvar=SERVED, help=meaning)


InRepositoryOption = Annotated[
    str, typer.Option("--repo", metavar="OWNER/SLUG", help="Only this repository.")
]
ShowSecretOption = Annotated[
    bool, typer.Option("--show-secret", help="Show the secret, which the audit notes.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
PageOption = Annotated[
    int | None,
    typer.Option("--page", min=1, max=MOST, help="Only this page; left out, everything."),
]
PageSizeOption = Annotated[
    int, typer.Option("--page-size", min=1, max=500, help="Lines of a page.")
]
SinceOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help=f"From then on, inclusive. {TIME}")
]
UntilOption = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help=f"Up to then, exclusive. {TIME}")
]
DirectoriesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        parser=read_path,
        help="A directory of distributions; again for more.",
    ),
]


def filled(field: str, text: str) -> str:
    """`text`, unless it is empty: the path of nothing would be the working directory.

    Raises:
        InvalidValue: when it is.
    """
    if not text.strip():
        raise InvalidValue(
            field,
            f"{field} is empty.",
            "It may be a variable of the shell that is not set; name what is meant.",
        )
    return text


def read_secret(text: str) -> str:
    """The secret that was given; ``-`` stands for the first line of stdin."""
    return sys.stdin.readline(_LONGEST_LINE).rstrip("\r\n") if text == "-" else text


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
