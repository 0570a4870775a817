"""Use cases of a token's secret: set, refresh, reveal.

A replaced secret is dead from the next request on, in every repository and on every node. Only a
refresh that asks for an overlap lets it live on, for as long as it says.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from entitlements_core.errors import InvalidValue, Refused
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.credential import CredentialKind
from entitlements_core.policy.instants import instant
from entitlements_core.services.operations import Operations, require_living
from entitlements_core.services.token_issuer import Issued, Issuer

if TYPE_CHECKING:
    from entitlements_core.store.records import FormerSecret

__all__ = ["Rotation"]

LONGEST_OVERLAP: Final = timedelta(days=366)


class Rotation:
    """What a vendor does with the secret of a token. Each method is one transaction.

    Args:
        operations: begins the transactions.
        issuer: makes the secrets.
    """

    def __init__(self, operations: Operations, issuer: Issuer) -> None:
        self._operations = operations
        self._issuer = issuer

    def set_secret(
        self, identifier: str, secret: str, *, actor: Actor, repository: str = ""
    ) -> Issued:
        """Replace the secret by a custom one; all earlier ones end at once.

        Raises:
            NotFound: when there is no such token.
            InvalidValue: when the secret breaks the rules; the text never repeats it.
            Conflict: when another token uses it in one of the token's repositories.
            Refused: when the token is deleted or a user's.
        """
        return self._replace(identifier, repository, actor, "token.secret_set", custom=secret)

    def refresh(
        self,
        identifier: str,
        *,
        actor: Actor,
        overlap: timedelta | None = None,
        repository: str = "",
    ) -> Issued:
        """Replace the secret by a generated one.

        Args:
            identifier: of the token.
            actor: who asks.
            overlap: how long the secrets so far go on, more than zero and at most 366 days. None
                ends them at once, those of an earlier overlap included.
            repository: one that the token has to open, or empty.

        Raises:
            NotFound: when there is no such token.
            InvalidValue: when the overlap is out of bounds.
            Refused: when the token is deleted.
        """
        if overlap is not None and not timedelta(0) < overlap <= LONGEST_OVERLAP:
            raise InvalidValue(
                "overlap",
                f"The old secret cannot go on for {overlap}.",
                f"Use more than nothing and at most {LONGEST_OVERLAP.days} days, or no overlap.",
            )
        return self._replace(identifier, repository, actor, "token.refreshed", overlap=overlap)

    def owners(self, secret: str) -> tuple[str, ...]:
        """The identifiers of the tokens whose secret this is; a secret may open several."""
        with self._operations.database.read() as unit:
            return unit.secrets.owners(self._issuer.sealer.digest(secret))

    def reveal(self, identifier: str, *, actor: Actor, repository: str = "") -> str:
        """The current secret in clear. That it was shown, and to whom, is written down.

        Raises:
            NotFound: when there is no such token.
            Refused: when it is deleted, or its secret was not kept.
            KeyFileError: when the secret was sealed with another key.
        """
        with self._operations.begin(actor) as operation:
            token = operation.unit.tokens.get(identifier, repository)
            require_living(token)
            secret = self._issuer.unsealed(operation.unit.secrets.sealed(identifier))
            if secret is None:
                raise Refused(
                    f"The secret of token {identifier} cannot be shown: it was not kept.",
                    "Refresh the token for a new secret; turn sealing on to have it kept.",
                )
            operation.record_token("token.revealed", token, identifier)
            return secret

    def previous(self, identifier: str) -> tuple["FormerSecret", ...]:
        """The former secrets that go on, the first to end first; none where there is no such token.

        A secret that ends with the next one, and not with a moment, is no former one.
        """
        now = self._operations.clock()
        with self._operations.database.read() as unit:
            return unit.secrets.former(identifier, at=now)

    def _replace(  # noqa: PLR0913, PLR0917 - one place for both ways to replace a secret
        self,
        identifier: str,
        repository: str,
        actor: Actor,
        action: str,
        custom: str | None = None,
        overlap: timedelta | None = None,
    ) -> Issued:
        with self._operations.begin(actor) as operation:
            before = operation.unit.tokens.get(identifier, repository)
            require_living(before)
            if custom is not None and before.kind is CredentialKind.USER:
                raise Refused(
                    f"The token {identifier} belongs to the user {before.user}"
                    " and cannot be given a secret.",
                    "Refresh it for a new one.",
                )
            until = None if overlap is None else operation.now + overlap
            issued = self._issuer.put_secret(operation, identifier, custom, previous_until=until)
            operation.touch(identifier)
            token = operation.record_token(action, before, identifier, extra=_until(until))
            return replace(issued, token=token)


def _until(moment: datetime | None) -> dict[str, object]:
    return {} if moment is None else {"previous_until": instant(moment)}
