"""Use case: where a project comes from that the vendor's repository does not have."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import NormalizedName, canonicalize_name

from entitlements_core.policy.project_names import ENDS, is_name, names_in

if TYPE_CHECKING:
    from entitlements_core.services.core import Core

__all__ = ["Origin", "mirrors_seen", "names_of", "origin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who has a project for the customers of a repository.

    Attributes:
        name: of the project.
        is_own: it is the vendor's, so that nobody else is asked for it.
        mirrors: through which the repository has it, ``owner/slug``; it is filtered and counted.
        upstream: the index to which customers are sent for it; it is neither. Or empty.
    """

    name: NormalizedName
    is_own: bool = False
    mirrors: tuple[str, ...] = ()
    upstream: str = ""

    def __str__(self) -> str:
        """In a sentence."""
        if self.is_own:
            return f"{self.name} is yours, so nobody else is asked for it."
        if self.upstream:
            return (
                f"{self.name} is not yours: who may see pages is sent on to {self.upstream} for"
                " it, and nothing of it is filtered or counted here."
            )
        mirrors = ", ".join(self.mirrors)
        return (
            f"{self.name} is not yours: it comes from the mirror {mirrors}, and is filtered and"
            " counted like what is yours."
        )


def names_of(text: str) -> frozenset[NormalizedName]:
    """The projects that the name of a file, or of a project, can mean."""
    if text.lower().endswith(ENDS):
        return names_in(text)
    return frozenset({canonicalize_name(text)}) if is_name(text) else frozenset()


def mirrors_seen(
    core: "Core", repository: str, seen: frozenset[str] | None, project: str | None = None
) -> tuple[str, ...] | None:
    """The mirrors through which a repository has what is not the vendor's.

    Args:
        core: the services.
        repository: ``owner/slug``.
        seen: the bases that a token sees, or None for all.
        project: the one in question, normalised; None is any.

    Returns:
        None where the host has no mirrors at all.
    """
    found = core.plugins.mirrors(repository, project)
    if found is None:
        return None
    return tuple(one for one in found if seen is None or one in {*seen, repository})


def origin(
    core: "Core",
    repository: str,
    names: Collection[NormalizedName],
    present: Iterable[NormalizedName],
    seen: frozenset[str] | None,
) -> Origin | None:
    """Who has a project; None where that is the repository or nobody.

    Args:
        core: the services.
        repository: ``owner/slug``.
        names: what the project can be called; that one is the vendor's is enough.
        present: the projects that the repository has.
        seen: the bases that a token sees, or None for all.
    """
    if not names:
        return None
    name = max(names, key=len)
    if mirrors_seen(core, repository, None) == (repository,):  # a mirror itself has what it has
        return Origin(name=name, mirrors=(repository,))
    has_others = bool(mirrors_seen(core, repository, seen)) or bool(core.settings.upstream)
    if not has_others:
        return None
    owned = any(core.reader.is_own(one, repository) for one in names)
    if owned or not set(names).isdisjoint(present):
        return Origin(name=name, is_own=True)
    mirrors = mirrors_seen(core, repository, seen, name)
    if mirrors is None:
        return Origin(name=name, upstream=core.settings.upstream)
    return Origin(name=name, is_own=not mirrors, mirrors=mirrors)
