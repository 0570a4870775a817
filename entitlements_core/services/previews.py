"""Use case: which files a restriction opens, and what a change of it would add and remove."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from packaging.utils import NormalizedName, canonicalize_name

from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.query import PackageQuery
from entitlements_core.policy.terms import check_restriction
from entitlements_core.policy.token import Token

__all__ = ["Preview", "hidden_dependencies", "lacking", "preview"]

_MOST: Final = 5
"""Dependencies that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a restriction opens.

    Attributes:
        files: the names of the files, sorted by project, then as an index sorts them.
        projects: the normalised names, sorted.
        warnings: about the restriction, one sentence each.
        added, removed: files that the token would see anew, or no longer; None without a token.
    """

    files: tuple[str, ...]
    projects: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    added: tuple[str, ...] | None = None
    removed: tuple[str, ...] | None = None


def preview(  # noqa: PLR0913 - the facts that a preview depends on
    text: str,
    files: Iterable[FileFacts],
    *,
    now: datetime,
    parse: Callable[[str], PackageQuery] = PackageQuery.parse,
    token: Token | None = None,
    repository: str = "",
) -> Preview:
    """What `text` opens of `files`; a blank text opens everything.

    Args:
        text: a package query.
        files: of the repository.
        now: aware, UTC.
        parse: reads a restriction.
        token: whose present restriction the new one is compared with; its freeze holds for both.
        repository: ``owner/slug``, where the token's restriction is looked up.

    Raises:
        QuerySyntaxError: when `text` is no package query.
        InvalidValue: when it is too long.
    """
    wanted, warnings = check_restriction(text, parse)
    frozen = None if token is None else token.updates_until
    present = list(files)
    known = [facts for facts in present if frozen is None or facts.was_there(frozen)]
    seen = _opened(wanted, known, now, parse)
    after = [facts.filename for facts in seen]
    before: list[str] | None = None
    if token is not None:
        grant = token.grant_in(repository)
        so_far = [] if grant is None else _opened(grant.limit_package_query, known, now, parse)
        before = [facts.filename for facts in so_far]
    return Preview(
        files=tuple(after),
        projects=tuple(sorted({str(facts.name) for facts in seen})),
        warnings=(*warnings, *hidden_dependencies(seen, {facts.name for facts in present})),
        added=None if before is None else _without(after, before),
        removed=None if before is None else _without(before, after),
    )


def hidden_dependencies(
    covered: Iterable[FileFacts], present: Collection[NormalizedName]
) -> tuple[str, ...]:
    """What the newest covered file of each project needs that is the vendor's and not covered.

    Args:
        covered: the files that a token sees.
        present: the projects of the repository.

    Returns:
        One sentence for each such dependency, the first five; extras are left out.
    """
    hidden = {name: facts for name, facts in lacking(covered).items() if name in present}
    return tuple(
        f"{facts.name} {facts.version} needs {name}, which is yours and not covered: it cannot be"
        f" installed, or with somebody else's {name} where a client has a second index."
        for name, facts in sorted(hidden.items())[:_MOST]
    )


def lacking(files: Iterable[FileFacts]) -> dict[NormalizedName, FileFacts]:
    """What the newest file of each project needs that is not among `files`, and which one needs it.

    Extras are left out: not everybody installs them.
    """
    newest: dict[NormalizedName, FileFacts] = {}
    for facts in files:
        if facts.name not in newest or facts.version > newest[facts.name].version:
            newest[facts.name] = facts
    return {
        name: facts
        for facts in newest.values()
        for one in facts.dependencies
        if (name := canonicalize_name(one.name)) not in newest
        and "extra" not in str(one.marker or "")
    }


def _opened(
    text: str | None,
    files: Iterable[FileFacts],
    now: datetime,
    parse: Callable[[str], PackageQuery],
) -> list[FileFacts]:
    matches = (lambda _: True) if text is None else parse(text).predicate(now)
    return [facts for facts in files if matches(facts)]


def _without(names: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    left_out = set(others)
    return tuple(name for name in names if name not in left_out)
