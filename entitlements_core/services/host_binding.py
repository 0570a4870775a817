"""What ties a grant to its host: the repository it was made for, and the bases seen through it.

A name is not enough. A repository can be deleted and made again, by somebody else, and so can the
account of a user; what was granted before opens nothing then, until it is granted anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from entitlements_core.errors import InvalidValue
from entitlements_core.plugins import Plugins
from entitlements_core.policy.bases import RecordedBases, Unseen, unseen
from entitlements_core.policy.token import Token, TokenGrant

__all__ = ["GONE", "HostBinding"]

GONE: Final = "-"
"""The mark of a grant whose repository is gone for good: no host gives it."""


@dataclass(frozen=True, slots=True)
class HostBinding:
    """Asks the host what its repositories are now. Never to be asked within a transaction.

    Attributes:
        plugins: the host is among them; where none answers, nothing is bound and nothing orphaned.
    """

    plugins: Plugins

    def bound(self, grant: TokenGrant, user: str = "") -> TokenGrant:
        """`grant` as it is made now: bound to its repository, with the bases seen through it now.

        Args:
            grant: of its `bases`, which the vendor named, only the names are read.
            user: of a user token, which needs no record of bases; empty of every other.

        Raises:
            InvalidValue: when a base is named that the host does not have.
        """
        named = self.record(name for name, _ in grant.bases)
        present = frozenset[tuple[str, str]]() if user else self._present(grant.repository)
        mark = self.plugins.mark(grant.repository, user)
        return replace(grant, mark=mark or "", bases=named | present)

    def record(self, names: Iterable[str]) -> RecordedBases:
        """The bases of these names, as they are now.

        Raises:
            InvalidValue: naming the first that the host does not have.
        """
        return frozenset((name, self._mark_of_base(name)) for name in names)

    def is_orphaned(self, grant: TokenGrant, user: str = "") -> bool:
        """Whether another repository or account has the name now, or none; no if nobody tells."""
        mark = self.plugins.mark(grant.repository, user) if grant.mark else None
        return mark is not None and mark != grant.mark

    def orphaned(self, token: Token) -> frozenset[str]:
        """The repositories of a token in which its grant is orphaned."""
        return frozenset(
            grant.repository for grant in token.grants if self.is_orphaned(grant, token.user)
        )

    def unseen(self, grant: TokenGrant, user: str = "") -> dict[str, Unseen]:
        """The bases that are not seen through a grant now, and why."""
        bases = self.plugins.bases(grant.repository, user)
        return unseen(grant.repository, bases, None if user else grant.bases)

    def warnings(self, grant: TokenGrant, user: str = "") -> tuple[str, ...]:
        """What a grant does not open now, one sentence each: its repository, or bases of it."""
        hidden = sorted(self.unseen(grant, user).items())
        return (
            *(() if grant.mark else self.missing(grant.repository, user)),
            *(f"The base {name} is not seen: {why}." for name, why in hidden),
        )

    def missing(self, repository: str, user: str = "") -> tuple[str, ...]:
        """A warning about a grant of a repository that the host does not have; none if it has."""
        if self.plugins.mark(repository, user) != "":
            return ()
        found = f"The host has no {repository} now: check the name."
        return (
            f"{found} The grant will open the first repository that gets it, whoever makes it.",
        )

    def seen(self, grant: TokenGrant, user: str = "") -> frozenset[str] | None:
        """The bases that are seen through a grant now; None where all are."""
        bases = self.plugins.bases(grant.repository, user)
        hidden = unseen(grant.repository, bases, None if user else grant.bases)
        return frozenset(base.name for base in bases) - set(hidden) if hidden else None

    def _present(self, repository: str) -> RecordedBases:
        """The bases that whoever answers for a new grant may read now."""
        bases = self.plugins.bases(repository, "")
        hidden = unseen(repository, bases, None)
        return frozenset((base.name, base.mark) for base in bases if base.name not in hidden)

    def _mark_of_base(self, name: str) -> str:
        mark = self.plugins.mark(name, "")
        if mark:
            return mark
        if mark is None:
            raise InvalidValue(
                "base",
                f"{name!r} cannot be recorded as a base: no host with bases can be asked here.",
                "Only devpi-server has bases; run the command where its data are.",
            )
        raise InvalidValue(
            "base",
            f"{name!r} cannot be recorded as a base: the host has no such repository.",
            "Check the name (owner/slug).",
        )
