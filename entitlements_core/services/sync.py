"""Use case: give one repository the tokens of another (Cloudsmith, "Synchronising").

Tokens are matched by their current secret, for that is what a customer holds. After a sync one
secret opens both repositories, but identifiers and counters are separate.

The default token of the destination cannot be deleted, and a repository has only one. Replacing
therefore lets it take over secret, terms and state of the source's default token, with fresh
counters; it is disabled when the source has none. Merging leaves both default tokens alone: each is
its repository's own.
A default token whose secret ends is disabled and has none until it is refreshed.

A token that opens source and destination both is the same token on both sides; it is kept. A token
of the destination that opens further repositories loses only this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.credential import State
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.host_binding import GONE, HostBinding
from entitlements_core.services.operations import Operation, Operations
from entitlements_core.services.sync_plan import Mode, SyncDifference, SyncPlan, plan_sync, terms_in
from entitlements_core.services.token_issuer import new_identifier
from entitlements_core.services.token_quota import check_quota
from entitlements_core.services.token_revocation import revoke_grant

__all__ = ["Sync"]


class Sync:
    """Synchronises the tokens of repositories.

    Args:
        operations: begins the transactions.
        binding: asks the host what a grant is made for.
        quota: how many active tokens an owner may have; None is no quota.
    """

    def __init__(
        self, operations: Operations, binding: HostBinding, *, quota: int | None = None
    ) -> None:
        self._operations = operations
        self._binding = binding
        self._quota = quota

    def run(
        self,
        source: str,
        destination: str,
        *,
        actor: Actor,
        mode: Mode = "replace",
        dry_run: bool = True,
    ) -> SyncDifference:
        """Give `destination` the tokens of `source`, user tokens included.

        Args:
            source: ``owner/slug``; nothing changes there.
            destination: ``owner/slug``.
            actor: who asks.
            mode: ``replace`` deletes the tokens of the destination and copies those of the source,
                with the same secrets, new identifiers and fresh counters. ``merge`` adds what is
                missing, gives tokens with the same secret the source's terms, and keeps the rest.
            dry_run: only tell what would be done.

        Raises:
            InvalidValue: when both are one, or there is no such mode.
            NotFound: when there is no such repository.
            Refused: when the quota of active tokens does not suffice; then nothing is changed.
        """
        _check(source, destination, mode)
        if dry_run:
            with self._operations.database.read() as unit:
                return plan_sync(unit, source, destination, mode).difference()
        bound = self._bound(source, destination)
        with self._operations.begin(actor) as operation:
            unit = operation.unit
            plan = plan_sync(unit, source, destination, mode)
            owner = destination.partition("/")[0]
            active = unit.tokens.count_active(owner)
            _SyncChanges(operation, source, destination, bound).run(plan, mode)
            if unit.tokens.count_active(owner) > active:
                check_quota(operation, owner, self._quota)
            difference = plan.difference(unit.tokens.living_in(destination))
            operation.record(
                "repository.synced",
                destination,
                after={"source": source, "mode": mode, "tokens": len(difference.tokens)},
            )
            return difference

    def _bound(self, source: str, destination: str) -> dict[str, TokenGrant]:
        """What each token of the source is bound to in the destination, by its identifier."""
        with self._operations.database.read() as unit:
            tokens = unit.tokens.living_in(source)
        by_user = {
            user: self._binding.bound(TokenGrant(repository=destination), user)
            for user in {token.user for token in tokens}
        }
        bound = {}
        for token in tokens:
            grant = token.grant_in(source) or TokenGrant(repository=source)
            # A copy of what is orphaned must not come alive.
            lost = self._binding.is_orphaned(grant, token.user)
            bound[token.identifier] = (
                TokenGrant(repository=destination, mark=GONE) if lost else by_user[token.user]
            )
        return bound


@dataclass(frozen=True, slots=True)
class _SyncChanges:
    """The changes of one sync.

    Attributes:
        bound: what each token of the source is bound to in the destination, by its identifier.
    """

    operation: Operation
    source: str
    destination: str
    bound: Mapping[str, TokenGrant]

    def run(self, plan: SyncPlan, mode: Mode) -> None:
        if mode == "merge":
            for here, there in plan.changed:
                self._take_over(here, there)
        else:
            self._clear(plan)
        for token in plan.added:
            self._copy(token)

    def _clear(self, plan: SyncPlan) -> None:
        """Replace: what was there goes, and its secrets are free for the copies."""
        for token in plan.removed:
            self._remove(token)
        # A token that opens both repositories is the same on both sides.
        pairs = [
            (here, there)
            for here, there in plan.changed + plan.kept
            if here.identifier != there.identifier
        ]
        for _, there in pairs:
            if not there.is_default:
                revoke_grant(self.operation, there, self.destination)
        # The default token first: it gives up a secret that a copy may need.
        for here, there in sorted(pairs, key=lambda pair: not pair[1].is_default):
            if there.is_default:
                self._take_over(here, there)
            else:
                self._copy(here)

    def _remove(self, token: Token) -> None:
        if not token.is_default:
            revoke_grant(self.operation, token, self.destination)
            return
        self.operation.unit.secrets.drop(token.identifier)
        self.operation.set_state(token.identifier, State.DISABLED)
        self.operation.record_token("token.disabled", token, token.identifier)

    def _copy(self, token: Token) -> None:
        """A new token with the terms, the state and the secrets of `token`."""
        unit, identifier = self.operation.unit, new_identifier()
        unit.tokens.insert(
            terms_in(self.destination, self.source, token),
            identifier=identifier,
            kind=token.kind,
            state=token.state,
            user=token.user,
            at=self.operation.now,
            by=self.operation.actor.name,
        )
        self._grant_like(token, identifier, is_default=token.is_default)
        self._secrets_like(token, identifier)
        self.operation.record_token(
            "token.created", None, identifier, extra={"copy_of": token.identifier}
        )

    def _take_over(self, here: Token, there: Token) -> None:
        """`there` becomes like `here`, under its own identifier."""
        unit, identifier = self.operation.unit, there.identifier
        self.operation.save(identifier, terms_in(self.destination, self.source, here))
        self.operation.set_state(identifier, here.state)
        self._grant_like(here, identifier, is_default=there.is_default)
        if there.is_default:
            unit.secrets.drop(identifier, self.destination)
            unit.tokens.zero_usage(identifier, at=self.operation.now)
        self._secrets_like(here, identifier)
        self.operation.record_token(
            "token.synced", there, identifier, extra={"copy_of": here.identifier}
        )

    def _grant_like(self, token: Token, identifier: str, *, is_default: bool) -> None:
        grant = token.grant_in(self.source) or TokenGrant(repository=self.source)
        bound = self.bound.get(token.identifier) or TokenGrant(repository=self.destination)
        copy = replace(
            bound,
            access=grant.access,
            limit_package_query=grant.limit_package_query,
            is_default=is_default,
        )
        self.operation.unit.tokens.set_grant(identifier, copy)

    def _secrets_like(self, token: Token, identifier: str) -> None:
        self.operation.unit.secrets.copy(
            token.identifier,
            identifier,
            self.destination,
            at=self.operation.now,
            origin=self.source,
        )


def _check(source: str, destination: str, mode: str) -> None:
    if source == destination:
        raise InvalidValue(
            "source",
            f"{source} cannot be synchronised with itself.",
            "Choose another repository as the source.",
        )
    if mode not in {"replace", "merge"}:
        raise InvalidValue("mode", f"{mode!r} is no mode of a sync.", "Use replace or merge.")
