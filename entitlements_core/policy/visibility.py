"""What one credential sees of one repository at one moment, for the items of a page."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime

from packaging.utils import NormalizedName

from entitlements_core.policy.credential import Credential, Grant
from entitlements_core.policy.facts import Fact, FileFacts
from entitlements_core.policy.query import Admits, PackageQuery

__all__ = ["Visibility", "visibility"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """Which files are visible. Lists, pages and downloads ask the same functions.

    Attributes:
        shows: whether a file is visible.
        admits: what the name of a project alone says about its files.
        names: the only projects that can be visible, or None for any.
        key: equal keys show equal pages for as long as the index does not change; None when the
            answer can change with time or with facts from outside the index.
    """

    shows: Callable[[FileFacts], bool]
    admits: Callable[[NormalizedName], Admits]
    names: frozenset[NormalizedName] | None
    key: Hashable | None


def visibility(
    credential: Credential, grant: Grant, now: datetime, *, tags_state: Hashable = None
) -> Visibility:
    """The view of `credential` through one of its grants.

    Args:
        credential: whose.
        grant: of the repository.
        now: aware, UTC.
        tags_state: changes with the vendor's tags that the files come with; None where that is
            not known, and then a restriction that reads them is never remembered.
    """
    restriction, freeze = grant.restriction, credential.updates_until
    shows = _everything if restriction is None else restriction.predicate(now)
    admits = _all_names if restriction is None else restriction.admits
    return Visibility(
        shows=shows if freeze is None else _frozen(shows, freeze),
        admits=admits if freeze is None else _some_of(admits),
        names=None if restriction is None else restriction.names,
        key=_key(restriction, freeze, tags_state),
    )


def _key(
    restriction: PackageQuery | None, freeze: datetime | None, tags_state: Hashable
) -> Hashable | None:
    if restriction is None:
        return None, freeze
    if _moves(restriction):
        return None
    if Fact.TAGS not in restriction.needs:
        return restriction.text, freeze
    return None if tags_state is None else (restriction.text, freeze, tags_state)


def _moves(query: PackageQuery) -> bool:
    return query.depends_on_now or query.foreign or Fact.DOWNLOADS in query.needs


def _everything(_: FileFacts) -> bool:
    return True


def _all_names(_: NormalizedName) -> Admits:
    return Admits.ALL


def _frozen(shows: Callable[[FileFacts], bool], until: datetime) -> Callable[[FileFacts], bool]:
    return lambda facts: facts.was_there(until) and shows(facts)


def _some_of(admits: Callable[[NormalizedName], Admits]) -> Callable[[NormalizedName], Admits]:
    """The same, but never certain of all files: the freeze looks at each."""
    return lambda name: Admits.NONE if admits(name) is Admits.NONE else Admits.SOME
