"""What a sync would do, token by token; nothing is changed here."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from entitlements_core.policy.terms import Terms
from entitlements_core.policy.token import Token, TokenGrant

if TYPE_CHECKING:
    from entitlements_core.store.unit_of_work import UnitOfWork

__all__ = ["Mode", "SyncDifference", "SyncPlan", "plan_sync", "terms_in"]

Mode = Literal["replace", "merge"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncDifference:
    """What a sync does, or would do.

    Attributes:
        added: tokens of the source whose secret does not open the destination yet.
        changed: pairs of source and destination with one secret, but other terms.
        kept: tokens of the destination whose secret goes on with the same terms.
        removed: tokens of the destination whose secret ends.
        tokens: the living tokens of the destination afterwards; empty for a dry run.
    """

    added: tuple[Token, ...] = ()
    changed: tuple[tuple[Token, Token], ...] = ()
    kept: tuple[Token, ...] = ()
    removed: tuple[Token, ...] = ()
    tokens: tuple[Token, ...] = ()


@dataclass(slots=True)
class SyncPlan:
    """What to do, token by token; pairs are of source and destination."""

    added: list[Token] = field(default_factory=list)
    changed: list[tuple[Token, Token]] = field(default_factory=list)
    kept: list[tuple[Token, Token]] = field(default_factory=list)
    removed: list[Token] = field(default_factory=list)

    def difference(self, tokens: Sequence[Token] = ()) -> SyncDifference:
        """The same for who asked; `tokens` are those of the destination afterwards."""
        return SyncDifference(
            added=tuple(self.added),
            changed=tuple(self.changed),
            kept=tuple(there for _, there in self.kept),
            removed=tuple(self.removed),
            tokens=tuple(tokens),
        )


def plan_sync(unit: "UnitOfWork", source: str, destination: str, mode: Mode) -> SyncPlan:
    """What a sync of two repositories comes to now.

    Raises:
        NotFound: when there is no such repository.
    """
    here, there = _Side.read(unit, source), _Side.read(unit, destination)
    plan = SyncPlan()
    if mode == "replace":
        _plan_default(here.default, there.default, plan)
    for digest, token in here.tokens.items():
        match = there.tokens.get(digest)
        if token.is_default or (match is not None and match.is_default):
            # Default tokens were planned for, or are left alone.
            _plan_beside_default(token, match, mode, plan)
        elif match is not None:
            same = token.identifier == match.identifier or here.likeness(
                token, destination
            ) == there.likeness(match, destination)
            (plan.kept if same else plan.changed).append((token, match))
        elif mode == "replace" or token.user not in there.users:
            plan.added.append(token)
    if mode == "replace":
        gone = [token for digest, token in there.tokens.items() if digest not in here.tokens]
        plan.removed += [token for token in gone if not token.is_default]
    return plan


def _plan_default(here: Token | None, there: Token | None, plan: SyncPlan) -> None:
    if here is None and there is not None:
        plan.removed.append(there)
    elif here is not None and there is not None:
        plan.changed.append((here, there))
    elif here is not None:
        plan.added.append(here)


def _plan_beside_default(here: Token, there: Token | None, mode: Mode, plan: SyncPlan) -> None:
    """One secret is a default token's on one side and another token's on the other."""
    if mode == "merge":
        return
    if not here.is_default:
        plan.added.append(here)
    elif there is not None and not there.is_default:
        plan.removed.append(there)


@dataclass(frozen=True, slots=True)
class _Side:
    """The living tokens of one repository.

    Attributes:
        tokens: by their current secret.
        default: the default token, whether or not it has a secret.
        users: who has a user token.
    """

    repository: str
    tokens: dict[bytes, Token]
    default: Token | None
    users: frozenset[str]

    @classmethod
    def read(cls, unit: "UnitOfWork", repository: str) -> "_Side":
        living = {token.identifier: token for token in unit.tokens.living_in(repository)}
        secrets = unit.secrets.current_in(repository)
        return cls(
            repository,
            {digest: living[identifier] for digest, identifier in secrets.items()},
            next((token for token in living.values() if token.is_default), None),
            frozenset(token.user for token in living.values() if token.user),
        )

    def likeness(self, token: Token, destination: str) -> tuple[object, ...]:
        """What has to be equal for two tokens to be kept as they are."""
        grant = token.grant_in(self.repository) or TokenGrant(repository=self.repository)
        terms = terms_in(destination, self.repository, token)
        return terms, token.state, grant.access, grant.limit_package_query


def terms_in(destination: str, source: str, token: Token) -> Terms:
    """The terms of a copy; it counts on the quota of its own repository's owner."""
    if token.owner != source.partition("/")[0]:
        return token.terms
    return replace(token.terms, owner=destination.partition("/")[0])
