"""``entitlements preview``: which files a package query opens."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entitlements_core.cli.console import emit, show_table, warn
from entitlements_core.cli.options import DirectoriesOption, JsonOption, of_repository
from entitlements_core.cli.session import session
from entitlements_core.documents.preview import preview_document
from entitlements_core.engine.repository_files import known_files, mirrored_files

if TYPE_CHECKING:
    from entitlements_core.policy.facts import FileFacts
    from entitlements_core.services.core import Core
    from entitlements_core.services.previews import Preview

__all__ = ["preview"]


def preview(  # noqa: PLR0913 - one option for each choice
    context: typer.Context,
    query: Annotated[
        str, typer.Argument(metavar="Q", help="A package query; name:* is everything.")
    ],
    *,
    repo: Annotated[str, of_repository("Whose files they are.")],
    directories: DirectoriesOption = None,
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="SLUG_PERM",
            help="Say what the query would add and remove for this token.",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show which files a package query opens; nothing is changed."""
    with session(context).open(repositories=[repo]) as core:
        found = _preview(core, query, repo, directories or [], token)
    document, rows = preview_document(found), _rows(found)
    emit(document, lambda console: show_table(console, ["", "File"], rows), as_json=as_json)
    warn(found.warnings, as_json=as_json)


def _preview(
    core: "Core", query: str, repository: str, directories: list[Path], slug_perm: str
) -> "Preview":
    from entitlements_core.policy.token import TokenGrant  # noqa: PLC0415 - a fast start
    from entitlements_core.services import (  # noqa: PLC0415 - a fast start
        origins,
        outside_facts,
        previews,
    )

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
        and (one := origins.origin(core, repository, [name], present, seen)) is not None
    ]
    known |= mirrored_files(core, repository, [one.name for one in others if one.mirrors], seen)
    elsewhere = [str(one) for one in others]
    if named is None and (mirrors := origins.mirrors_seen(core, repository, seen)):
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


def _rows(found: "Preview") -> list[tuple[str, str]]:
    added = set(found.added or ())
    rows = [("+" if name in added else "", name) for name in found.files]
    return rows + [("-", name) for name in found.removed or ()]
