"""``entitlements token list`` and ``show``."""

from functools import partial
from typing import Annotated

import typer

from entitlements_core.cli.console import emit, note, note_page, show_table
from entitlements_core.cli.options import (
    InRepositoryOption,
    JsonOption,
    PageOption,
    PageSizeOption,
    ShowSecretOption,
    SlugPermArgument,
)
from entitlements_core.cli.session import session
from entitlements_core.cli.token.display import emit_token, limits_in_words
from entitlements_core.documents.token import token_document
from entitlements_core.policy.credential import State
from entitlements_core.services.pagination import paged

__all__ = ["list_", "show"]


def list_(  # noqa: PLR0913 - the choices of one list
    context: typer.Context,
    *,
    repo: InRepositoryOption = "",
    search: Annotated[
        str,
        typer.Option(
            "--search", metavar="Q", help="A token search, such as 'name:acme AND state:expired'."
        ),
    ] = "",
    disabled: Annotated[bool, typer.Option("--disabled", help="Disabled ones, too.")] = False,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted ones, too.")] = False,
    all_users: Annotated[
        bool, typer.Option("--all-users", help="The tokens of the host's users, too.")
    ] = False,
    sort: Annotated[
        str, typer.Option("--sort", metavar="FIELD", help="With a dash before it in reverse.")
    ] = "name",
    page: PageOption = None,
    page_size: PageSizeOption = 100,
    show_secret: ShowSecretOption = False,
    as_json: JsonOption = False,
) -> None:
    """List tokens: the enabled ones that belong to no user, unless asked for more."""
    from entitlements_core.services.token_lifecycle import ListFilter  # noqa: PLC0415 - a fast start

    run = session(context)
    with run.open(repositories=[repo] if repo else []) as core:
        tokens, total = paged(
            partial(
                core.lifecycle.list,
                repository=repo,
                list_filter=ListFilter(disabled=disabled, deleted=deleted, all_users=all_users),
                query=search,
                sort=sort,
            ),
            page,
            page_size,
        )
        now = core.clock()
        documents = []
        for token in tokens:
            shown = show_secret and token.revealable and token.state is not State.DELETED
            secret = core.rotation.reveal(token.identifier, actor=run.actor) if shown else None
            orphaned = core.binding.orphaned(token)
            documents.append(
                token_document(token, now, secret=secret, repository=repo, orphaned=orphaned)
            )
    rows = [_row(one, show_secret=show_secret) for one in documents]
    headings = ["Identifier", "Name", "Status", "Repositories", "Limits", "Downloads", "Clients"]
    headings += ["Secret"] * show_secret
    emit(documents, lambda console: show_table(console, headings, rows), as_json=as_json)
    note_page(len(tokens), total, as_json=as_json)


def show(
    context: typer.Context,
    slug_perm: SlugPermArgument,
    *,
    repo: InRepositoryOption = "",
    show_secret: ShowSecretOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show one token, deleted ones included."""
    run = session(context)
    with run.open() as core:
        token = core.lifecycle.read(slug_perm, repository=repo)
        secret = core.rotation.reveal(slug_perm, actor=run.actor) if show_secret else None
        emit_token(
            token,
            core.clock(),
            as_json=as_json,
            secret=secret,
            repository=repo,
            orphaned=core.binding.orphaned(token),
            previous=core.rotation.previous(slug_perm),
        )
    if token.state is State.DELETED and not as_json:
        note("This token is deleted, for good: no secret of it opens anything.")


def _row(document: dict[str, object], *, show_secret: bool) -> list[str]:
    repositories = [
        f"{grant['repository']}{' (orphaned)' if grant['orphaned'] else ''}"
        for grant in document["repositories"]  # type: ignore[attr-defined] # a list
    ]
    row = [
        str(document["slug_perm"]),
        str(document["name"]),
        str(document["status"]),
        ", ".join(repositories),
        limits_in_words(document),
        str(document["downloads"]),
        str(document["clients"]),
    ]
    return row + [str(document["token"])] * show_secret
