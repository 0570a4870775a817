"""``entitlements repo reserve``, ``unreserve`` and ``reserved``: names that stay the vendor's."""

from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import emit
from entitlements_core.cli.options import (
    JsonOption,
    RepositoryArgument,
)
from entitlements_core.cli.session import session
from entitlements_core.documents.repository import reserved_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entitlements_core.policy.project_names import NamePattern

__all__ = ["reserve", "reserved", "unreserve"]

NamesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME...", help="A project's name, or the beginning of names such as 'acme-*'."
    ),
]


def reserve(
    context: typer.Context,
    name: RepositoryArgument,
    names: NamesArgument,
    *,
    as_json: JsonOption = False,
) -> None:
    """Reserve project names: clients are never sent to the upstream for them.

    The names of all files that ever were in the repository are reserved by themselves. Reserve the
    beginning that yours share, so that nobody else's file takes the place of one to come.
    """
    run = session(context)
    with run.open(repositories=[name]) as core:
        found = core.reserved_names.add(name, names, actor=run.actor)
    _emit_reserved(name, found, as_json=as_json)


def unreserve(
    context: typer.Context,
    name: RepositoryArgument,
    names: NamesArgument,
    *,
    as_json: JsonOption = False,
) -> None:
    """Let reserved names go. Those of files that were in the repository stay the vendor's."""
    run = session(context)
    with run.open(repositories=[name]) as core:
        found = core.reserved_names.remove(name, names, actor=run.actor)
    _emit_reserved(name, found, as_json=as_json)


def reserved(
    context: typer.Context, name: RepositoryArgument, *, as_json: JsonOption = False
) -> None:
    """List the reserved names."""
    with session(context).open(repositories=[name]) as core:
        found = core.reserved_names.of(name)
    _emit_reserved(name, found, as_json=as_json)


def _emit_reserved(name: str, found: "Sequence[NamePattern]", *, as_json: bool) -> None:
    emit(
        reserved_document(name, found),
        lambda console: console.print(
            "\n".join(map(str, found)) or f"{name} reserves no names but those of its files.",
            soft_wrap=True,
        ),
        as_json=as_json,
    )
