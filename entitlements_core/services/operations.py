"""What every change shares: one transaction, one moment, one actor, a line in the audit.

Plugins are told of it once it is stored.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from entitlements_core.errors import Refused
from entitlements_core.interfaces import Clock
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.events import TokenChange
from entitlements_core.policy.instants import instant
from entitlements_core.policy.terms import Terms, check_text
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.store.records import AuditEntry

if TYPE_CHECKING:  # who only reads a value of a service does without SQLAlchemy
    from entitlements_core.store.database import Database
    from entitlements_core.store.unit_of_work import UnitOfWork

__all__ = ["Operation", "Operations", "require_editable", "require_living"]

ChangeObserver = Callable[[TokenChange], None]
"""Told of every change of a token after it was stored."""

log: Final = logging.getLogger("entitlements.services")
_LONGEST_ACTOR: Final = 255


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation that is under way.

    Attributes:
        unit: its transaction.
        now: its moment, aware, UTC.
        actor: who asked for it.
        changes: what observers will be told.
    """

    unit: "UnitOfWork"
    now: datetime
    actor: Actor
    changes: list[TokenChange] = field(default_factory=list)

    def save(self, identifier: str, terms: Terms) -> None:
        """Replace the terms of a token."""
        self.unit.tokens.save(identifier, terms, at=self.now, by=self.actor.name)

    def set_state(self, identifier: str, state: State) -> None:
        """Turn the vendor's switch of a token."""
        self.unit.tokens.set_state(identifier, state, at=self.now, by=self.actor.name)

    def touch(self, identifier: str) -> None:
        """Note a change of something that belongs to a token."""
        self.unit.tokens.touch(identifier, at=self.now, by=self.actor.name)

    def record_token(
        self,
        action: str,
        before: Token | None,
        identifier: str,
        *,
        repository: str = "",
        extra: Mapping[str, object] | None = None,
    ) -> Token:
        """Write down what changed of a token, and give the token as it is now.

        Args:
            action: such as ``token.created``.
            before: the token before, or None when there was none.
            identifier: of the token.
            repository: the one concerned; needless for a token that opens a single one.
            extra: further facts, never a secret.
        """
        after = self.unit.tokens.get(identifier)
        old = {} if before is None else recorded_facts(before)
        new = recorded_facts(after)
        changed = [name for name in new if old.get(name) != new[name]]
        grants = (before or after).grants
        self.unit.audit.write(
            AuditEntry(
                at=self.now,
                actor=self.actor.name,
                action=action,
                repository=repository or (grants[0].repository if len(grants) == 1 else ""),
                token=identifier,
                before={name: old[name] for name in changed if name in old},
                after={name: new[name] for name in changed} | dict(extra or {}),
            )
        )
        self.changes.append(
            TokenChange(at=self.now, actor=self.actor.name, action=action, token=identifier)
        )
        return after

    def record(
        self,
        action: str,
        repository: str,
        *,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        """Write down a change of a repository."""
        self.unit.audit.write(
            AuditEntry(
                at=self.now,
                actor=self.actor.name,
                action=action,
                repository=repository,
                before=before or {},
                after=after or {},
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Begins operations.

    Attributes:
        database: where they happen.
        clock: tells their moment.
        on_change: told of every change after it was stored; it cannot undo or break anything.
    """

    database: "Database"
    clock: Clock
    on_change: ChangeObserver | None = None

    @contextmanager
    def begin(self, actor: Actor) -> Iterator[Operation]:
        """One operation: all of it is stored at the end of the block, or nothing.

        Raises:
            InvalidValue: when the actor's name cannot be kept.
            StoreError: when the database does not let us.
        """
        name = check_text("actor", actor.name, longest=_LONGEST_ACTOR, required=True)
        with self.database.begin() as unit:
            operation = Operation(unit, self.clock(), replace(actor, name=name))
            yield operation
        for change in operation.changes:
            self._tell(change)

    def _tell(self, change: TokenChange) -> None:
        if self.on_change is None:
            return
        try:
            self.on_change(change)
        except Exception:
            log.exception("An observer failed on %s of token %s.", change.action, change.token)


def require_living(token: Token) -> None:
    """Refuse an operation on a deleted token.

    Raises:
        Refused: deletion is final.
    """
    if token.state is State.DELETED:
        raise Refused(
            f"The token {token.identifier} is deleted, which is final.",
            "Create a new token.",
        )


def require_editable(token: Token) -> None:
    """Refuse an edit of a deleted token, or of a user's.

    Raises:
        Refused: when it is one.
    """
    require_living(token)
    if token.kind is CredentialKind.USER:
        raise Refused(
            f"The token {token.identifier} belongs to the user {token.user} and cannot be edited.",
            "Change the user's permissions, or disable or delete the token.",
        )


def recorded_facts(token: Token) -> dict[str, object]:
    """What the audit keeps of a token: its terms, its state and its grants; JSON, no secret."""
    facts = {item.name: _plain(getattr(token, item.name)) for item in fields(Terms)}
    grants = {
        grant.repository: {
            "access": grant.access.value,
            "limit_package_query": grant.limit_package_query,
            **_binding(grant),
        }
        for grant in token.grants
    }
    return facts | {
        "kind": token.kind.value,
        "state": token.state.value,
        "user": token.user,
        "grants": grants,
    }


def _binding(grant: TokenGrant) -> dict[str, object]:
    facts: dict[str, object] = {}
    if grant.mark:
        facts["mark"] = grant.mark
    if grant.bases:
        facts["bases"] = sorted(name for name, _ in grant.bases)
    return facts


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return instant(value)
    return list(value) if isinstance(value, tuple) else value
