"""Options and arguments that several commands take, said once."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from entitlements_core.cli.values import read_path

__all__ = [
    "MOST",
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
    "of_repository",
]

MOST: Final = 1_000_000_000
"""Pages and lines that can be asked for; databases count to 2**63."""
SERVED: Final = "ENTITLEMENTS_REPOSITORY"
"""The setting `repository`, in the environment."""
TIME: Final = "ISO 8601 with a zone, or a date, which is 00:00 UTC of that day."

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
