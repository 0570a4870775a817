"""Use case: why a token may download a file of a repository, whoever has it, or may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entitlements_core.engine.distributions import Unservable, parse_filename
from entitlements_core.engine.repository_files import covered_files, known_files, mirrored_files
from entitlements_core.policy.facts import FileFacts
from entitlements_core.services import project_origins
from entitlements_core.services.explanation import Explained, explain_file, repository_of
from entitlements_core.services.previews import hidden_dependencies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from entitlements_core.policy.network import IPAddress
    from entitlements_core.policy.token import Token, TokenGrant
    from entitlements_core.services.core import Core

__all__ = ["explain_download"]


def explain_download(  # noqa: PLR0913 - the circumstances of one download
    core: Core,
    slug_perm: str,
    filename: str,
    *,
    repository: str = "",
    directories: Sequence[Path] = (),
    address: IPAddress | None = None,
    at: datetime | None = None,
) -> tuple[Explained, tuple[str, ...]]:
    """Whether a token may download a file, with every reason; and what else it should see.

    Args:
        core: the services.
        slug_perm: the token's identifier.
        filename: without directories.
        repository: ``owner/slug``; may be left out where the token opens only one.
        directories: that hold the files, see `known_files`.
        address: the client's; None judges by no address.
        at: aware; None is now. The limits are judged by what is used now.

    Returns:
        The answer; and a sentence for each dependency of an allowed file that the token hides.

    Raises:
        NotFound: when there is no such token, or it does not open the repository.
        InvalidValue: when it opens several repositories, and none is named.
    """
    token = core.lifecycle.read(slug_perm)
    repository = repository_of(token, repository, core.settings.repository)
    grant = token.grant_in(repository)
    seen = None if grant is None else core.binding.seen(grant, token.user)
    known = known_files(core, repository, directories, seen)
    facts, origin = known.get(filename), None
    if facts is None:
        names = project_origins.names_of(filename)
        present = {one.name for one in known.values()}
        origin = project_origins.origin(core, repository, names, present, seen)
        if origin is not None and origin.mirrors:
            facts = mirrored_files(core, repository, names, seen).get(filename)
            facts = facts or _named(grant, filename, core)
    found = explain_file(
        core,
        slug_perm,
        filename,
        facts,
        repository=repository,
        address=address,
        at=at,
        origin=origin,
    )
    return found, _hidden(core, token, repository, known, facts) if found.allowed else ()


def _hidden(
    core: Core,
    token: Token,
    repository: str,
    known: Mapping[str, FileFacts],
    facts: FileFacts | None,
) -> tuple[str, ...]:
    """What a file that may be downloaded needs, and the token does not see."""
    if facts is None or facts.filename not in known:
        return ()
    names = {one.name for one in covered_files(core, token, repository, known)}
    return hidden_dependencies([facts], {one.name for one in known.values()} - names)


def _named(grant: TokenGrant | None, filename: str, core: Core) -> FileFacts | None:
    """What the name of a file says that no mirror has fetched yet, where no more is asked for."""
    query = None if grant is None else grant.limit_package_query
    if query and core.parse_query(query).needs:
        return None
    try:
        return parse_filename(filename).facts(filename)
    except Unservable:
        return None
