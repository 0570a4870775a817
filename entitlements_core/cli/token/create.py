"""``entitlements token create``."""
# ruff: noqa: ARG001 - the terms are read from the context, by the names of their options

from typing import Annotated

import typer

from entitlements_core.cli.options import JsonOption, of_repository, read_secret
from entitlements_core.cli.session import session
from entitlements_core.cli.token import options
from entitlements_core.cli.token.display import emit_issued

__all__ = ["create"]


def create(  # noqa: PLR0913 - one option for each field
    context: typer.Context,
    *,
    repo: Annotated[
        list[str],
        of_repository("What it opens; again for more."),
    ],
    name: Annotated[str, typer.Option("--name", help="The customer's.")],
    secret: options.SecretOption = None,
    disabled: Annotated[
        bool, typer.Option("--disabled", help="It opens nothing until it is enabled.")
    ] = False,
    query: options.QueryOption = None,
    no_query: options.NoQueryOption = False,
    access: options.AccessOption = None,
    base: options.BasesOption = None,
    allow: options.AllowOption = None,
    deny: options.DenyOption = None,
    eula_required: options.EulaRequiredOption = None,
    valid_from: options.ValidFromOption = None,
    valid_until: options.ValidUntilOption = None,
    updates_until: options.UpdatesUntilOption = None,
    max_downloads: options.MaxDownloadsOption = None,
    max_clients: options.MaxClientsOption = None,
    max_bandwidth: options.MaxBandwidthOption = None,
    reset_period: options.ResetPeriodOption = None,
    reset_at: options.ResetAtOption = None,
    metadata: options.MetadataOption = None,
    tag: options.TagsOption = None,
    owner: options.OwnerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token, and print its secret, which is to be handed to the customer.

    It opens the repositories that are named, all with the same query and access; `token grant`
    gives one of them a query of its own.
    """
    from entitlements_core.policy.token import TokenGrant  # noqa: PLC0415 - a fast start
    from entitlements_core.services.token_changes import checked_access  # noqa: PLC0415 - a fast start

    run = session(context)
    options.check_query(query, no_query=no_query)
    changes = options.read_terms(context.params)
    opened = [
        TokenGrant(
            repository=one,
            access=checked_access("r" if access is None else access),
            limit_package_query=query,
            bases=frozenset((name, "") for name in base or ()),
        )
        for one in repo
    ]
    custom = None if secret is None else read_secret(secret)
    with run.open(repositories=repo) as core:
        issued = core.lifecycle.create(
            name, opened, actor=run.actor, secret=custom, enabled=not disabled, **changes
        )
        emit_issued(issued, core.clock(), as_json=as_json)
