"""``entitlements token grant``, ``regrant``, ``revoke`` and ``clients``."""

from typing import Annotated

import typer

from entitlements_core.cli.console import emit, show_table
from entitlements_core.cli.options import (
    InRepositoryOption,
    JsonOption,
    RepositoryArgument,
    SlugPermArgument,
)
from entitlements_core.cli.session import session
from entitlements_core.cli.token import options
from entitlements_core.cli.token.display import emit_token
from entitlements_core.documents.token import token_document
from entitlements_core.documents.usage import client_document
from entitlements_core.documents.values import instant
from entitlements_core.errors import InvalidValue

__all__ = ["clients", "grant", "regrant", "revoke"]


def grant(  # noqa: PLR0913 - one option for each field
    context: typer.Context,
    slug_perm: SlugPermArgument,
    repository: RepositoryArgument,
    *,
    query: options.QueryOption = None,
    no_query: options.NoQueryOption = False,
    access: options.AccessOption = None,
    base: options.BasesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open one repository more, or change what the token opens there.

    Where it opens the repository already, its query and access stay unless they are given anew.
    """
    run = session(context)
    changes = options.read_grant(query=query, no_query=no_query, access=access, base=base)
    with run.open(repositories=[repository]) as core:
        edited = core.grants.grant(slug_perm, repository, actor=run.actor, **changes)
        emit_token(
            edited.token,
            core.clock(),
            as_json=as_json,
            repository=repository,
            warnings=edited.warnings,
        )


def regrant(
    context: typer.Context,
    slug_perm: Annotated[
        str, typer.Argument(metavar="[SLUG_PERM]", help="One token; left out, all of --repo.")
    ] = "",
    *,
    repo: InRepositoryOption = "",
    as_json: JsonOption = False,
) -> None:
    """Grant anew what tokens open: the index that has the name now, with the bases it has now.

    For an index that was deleted and made again, and for one that inherits from others than when
    the token was made. Secret, query, access and limits stay. Of a whole repository, the tokens of
    users are left out: each is named by itself.
    """
    run = session(context)
    if not slug_perm and not repo:
        raise InvalidValue("slug_perm", "No token is named.", "Name one, or a whole --repo.")
    with run.open() as core:
        service = core.grants
        tokens = (
            [service.renew_token(slug_perm, actor=run.actor, repository=repo)]
            if slug_perm
            else service.renew_repository(repo, actor=run.actor)
        )
        documents = [token_document(token, core.clock(), repository=repo) for token in tokens]
    rows = [
        (
            token.identifier,
            token.name,
            grant.repository,
            ", ".join(sorted(name for name, _ in grant.bases)) or "-",
        )
        for token in tokens
        for grant in token.grants
        if repo in {"", grant.repository}
    ]
    headings = ["Identifier", "Name", "Repository", "Bases"]
    emit(documents, lambda console: show_table(console, headings, rows), as_json=as_json)


def revoke(
    context: typer.Context,
    slug_perm: SlugPermArgument,
    repository: RepositoryArgument,
    *,
    as_json: JsonOption = False,
) -> None:
    """Close one of several repositories."""
    run = session(context)
    with run.open() as core:
        token = core.grants.revoke(slug_perm, repository, actor=run.actor)
        emit_token(token, core.clock(), as_json=as_json)


def clients(
    context: typer.Context, slug_perm: SlugPermArgument, *, as_json: JsonOption = False
) -> None:
    """List the client addresses that ever used a token, the latest first."""
    with session(context).open() as core:
        found = core.reports.clients(slug_perm)
    documents = [client_document(one) for one in found]
    rows = [
        (
            one.client,
            str(instant(one.first_seen_at)),
            str(instant(one.last_seen_at)),
            "yes" if one.counts else "no",
        )
        for one in found
    ]
    headings = ["Client", "First seen", "Last seen", "Counts now"]
    emit(documents, lambda console: show_table(console, headings, rows), as_json=as_json)
