"""Use case: which files of a repository a package query opens, whoever has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from entitlements_core.engine.repository_files import known_files, mirrored_files
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services import outside_facts, previews, project_origins

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from entitlements_core.policy.facts import FileFacts
    from entitlements_core.services.core import Core

__all__ = ["preview_query"]


def preview_query(
    core: Core,
    query: str,
    repository: str,
    *,
    directories: Sequence[Path] = (),
    slug_perm: str = "",
) -> previews.Preview:
    """Which files a query opens; nothing is changed.

    Args:
        core: the services.
        query: a package query; ``name:*`` is everything.
        repository: ``owner/slug``.
        directories: that hold the files, see `known_files`.
        slug_perm: of the token with whose restriction it is compared; empty is none.

    Raises:
        NotFound: when there is no such repository or token.
        QuerySyntaxError: when the query cannot be understood.
    """
    token = core.lifecycle.read(slug_perm, repository=repository) if slug_perm else None
    grant = None if token is None else token.grant_in(repository)
    opened = grant or core.binding.bound(TokenGrant(repository=repository))
    user = "" if token is None else token.user
    seen = core.binding.seen(opened, user)
    known = dict(known_files(core, repository, directories, seen))
    named = core.parse_query(query).names if query.strip() else None
    present = {facts.name for facts in known.values()}
    others = [
        one
        for name in sorted(named or ())
        if name not in present
        and (one := project_origins.origin(core, repository, [name], present, seen)) is not None
    ]
    known |= mirrored_files(core, repository, [one.name for one in others if one.mirrors], seen)
    elsewhere = [str(one) for one in others]
    if named is None and (mirrors := project_origins.mirrors_seen(core, repository, seen)):
        mirror = ", ".join(mirrors)
        elsewhere = [f"What comes from the mirror {mirror} is not shown; it is filtered, too."]
    elif named is None and core.settings.upstream:
        elsewhere = [f"What is not yours is left to {core.settings.upstream}; no query filters it."]
    files: tuple[FileFacts, ...] = tuple(known.values())
    for text in (query, None if grant is None else grant.limit_package_query):
        files = outside_facts.with_outside_facts(
            files,
            core.parse_query(text) if text and text.strip() else None,
            repository=repository,
            source=core.reader,
            plugins=core.plugins,
        )
    found = previews.preview(
        query,
        files,
        now=core.clock(),
        parse=core.parse_query,
        token=token,
        repository=repository,
    )
    warnings = (*found.warnings, *core.binding.warnings(opened, user), *elsewhere)
    return replace(found, warnings=warnings)
