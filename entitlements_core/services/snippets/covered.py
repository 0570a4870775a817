"""Which packages a customer installs, and which names are the vendor's as far as that matters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.facts import FileFacts, FileKind

__all__ = ["Covered", "covered"]

MOST: Final = 8
"""So many packages at most are named unless they are chosen."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What of a repository concerns a customer.

    Attributes:
        packages: to install.
        own: all names that these can bring with them and that the vendor's index has.
        filename: the newest file of the first of `packages`; empty without any.
        others: how many further packages there are on which no other one depends.
    """

    packages: tuple[NormalizedName, ...]
    own: tuple[NormalizedName, ...]
    filename: str = ""
    others: int = 0


def covered(files: Iterable[FileFacts], chosen: Sequence[str] = ()) -> Covered:
    """What a token's files come to.

    Args:
        files: that the token covers.
        chosen: packages to install; empty is all on which no other one depends.

    Raises:
        InvalidValue: when one that is chosen is not covered.
    """
    needs: dict[NormalizedName, set[NormalizedName]] = {}
    newest: dict[NormalizedName, FileFacts] = {}
    for facts in files:
        found = needs.setdefault(facts.name, set())
        found.update(canonicalize_name(one.name) for one in facts.dependencies)
        newest[facts.name] = max(facts, newest.get(facts.name, facts), key=_newness)
    needs = {name: found & needs.keys() - {name} for name, found in needs.items()}
    wanted = tuple(dict.fromkeys(map(canonicalize_name, chosen)))
    unknown = next((name for name in wanted if name not in needs), None)
    if unknown is not None:
        raise InvalidValue(
            "package",
            f"The token does not cover {unknown}.",
            f"It covers {', '.join(sorted(needs)[:20]) or 'nothing'}.",
        )
    if not wanted:
        needed = set().union(*needs.values())
        # Where all depend on each other there is no first one.
        wanted = tuple(sorted(needs.keys() - needed or needs.keys()))
    packages = wanted if chosen else wanted[:MOST]
    return Covered(
        packages,
        _with_dependencies(packages, needs),
        filename=newest[packages[0]].filename if packages else "",
        others=len(wanted) - len(packages),
    )


def _newness(facts: FileFacts) -> tuple[Version, bool]:
    return facts.version, facts.kind is FileKind.WHEEL


def _with_dependencies(
    names: Iterable[NormalizedName], needs: dict[NormalizedName, set[NormalizedName]]
) -> tuple[NormalizedName, ...]:
    found: dict[NormalizedName, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = None
            waiting += sorted(needs[name])
    return tuple(found)
