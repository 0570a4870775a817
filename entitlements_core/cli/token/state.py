"""``entitlements token enable``, ``disable``, ``reset`` and ``delete``."""

import typer

from entitlements_core.cli.console import confirm
from entitlements_core.cli.options import (
    InRepositoryOption,
    JsonOption,
    SlugPermArgument,
    YesOption,
)
from entitlements_core.cli.session import session
from entitlements_core.cli.token.display import emit_token

__all__ = ["delete", "disable", "enable", "reset"]


def enable(
    context: typer.Context,
    slug_perm: SlugPermArgument,
    *,
    repo: InRepositoryOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a disabled token open its repositories again."""
    run = session(context)
    with run.open() as core:
        token = core.lifecycle.enable(slug_perm, actor=run.actor, repository=repo)
        emit_token(token, core.clock(), as_json=as_json, repository=repo)


def disable(
    context: typer.Context,
    slug_perm: SlugPermArgument,
    *,
    repo: InRepositoryOption = "",
    as_json: JsonOption = False,
) -> None:
    """Refuse files to a token from the next request on; its secret is kept.

    Its pages stay, so that the refusal of a file can say why. Delete it to close them, too.
    """
    run = session(context)
    with run.open() as core:
        token = core.lifecycle.disable(slug_perm, actor=run.actor, repository=repo)
        emit_token(token, core.clock(), as_json=as_json, repository=repo)


def reset(
    context: typer.Context,
    slug_perm: SlugPermArgument,
    *,
    repo: InRepositoryOption = "",
    as_json: JsonOption = False,
) -> None:
    """Count downloads, clients and bandwidth from zero again; the limits stay."""
    run = session(context)
    with run.open() as core:
        token = core.lifecycle.reset(slug_perm, actor=run.actor, repository=repo)
        emit_token(token, core.clock(), as_json=as_json, repository=repo)


def delete(
    context: typer.Context,
    slug_perm: SlugPermArgument,
    *,
    repo: InRepositoryOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """End a token for good. Its history is kept, its secret is not."""
    run = session(context)
    with run.open() as core:
        found = core.lifecycle.read(slug_perm, repository=repo)
        confirm(f"This ends the token of {found.name} for good.", slug_perm, skip=yes or as_json)
        token = core.lifecycle.delete(slug_perm, actor=run.actor, repository=repo)
        emit_token(token, core.clock(), as_json=as_json, repository=repo)
