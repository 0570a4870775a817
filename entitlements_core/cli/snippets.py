"""``entitlements snippets``: ready configuration for a customer's clients."""

from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.options import AsJson, InRepository, ShowSecret
from entitlements_core.cli.output import emit, warn
from entitlements_core.cli.session import Session, session
from entitlements_core.cli.values import read_secret
from entitlements_core.errors import InvalidValue

if TYPE_CHECKING:
    from rich.console import Console

    from entitlements_core.services.snippets import Snippet

__all__ = ["snippets"]

_OPEN = "The address is not encrypted: the secret can be read on its way. Use https."


def snippets(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    slug_perm: Annotated[
        str, typer.Argument(metavar="[SLUG_PERM]", help="The token; left out with --secret.")
    ] = "",
    *,
    url: Annotated[
        str,
        typer.Option(
            "--url", metavar="URL", help="The server's public address, with the index's prefix."
        ),
    ],
    secret: Annotated[
        str | None,
        typer.Option("--secret", metavar="S", help="Instead of SLUG_PERM; - reads stdin."),
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(
            "--client",
            help="netrc, pip, uv, poetry, pdm, pipenv, keyring, docker, twine or path; again for"
            " more. Default: all.",
        ),
    ] = None,
    package: Annotated[
        str, typer.Option("--package", help="A package to install.")
    ] = "your-package",
    repo: InRepository = "",
    show_secret: ShowSecret = False,
    as_json: AsJson = False,
) -> None:
    """Print configuration for pip, uv, poetry, pdm, pipenv, netrc, keyring, Docker and twine.

    The secret is left to the variable VENDOR_TOKEN where the client expands variables, and to the
    placeholder YOUR_TOKEN elsewhere; --show-secret writes it out.
    """
    from entitlements_core.services.snippets import (  # noqa: PLC0415 - a fast start
        Index,
        make_snippets,
    )

    if bool(slug_perm) == (secret is not None):
        raise InvalidValue("token", "Whose configuration?", "Give SLUG_PERM or --secret.")
    given = None if secret is None else read_secret(secret)
    known, writes = _look_up(session(context), slug_perm, repo, show_secret=show_secret)
    shown = (known if given is None else given) if show_secret else ""
    index = Index.parse(url, secret=shown, package=package)
    found = make_snippets(index, client or (), writes=writes)
    warnings = [_OPEN] if index.is_open else []
    document = {
        "index_url": index.simple,
        "snippets": [
            {
                "client": one.client,
                "title": one.title,
                "file": one.place,
                "text": one.text,
                "warning": one.warning or None,
            }
            for one in found
        ],
        "warnings": warnings,
    }
    emit(document, lambda console: _show(console, found), as_json=as_json)
    warn(warnings, as_json=as_json)


def _look_up(
    run: Session, slug_perm: str, repository: str, *, show_secret: bool
) -> tuple[str, bool]:
    """The secret of a token, if it is to be shown, and whether it may upload."""
    if not slug_perm:
        return "", False
    with run.open() as core:
        token = core.lifecycle.read(slug_perm, repository=repository)
        grants = [one for one in token.grants if repository in {"", one.repository}]
        secret = core.rotation.reveal(slug_perm, actor=run.actor) if show_secret else ""
    return secret, any(grant.access.value == "rw" for grant in grants)


def _show(console: "Console", found: "tuple[Snippet, ...]") -> None:
    for one in found:
        console.print(f"# {one.client}: {one.title} ({one.place})", style="bold", soft_wrap=True)
        if one.warning:
            console.print(f"# {one.warning}", style="yellow", soft_wrap=True)
        console.print(one.text, soft_wrap=True)
