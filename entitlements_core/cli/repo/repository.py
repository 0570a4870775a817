"""``entitlements repo add``, ``list``, ``show``, ``edit`` and ``remove``."""

from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import confirm, emit, note, show_fields, show_table
from entitlements_core.cli.options import (
    JsonOption,
    RepositoryArgument,
    ShowSecretOption,
    YesOption,
    require_changes,
)
from entitlements_core.cli.session import session
from entitlements_core.documents.repository import (
    added_document,
    removed_document,
    repository_document,
)
from entitlements_core.documents.values import MASK
from entitlements_core.policy.counted import counted
from entitlements_core.policy.instants import minute

if TYPE_CHECKING:
    from entitlements_core.services.repositories import Repository, RepositoryChanges

__all__ = ["add", "edit", "list_", "remove", "show"]

DescriptionOption = Annotated[str | None, typer.Option("--description", help="What it is for.")]
ContactOption = Annotated[
    str | None,
    typer.Option("--contact", help="Whom a refused customer turns to; empty for nobody."),
]
UserTokensOption = Annotated[
    bool | None,
    typer.Option(
        "--user-tokens/--no-user-tokens", help="Users of the host get tokens of their own."
    ),
]


def add(  # noqa: PLR0913 - one option for each field
    context: typer.Context,
    name: RepositoryArgument,
    *,
    description: DescriptionOption = None,
    contact: ContactOption = None,
    user_tokens: UserTokensOption = None,
    default_token: Annotated[
        bool, typer.Option(help="Make the default token, as at Cloudsmith.")
    ] = True,
    show_secret: ShowSecretOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add a repository, with a default token unless told not to."""
    run = session(context)
    with run.open() as core:
        added = core.repositories.add(
            name,
            actor=run.actor,
            default_token=default_token,
            **_changes(description, contact, user_tokens),
        )
        issued = added.default_token
        secret = issued.secret if issued is not None and show_secret else None
        document = added_document(added, core.clock(), secret=secret)
    emit(document, lambda console: console.print(f"Added {name}."), as_json=as_json)
    if issued is not None and not as_json:
        identifier, [grant] = issued.token.identifier, issued.token.grants
        note(f"Its default token is {identifier}, secret {secret or MASK}.")
        note(
            f"It opens {grant.limit_package_query or 'everything'} in {name} ({grant.access.value})"
            " to whoever has its secret, without an end. To narrow it:"
            f" entitlements token edit {identifier} --query Q; to close it:"
            f" entitlements token disable {identifier}"
        )


def list_(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """List the repositories."""
    with session(context).open() as core:
        found = core.repositories.all()
    rows = [(one.name, one.description, one.contact, _flags(one)) for one in found]
    emit(
        [repository_document(one) for one in found],
        lambda console: show_table(
            console, ["Repository", "Description", "Contact", "Settings"], rows
        ),
        as_json=as_json,
    )


def show(context: typer.Context, name: RepositoryArgument, *, as_json: JsonOption = False) -> None:
    """Show one repository."""
    with session(context).open(repositories=[name]) as core:
        found = core.repositories.show(name)
    _emit(found, as_json=as_json)


def edit(  # noqa: PLR0913 - one option for each field
    context: typer.Context,
    name: RepositoryArgument,
    *,
    description: DescriptionOption = None,
    contact: ContactOption = None,
    user_tokens: UserTokensOption = None,
    enforce_eula: Annotated[
        bool | None,
        typer.Option(
            "--enforce-eula/--no-enforce-eula",
            help="Tokens that ask for it have to accept the licence first.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change what is named; everything else stays."""
    run = session(context)
    changes = _changes(description, contact, user_tokens)
    if enforce_eula is not None:
        changes["enforce_eula"] = enforce_eula
    require_changes(context, changes)
    with run.open(repositories=[name]) as core:
        found = core.repositories.edit(name, actor=run.actor, **changes)
    _emit(found, as_json=as_json)


def remove(
    context: typer.Context,
    name: RepositoryArgument,
    *,
    force: Annotated[bool, typer.Option("--force", help="Delete its living tokens, too.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a repository. Its files stay where they are; its history is kept."""
    run = session(context)
    with run.open(asked=[name]) as core:
        core.repositories.show(name)
        confirm(f"This removes {name} for good.", name, skip=yes or as_json)
        deleted = core.repositories.remove(name, actor=run.actor, force=force)
    tokens = counted(len(deleted), "token")
    emit(
        removed_document(name, deleted),
        lambda console: console.print(f"Removed {name}, and {tokens} with it."),
        as_json=as_json,
    )


def _changes(
    description: str | None,
    contact: str | None,
    user_tokens: bool | None,  # noqa: FBT001 - None, too, is a value
) -> "RepositoryChanges":
    changes: RepositoryChanges = {}
    if description is not None:
        changes["description"] = description
    if contact is not None:
        changes["contact"] = contact
    if user_tokens is not None:
        changes["user_tokens_enabled"] = user_tokens
    return changes


def _emit(found: "Repository", *, as_json: bool) -> None:
    fields = [
        ("Repository", found.name),
        ("Description", found.description),
        ("Contact", found.contact),
        ("Settings", _flags(found)),
        ("Created", f"{minute(found.created_at)} by {found.created_by}"),
    ]
    emit(repository_document(found), lambda console: show_fields(console, fields), as_json=as_json)


def _flags(found: "Repository") -> str:
    flags = {"enforces its licence": found.enforce_eula, "user tokens": found.user_tokens_enabled}
    return ", ".join(name for name, is_set in flags.items() if is_set)
