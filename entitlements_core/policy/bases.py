"""Which repositories a credential sees through the one that it opens.

An index can inherit from others, and whoever may change it chooses them. What it inherits is seen
only as far as somebody answers for it: whoever made the grant, which keeps what there was to see
then, and the owner of the repository, or the user of a user token, who may read it now.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Base", "RecordedBases", "Unseen", "unseen", "why_unseen"]

RecordedBases = frozenset[tuple[str, str]]
"""The bases that a grant was made with: name and mark of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A repository that another one inherits from.

    Attributes:
        name: ``owner/slug``.
        mark: of the repository as it is now; a later one of the same name has another.
        named_by: the repositories whose own configuration names it.
        is_open: everybody may read it, without a login.
        is_readable: whoever answers for the credential may read it: the user of a user token, else
            the owner of the repository that inherits.
    """

    name: str
    mark: str
    named_by: frozenset[str] = frozenset()
    is_open: bool = False
    is_readable: bool = False


class Unseen(StrEnum):
    """Why a base is not seen, in words that end a sentence about it."""

    UNREADABLE = "who answers for the token may not read it"
    NOT_RECORDED = "the grant was made without it"
    REPLACED = "it was made again since the grant was made"
    BEHIND = "it is inherited only through others that are not seen"


def why_unseen(base: Base, record: RecordedBases | None) -> Unseen | None:
    """Why a base is not seen by itself; None when it is.

    Args:
        base: the one in question.
        record: of the grant; None for a user token, which opens what its user may read.
    """
    if base.is_open:
        return None
    if not base.is_readable:
        return Unseen.UNREADABLE
    if record is None or (base.name, base.mark) in record:
        return None
    known = any(name == base.name for name, _ in record)
    return Unseen.REPLACED if known else Unseen.NOT_RECORDED


def unseen(
    repository: str, bases: Iterable[Base], record: RecordedBases | None
) -> dict[str, Unseen]:
    """The bases of a repository that are not seen, and why.

    Args:
        repository: that is opened.
        bases: all that it inherits from, directly or through others.
        record: as for `why_unseen`.
    """
    left = {base.name: base for base in bases}
    hidden = {name: why for name, base in left.items() if (why := why_unseen(base, record))}
    reached, found = {repository}, {repository}
    while found:
        found = {
            name
            for name, base in left.items()
            if name not in hidden and name not in reached and base.named_by & reached
        }
        reached |= found
    return {name: hidden.get(name, Unseen.BEHIND) for name in left if name not in reached}
