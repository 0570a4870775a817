"""Use cases of licences: a repository's text in revisions, and its acceptance by a token's holder.

A licence stands between a token and the files when the token asks for it and the repository
enforces it; what counts is the revision with the highest number.
"""

import hashlib
from typing import Final

from entitlements_core.errors import Conflict, InvalidValue
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.terms import check_text
from entitlements_core.policy.token import Token
from entitlements_core.services.operations import Operations, require_living
from entitlements_core.services.token_issuer import new_identifier
from entitlements_core.store.records import EulaRevision

__all__ = ["EulaRevision", "EulaService"]

_LONGEST_CONTENT: Final = 1_000_000
_LONGEST_ADDRESS: Final = 64


class EulaService:
    """Licences of repositories.

    Args:
        operations: begins the transactions.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def add(self, repository: str, content: str, *, actor: Actor) -> EulaRevision:
        """Put a new revision in force: every token has to accept again.

        Args:
            repository: ``owner/slug``.
            content: plain text, 1 to 1,000,000 characters.
            actor: who asks.

        Raises:
            NotFound: when there is no such repository.
            InvalidValue: when the text cannot be kept.
        """
        text = check_text("content", content, longest=_LONGEST_CONTENT, required=True, lines=True)
        with self._operations.begin(actor) as operation:
            unit = operation.unit
            # Saving the repository tells the request path that its credentials changed.
            unit.repositories.save(unit.repositories.get(repository))
            earlier = unit.eulas.all(repository)
            revision = EulaRevision(
                repository=repository,
                number=earlier[0].number + 1 if earlier else 1,
                identifier=new_identifier(),
                content=text,
                sha256=hashlib.sha256(text.encode()).hexdigest(),
                created_at=operation.now,
                created_by=operation.actor.name,
            )
            unit.eulas.add(revision)
            operation.record(
                "eula.added",
                repository,
                after={"number": revision.number, "sha256": revision.sha256},
            )
            return revision

    def all(self, repository: str) -> tuple[EulaRevision, ...]:
        """The revisions of a repository, the one in force first.

        Raises:
            NotFound: when there is no such repository.
        """
        with self._operations.database.read() as unit:
            return unit.eulas.all(repository)

    def show(self, repository: str, number: int | None = None) -> EulaRevision:
        """One revision; the one in force when no number is given.

        Raises:
            NotFound: when there is none.
        """
        with self._operations.database.read() as unit:
            return unit.eulas.get(repository, number)

    def find(self, identifier: str) -> EulaRevision:
        """The revision with this public name.

        Raises:
            NotFound: when there is none.
        """
        with self._operations.database.read() as unit:
            return unit.eulas.by_identifier(identifier)

    def accept(
        self, token: str, repository: str, number: int, *, address: str, actor: Actor
    ) -> Token:
        """Note that the holder of `token` accepts the revision in force. Twice is as good as once.

        Args:
            token: its identifier.
            repository: ``owner/slug``.
            number: of the revision that was read.
            address: the client's.
            actor: who accepts.

        Raises:
            NotFound: when there is no such token in the repository, or no such revision.
            Conflict: when a later revision is in force.
            Refused: when the token is deleted.
        """
        address = check_text("address", address, longest=_LONGEST_ADDRESS)
        with self._operations.begin(actor) as operation:
            unit = operation.unit
            before = unit.tokens.get(token, repository)
            require_living(before)
            revision = unit.eulas.get(repository, number)
            current = unit.eulas.get(repository)
            if revision.number != current.number:
                raise Conflict(
                    f"Revision {number} of the licence of {repository} is no longer in force.",
                    f"Read and accept revision {current.number}.",
                )
            if not unit.eulas.accept(token, revision, at=operation.now, address=address):
                return before
            operation.touch(token)
            return operation.record_token(
                "token.eula_accepted",
                before,
                token,
                repository=repository,
                extra={"eula": number, "accepted_from": address},
            )

    def withdraw(self, token: str, repository: str, *, actor: Actor) -> Token:
        """Forget that the revision in force was accepted, so that it has to be accepted again.

        Raises:
            NotFound: when there is no such token in the repository, or no licence.
            InvalidValue: when it was not accepted.
        """
        with self._operations.begin(actor) as operation:
            unit = operation.unit
            before = unit.tokens.get(token, repository)
            revision = unit.eulas.get(repository)
            grant = before.grant_in(repository)
            if grant is None or not grant.eula.accepted:
                raise InvalidValue(
                    "token",
                    f"The token {token} has not accepted revision {revision.number}"
                    f" of the licence of {repository}.",
                    "Nothing has to be withdrawn.",
                )
            unit.eulas.withdraw(token, revision)
            operation.touch(token)
            return operation.record_token(
                "token.eula_withdrawn",
                before,
                token,
                repository=repository,
                extra={"eula": revision.number},
            )
