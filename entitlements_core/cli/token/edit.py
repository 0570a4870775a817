"""``entitlements token edit``: every term can be changed, and every one can be cleared."""
# ruff: noqa: ARG001 - the terms are read from the context, by the names of their options

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from entitlements_core.cli.options import (
    InRepositoryOption,
    JsonOption,
    SlugPermArgument,
    require_changes,
)
from entitlements_core.cli.session import session
from entitlements_core.cli.token import options
from entitlements_core.cli.token.display import emit_token
from entitlements_core.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["edit"]


def _clear(option: str, what: str) -> Any:  # noqa: ANN401 - what Typer takes
    return typer.Option(option, help=f"Clear {what}.", rich_help_panel="Clearing")


def edit(  # noqa: PLR0913 - one option for each field, and one to clear it
    context: typer.Context,
    slug_perm: SlugPermArgument,
    *,
    repo: InRepositoryOption = "",
    name: Annotated[str | None, typer.Option("--name", help="The customer's.")] = None,
    query: options.QueryOption = None,
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
    no_query: Annotated[bool, _clear("--no-query", "the query: everything is open")] = False,
    no_bases: Annotated[bool, _clear("--no-bases", "the recorded bases: no closed one")] = False,
    no_networks: Annotated[bool, _clear("--no-networks", "both lists of networks")] = False,
    no_allow: Annotated[bool, _clear("--no-allow", "the allowed networks")] = False,
    no_deny: Annotated[bool, _clear("--no-deny", "the denied networks")] = False,
    no_valid_from: Annotated[bool, _clear("--no-valid-from", "the begin")] = False,
    no_valid_until: Annotated[bool, _clear("--no-valid-until", "the end")] = False,
    no_updates_until: Annotated[bool, _clear("--no-updates-until", "the freeze")] = False,
    no_max_downloads: Annotated[bool, _clear("--no-max-downloads", "the limit")] = False,
    no_max_clients: Annotated[bool, _clear("--no-max-clients", "the limit")] = False,
    no_max_bandwidth: Annotated[bool, _clear("--no-max-bandwidth", "the limit")] = False,
    no_reset_period: Annotated[bool, _clear("--no-reset-period", "the period: never")] = False,
    no_reset_at: Annotated[
        bool, _clear("--no-reset-at", "the first reset: the token's making counts")
    ] = False,
    no_metadata: Annotated[bool, _clear("--no-metadata", "the metadata")] = False,
    no_tags: Annotated[bool, _clear("--no-tags", "all tags")] = False,
    no_owner: Annotated[bool, _clear("--no-owner", "the owner: the repository's")] = False,
    as_json: JsonOption = False,
) -> None:
    """Change what is named; everything else stays.

    Lists (--tag, --allow, --deny, --base) are replaced as a whole. --repo says where --query,
    --access and --base apply, for a token that opens several repositories.
    """
    run = session(context)
    changes = options.read_terms(context.params) | _cleared(context.params)
    changes |= options.read_grant(query=query, no_query=no_query, access=access, base=base)
    if name is not None:
        changes["name"] = name
    require_changes(context, changes)
    with run.open() as core:
        edited = core.lifecycle.edit(slug_perm, actor=run.actor, repository=repo, **changes)
        emit_token(
            edited.token,
            core.clock(),
            as_json=as_json,
            repository=repo,
            warnings=edited.warnings,
        )


def _cleared(given: "Mapping[str, Any]") -> dict[str, None]:
    """The fields that are to be cleared.

    Raises:
        InvalidValue: when one is set and cleared at once.
    """
    cleared: dict[str, None] = {}
    for option, (setting, fields) in _CLEARING.items():
        if not given[option]:
            continue
        both = next((name for name in setting if options.is_given(given[name])), None)
        if both is not None:
            raise InvalidValue(
                fields[0],
                f"--{both.replace('_', '-')} and --{option.replace('_', '-')} contradict.",
                "Give one of them.",
            )
        cleared |= dict.fromkeys(fields)
    return cleared


_CLEARING: Final = {
    "no_bases": (("base",), ("bases",)),
    "no_networks": (("allow", "deny"), ("allow_networks", "deny_networks")),
    "no_allow": (("allow",), ("allow_networks",)),
    "no_deny": (("deny",), ("deny_networks",)),
    "no_valid_from": (("valid_from",), ("limit_date_range_from",)),
    "no_valid_until": (("valid_until",), ("limit_date_range_to",)),
    "no_updates_until": (("updates_until",), ("updates_until",)),
    "no_max_downloads": (("max_downloads",), ("limit_num_downloads",)),
    "no_max_clients": (("max_clients",), ("limit_num_clients",)),
    "no_max_bandwidth": (("max_bandwidth",), ("limit_bandwidth", "limit_bandwidth_unit")),
    "no_reset_period": (("reset_period",), ("scheduled_reset_period",)),
    "no_reset_at": (("reset_at",), ("scheduled_reset_at",)),
    "no_metadata": (("metadata",), ("metadata",)),
    "no_tags": (("tag",), ("tags",)),
    "no_owner": (("owner",), ("owner",)),
}
"""Option to the options it contradicts, and the fields it clears."""
