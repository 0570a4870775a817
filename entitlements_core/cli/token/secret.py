"""``entitlements token set`` and ``refresh``: another secret."""

from typing import Annotated

import typer

from entitlements_core.cli.console import confirm, note
from entitlements_core.cli.options import (
    InRepositoryOption,
    JsonOption,
    SlugPermArgument,
    YesOption,
    read_secret,
)
from entitlements_core.cli.session import session
from entitlements_core.cli.token.display import emit_issued
from entitlements_core.documents.values import read_duration
from entitlements_core.policy.instants import minute

__all__ = ["refresh", "set_"]


def set_(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    slug_perm: SlugPermArgument,
    *,
    secret: Annotated[
        str,
        typer.Option(
            "--secret",
            metavar="S",
            help="8 to 48 letters, digits, dots, dashes, underscores. - reads it from stdin, which"
            " keeps it out of the shell's history.",
        ),
    ],
    repo: InRepositoryOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Replace the secret by one of your own; all earlier ones end at once."""
    run = session(context)
    custom = read_secret(secret)
    with run.open() as core:
        _ask(core.lifecycle.read(slug_perm, repository=repo).name, slug_perm, yes=yes or as_json)
        issued = core.rotation.set_secret(slug_perm, custom, actor=run.actor, repository=repo)
        emit_issued(issued, core.clock(), as_json=as_json)


def refresh(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    slug_perm: SlugPermArgument,
    *,
    overlap: Annotated[
        str | None,
        typer.Option(
            "--overlap",
            metavar="DURATION",
            help="How long the old secret goes on: 30m, 12h, 7d, 2w. Left out, it ends at once.",
        ),
    ] = None,
    repo: InRepositoryOption = "",
    show_secret: Annotated[  # noqa: ARG001 - the new secret is always shown
        bool, typer.Option("--show-secret", help="The new secret is shown in any case.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Replace the secret by a generated one."""
    run = session(context)
    duration = read_duration("overlap", overlap)
    with run.open() as core:
        _ask(core.lifecycle.read(slug_perm, repository=repo).name, slug_perm, yes=yes or as_json)
        issued = core.rotation.refresh(
            slug_perm, actor=run.actor, overlap=duration, repository=repo
        )
        previous = core.rotation.previous(slug_perm)
        emit_issued(issued, core.clock(), as_json=as_json, previous=previous)
    if as_json:
        return
    for former in previous:
        note(f"The old secret goes on until {minute(former.valid_until)}, and opens the same.")
    if previous:
        note(f"`entitlements token refresh {slug_perm}` makes another one, and ends both at once.")


def _ask(name: str, slug_perm: str, *, yes: bool) -> None:
    confirm(f"The customer {name} needs the new secret.", slug_perm, skip=yes)
