"""``entitlements snippets``: ready configuration for a customer's clients."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from entitlements_core.cli.files import known_files
from entitlements_core.cli.options import AsJson, Directories, InRepository, ShowSecret
from entitlements_core.cli.output import emit, warn
from entitlements_core.cli.session import Session, session
from entitlements_core.cli.values import read_secret
from entitlements_core.errors import EntitlementsError, InvalidValue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from entitlements_core.services.snippets import Known, Place, Snippet, Unfit

__all__ = ["snippets"]

_OPEN = "The address is not encrypted: the secret can be read on its way. Use https."
_SAMPLE = (
    "No package is known, so a sample name stands for it. Name some with --package, or the"
    " directories of the distributions with --dir."
)


def snippets(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    slug_perm: Annotated[
        str, typer.Argument(metavar="[SLUG_PERM]", help="The token; left out with --secret.")
    ] = "",
    *,
    url: Annotated[
        str,
        typer.Option(
            "--url",
            metavar="URL",
            help="The server's public address, with the path that a proxy puts before all of it.",
        ),
    ],
    mount: Annotated[
        str | None,
        typer.Option(
            "--mount",
            metavar="PATH",
            help="The repository's path in the server: that of a Flask application with several, or"
            " empty. Needed where URL has a path and it is not said which server it is.",
        ),
    ] = None,
    host: Annotated[
        Literal["serve", "flask", "pypiserver", "devpi"] | None,
        typer.Option("--host", help="Which server it is: their addresses and uploads differ."),
    ] = None,
    upstream: Annotated[
        bool | None,
        typer.Option(
            "--upstream/--no-upstream",
            help="Whether the server sends clients on for what is not yours, so that they need no"
            " second index. Default: whether ENTITLEMENTS_UPSTREAM is set here.",
        ),
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option("--secret", metavar="S", help="Instead of SLUG_PERM; - reads stdin."),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(
            "--client",
            help="netrc, pip, uv, poetry, pdm, pipenv, pip-tools, keyring, curl, docker, gitlab,"
            " github, renovate, dependabot, twine or path; again for more. Default: all that fit.",
        ),
    ] = None,
    package: Annotated[
        list[str] | None,
        typer.Option(
            "--package",
            help="A package to install; again for more. Default: all that the token covers.",
        ),
    ] = None,
    directories: Directories = None,
    repo: InRepository = "",
    form: Annotated[
        Literal["text", "markdown"],
        typer.Option("--format", help="markdown is for an e-mail, or a page."),
    ] = "text",
    show_secret: ShowSecret = False,
    as_json: AsJson = False,
) -> None:
    """Print configuration for a customer's clients, as it was run with each of them.

    The secret is left to the variable VENDOR_TOKEN where the client expands variables, and to the
    placeholder YOUR_TOKEN elsewhere; --show-secret writes it out.
    """
    from entitlements_core.services.snippets import make_snippets  # noqa: PLC0415 - a fast start

    if bool(slug_perm) == (secret is not None):
        raise InvalidValue("token", "Whose configuration?", "Give SLUG_PERM or --secret.")
    given = None if secret is None else read_secret(secret)
    run = session(context)
    known = _look_up(run, slug_perm, repo, directories or [], show_secret=show_secret)
    shown = (known.secret if given is None else given) if show_secret else ""
    place = known.place(
        url,
        mount=mount,
        host=host or "",
        packages=package or (),
        upstream=bool(run.settings.upstream) if upstream is None else upstream,
        secret=shown,
    )
    found, unfit = make_snippets(place, client or (), writes=known.writes)
    warnings = [text for text, holds in ((_OPEN, place.is_open), (_SAMPLE, place.is_sample)) if holds]
    document = {
        "index_url": place.simple,
        "packages": list(place.packages),
        "snippets": [_document(one) for one in found],
        "left_out": [
            {"client": one.client, "reason": one.reason, "remedy": one.remedy} for one in unfit
        ],
        "warnings": warnings,
    }
    show = _show_markdown if form == "markdown" else _show
    emit(document, lambda console: show(console, place, found, unfit), as_json=as_json)
    warn(warnings, as_json=as_json)
