"""``entitlements token grant``, ``revoke`` and ``clients``."""

import typer

from entitlements_core.cli import terms
from entitlements_core.cli.documents import instant
from entitlements_core.cli.naming import require_repositories
from entitlements_core.cli.options import AsJson, RepositoryName, SlugPerm
from entitlements_core.cli.output import emit, show_table
from entitlements_core.cli.session import session
from entitlements_core.cli.showing import emit_token

__all__ = ["clients", "grant", "revoke"]


def grant(  # noqa: PLR0913 - one option for each field
    context: typer.Context,
    slug_perm: SlugPerm,
    repository: RepositoryName,
    *,
    query: terms.Query = None,
    no_query: terms.NoQuery = False,
    access: terms.Access = None,
    as_json: AsJson = False,
) -> None:
    """Open one repository more, or change what the token opens there.

    Where it opens the repository already, its query stays unless --query or --no-query is given.
    """
    from entitlements_core.policy.token import TokenGrant  # noqa: PLC0415 - a fast start
    from entitlements_core.services.changes import checked_access  # noqa: PLC0415 - a fast start

    run = session(context)
    terms.check_query(query, no_query=no_query)
    wanted = checked_access("r" if access is None else access)
    with run.open() as core:
        require_repositories(core, [repository])
        if query is None and not no_query:
            known = core.lifecycle.read(slug_perm).grant_in(repository)
            query = None if known is None else known.limit_package_query
        opened = TokenGrant(repository=repository, access=wanted, limit_package_query=query)
        edited = core.lifecycle.grant(slug_perm, opened, actor=run.actor)
        emit_token(
            edited.token,
            core.clock(),
            as_json=as_json,
            repository=repository,
            warnings=edited.warnings,
        )


def revoke(
    context: typer.Context,
    slug_perm: SlugPerm,
    repository: RepositoryName,
    *,
    as_json: AsJson = False,
) -> None:
    """Close one of several repositories."""
    run = session(context)
    with run.open() as core:
        token = core.lifecycle.revoke(slug_perm, repository, actor=run.actor)
        emit_token(token, core.clock(), as_json=as_json)


def clients(context: typer.Context, slug_perm: SlugPerm, *, as_json: AsJson = False) -> None:
    """List the client addresses that ever used a token, the latest first."""
    with session(context).open() as core:
        found = core.reports.clients(slug_perm)
    documents = [
        {
            "client": one.client,
            "first_seen_at": instant(one.first_seen_at),
            "last_seen_at": instant(one.last_seen_at),
            "counts": one.counts,
        }
        for one in found
    ]
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
