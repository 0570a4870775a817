"""Use case: what snippets for a customer's clients have to know of the token and its repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from entitlements_core.engine.repository_files import covered_files, known_files
from entitlements_core.errors import InvalidValue, NotFound
from entitlements_core.services.explanation import repository_of
from entitlements_core.services.operations import require_living
from entitlements_core.services.previews import hidden_dependencies
from entitlements_core.services.snippets import Covered, IndexAccess, covered

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from entitlements_core.policy.facts import FileFacts
    from entitlements_core.policy.token import Token
    from entitlements_core.services.core import Core

__all__ = ["SnippetFacts", "snippet_access", "snippet_facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnippetFacts:
    """What is known of a token and its repository.

    Attributes:
        repository: ``owner/slug``, or empty where only a secret is known.
        writes: the token may also upload.
        is_devpi: the repository is an index of devpi-server.
        files: that the token covers; empty where nobody knows the files of the repository.
        hidden: a sentence for each dependency of them that the token hides.
        prefixes: the beginnings of names that the repository reserves, such as ``acme-*``.
    """

    repository: str = ""
    writes: bool = False
    is_devpi: bool = False
    files: tuple[FileFacts, ...] = ()
    hidden: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


def snippet_facts(
    core: Core, slug_perm: str, repository: str = "", directories: Sequence[Path] = ()
) -> SnippetFacts:
    """What a token opens in a repository.

    Args:
        core: the services.
        slug_perm: the token's identifier.
        repository: ``owner/slug``; may be left out where the token opens only one.
        directories: that hold the files, see `known_files`.

    Raises:
        NotFound: when there is no such token, or it does not open the repository.
        InvalidValue: when it opens several repositories, and none is named.
        Refused: when it is deleted.
    """
    token = core.lifecycle.read(slug_perm, repository=repository)
    require_living(token)  # a deleted token has no secret that opens anything
    repository = repository_of(token, repository, core.settings.repository)
    grant = token.grant_in(repository)
    if grant is None:
        raise NotFound(f"The token does not open {repository}.", "Name one that it opens.")
    reserved = core.reserved_names.of(repository)
    files, hidden = _covered(core, token, repository, directories)
    return SnippetFacts(
        repository=repository,
        writes=grant.access.value == "rw",
        is_devpi=core.plugins.host().startswith("devpi-server")
        and repository in core.plugins.repositories(),
        files=files,
        hidden=hidden,
        # A reserved project may not be announced yet, so only beginnings are told to customers.
        prefixes=tuple(str(one) for one in reserved if one.is_prefix),
    )


def snippet_access(  # noqa: PLR0913 - what an address does not say by itself
    facts: SnippetFacts,
    url: str,
    *,
    mount: str | None = None,
    host: str = "",
    packages: Sequence[str] = (),
    secret: str = "",
    upstream: bool = False,
) -> tuple[IndexAccess, int]:
    """Where a customer finds what; and how many more packages the token covers.

    Args:
        facts: of the token.
        url: the public address of the server.
        mount: the path of the repository in an application that has several, or None.
        host: of `HOSTS`, or empty.
        packages: to install; empty is those that no other one depends on.
        secret: in clear, or empty for a placeholder.
        upstream: the index sends clients on for public packages.

    Raises:
        InvalidValue: when an address or a name cannot be used.
    """
    found = covered(facts.files, packages) if facts.files else Covered((), ())
    if mount is None and host == "devpi" and facts.repository:
        mount = f"/{facts.repository}"
    access = IndexAccess.parse(
        url,
        mount=mount,
        host=host,
        secret=secret,
        packages=found.packages or packages,
        own=(*found.own, *facts.prefixes),
        filename=found.filename,
        upstream=upstream,
    )
    return access, found.others


def _covered(
    core: Core, token: Token, repository: str, directories: Sequence[Path]
) -> tuple[tuple[FileFacts, ...], tuple[str, ...]]:
    """The files that a token covers, and what they need that it hides; nothing if none is known."""
    grant = token.grant_in(repository)
    seen = None if grant is None else core.binding.seen(grant, token.user)
    try:
        known = known_files(core, repository, directories, seen)
    except InvalidValue as error:
        if directories or error.field != "dir":
            raise
        return (), ()
    files = covered_files(core, token, repository, known)
    return files, hidden_dependencies(files, {facts.name for facts in known.values()})
