"""Making tokens and their secrets, whoever asks for one."""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from entitlements_core.interfaces import Sealer
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.query import PackageQuery
from entitlements_core.policy.secret import IDENTIFIER_LENGTH, check_custom, weakness
from entitlements_core.policy.terms import Terms, check_restriction, checked
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.keyring import new_secret
from entitlements_core.services.operations import Operation

__all__ = ["Draft", "Issued", "Issuer", "new_identifier"]

_ALPHABET: Final = string.ascii_letters + string.digits


def new_identifier() -> str:
    """A public name of 12 letters and digits, as long as Cloudsmith's ``slug_perm``."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(IDENTIFIER_LENGTH))


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token with its secret.

    Attributes:
        secret: in clear, to be handed over; None where it is not kept and was not just made.
        warnings: what whoever asked should know, one sentence each.
    """

    token: Token
    secret: str | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Issued({self.token.identifier!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A token to be made.

    Attributes:
        grants: what it opens; at least one, at most one for each repository.
    """

    terms: Terms
    grants: tuple[TokenGrant, ...]
    kind: CredentialKind = CredentialKind.STANDARD
    state: State = State.ENABLED
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Makes tokens and secrets.

    Attributes:
        sealer: the server's key.
        seal_secrets: keep secrets encrypted, so that they can be shown again.
        parse: reads a restriction.
    """

    sealer: Sealer
    seal_secrets: bool = True
    parse: Callable[[str], PackageQuery] = PackageQuery.parse

    def issue(self, operation: Operation, draft: Draft, custom: str | None = None) -> Issued:
        """Make a token with a custom or a generated secret.

        Raises:
            InvalidValue: when the draft or the secret does not fit.
            Conflict: when the secret is already used in one of the repositories.
            NotFound: when there is no such repository.
        """
        tokens, identifier = operation.unit.tokens, new_identifier()
        tokens.insert(
            checked(draft.terms),
            identifier=identifier,
            kind=draft.kind,
            state=draft.state,
            user=draft.user,
            at=operation.now,
            by=operation.actor.name,
        )
        warnings: tuple[str, ...] = ()
        for grant in draft.grants:
            warnings += self.put_grant(operation, identifier, grant)
        issued = self.put_secret(operation, identifier, custom)
        token = operation.record_token("token.created", None, identifier)
        return replace(issued, token=token, warnings=issued.warnings + warnings)

    def put_grant(
        self, operation: Operation, identifier: str, grant: TokenGrant
    ) -> tuple[str, ...]:
        """Make or replace a grant of a token; gives the warnings about its restriction.

        Raises:
            QuerySyntaxError, InvalidValue: when the restriction does not fit.
            NotFound: when there is no such repository.
        """
        text, warnings = check_restriction(grant.limit_package_query, self.parse)
        kept = replace(grant, limit_package_query=text)
        operation.unit.tokens.set_grant(identifier, kept)
        return warnings

    def put_secret(
        self,
        operation: Operation,
        identifier: str,
        custom: str | None = None,
        *,
        previous_until: datetime | None = None,
    ) -> Issued:
        """Give a token a new secret in all its repositories.

        Args:
            operation: the one under way.
            identifier: of the token.
            custom: the secret, or None to let one be generated.
            previous_until: aware, exclusive: until when the secrets so far go on; None ends them.

        Raises:
            InvalidValue: when the custom secret breaks the rules.
            Conflict: when it is already used in one of the repositories.
        """
        secret = new_secret() if custom is None else check_custom(custom)
        weak = None if custom is None else weakness(custom)
        token = operation.unit.tokens.get(identifier)
        operation.unit.secrets.put(
            identifier,
            [grant.repository for grant in token.grants],
            self.sealer.digest(secret),
            sealed=self.sealer.seal(secret) if self.seal_secrets else None,
            at=operation.now,
            previous_until=previous_until,
        )
        return Issued(token=token, secret=secret, warnings=() if weak is None else (weak,))

    def unsealed(self, sealed: bytes | None) -> str | None:
        """The secret in clear; None where it is not kept.

        Raises:
            KeyFileError: when it was sealed with another key.
        """
        return None if sealed is None else self.sealer.unseal(sealed)
