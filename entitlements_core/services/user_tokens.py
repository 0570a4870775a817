"""Use cases of user tokens: a user of the host gets one, and loses it with the permission to read.

They come about when a permitted user asks for one, open what the user may read, and cannot be
edited (Cloudsmith, "User Entitlement Tokens").
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from entitlements_core.errors import Refused
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.terms import Terms
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.host_binding import HostBinding
from entitlements_core.services.operations import Operations
from entitlements_core.services.token_issuer import Draft, Issued, Issuer
from entitlements_core.services.token_revocation import delete_token

if TYPE_CHECKING:
    from entitlements_core.store.unit_of_work import UnitOfWork

__all__ = ["UserTokens"]

UserMayRead = Callable[[str, str], bool | None]
"""Whether a user may read a repository; None when nobody can tell."""


class UserTokens:
    """Tokens of the host's users.

    Args:
        operations: begins the transactions.
        issuer: makes the tokens.
        binding: asks the host what a token is made for.
        user_may_read: asks the host. It is called outside of any transaction.
    """

    def __init__(
        self,
        operations: Operations,
        issuer: Issuer,
        binding: HostBinding,
        user_may_read: UserMayRead,
    ) -> None:
        self._operations = operations
        self._issuer = issuer
        self._binding = binding
        self._may_read = user_may_read

    def get(self, user: str, repository: str, *, actor: Actor | None = None) -> Issued:
        """The token of `user` for `repository`; made when there is none.

        A token that the vendor disabled is given as it is; one that was made for an earlier account
        of this name, or an earlier repository, is not given. The secret is None where secrets are
        not kept and the token was there before: a refresh makes a new one.

        Args:
            user: of the host.
            repository: ``owner/slug``.
            actor: an administrator who asks for the user, or None for the user. Where the host
                cannot be asked, as at a command line, an administrator's word is enough: at every
                request the token opens only what the host says that its user may read.

        Raises:
            NotFound: when there is no such repository.
            Refused: when the repository has no user tokens, the host says that the user may not
                read it, or it says nothing and the user asks.
            InvalidValue: when `user` is no name.
        """
        with self._operations.database.read() as unit:
            enabled = unit.repositories.get(repository).user_tokens_enabled
        if not enabled:
            raise Refused(
                f"The repository {repository} has no user tokens.",
                "Ask an administrator to enable them for it.",
            )
        may_read = self._may_read(user, repository)
        if may_read is False or (may_read is None and actor is None):
            raise Refused(
                f"The user {user!r} may not read {repository}, as far as this server can tell.",
                "Ask an administrator for permission to read it.",
            )
        grant = self._binding.bound(TokenGrant(repository=repository), user)
        with self._operations.database.read() as unit:
            found = self._existing(unit, user, grant)
        return found or self._make(user, grant, actor or Actor(user, ActorKind.USER))

    def cleanup(
        self, *, actor: Actor, repository: str = "", dry_run: bool = True
    ) -> tuple[Token, ...]:
        """Delete the user tokens whose user may no longer read their repository, or is another one.

        They open nothing any more, so this only tidies up. Where the host cannot tell, a token is
        kept: deletion is final, and the host may only be unwell.

        Args:
            actor: who asks.
            repository: ``owner/slug``, or empty for all.
            dry_run: only tell which they are.

        Raises:
            NotFound: when there is no such repository.
        """
        with self._operations.database.read() as unit:
            tokens = unit.tokens.user_tokens(repository)
        lost = tuple(token for token in tokens if self._lost(token))
        if dry_run or not lost:
            return lost
        with self._operations.begin(actor) as operation:
            deleted = []
            for token in lost:
                now = operation.unit.tokens.get(token.identifier)
                if now.state is State.DELETED:
                    continue  # meanwhile, by somebody else
                deleted.append(delete_token(operation, now))
            return tuple(deleted)

    def _lost(self, token: Token) -> bool:
        return all(
            self._may_read(token.user, grant.repository) is False
            or self._binding.is_orphaned(grant, token.user)
            for grant in token.grants
        )

    def _existing(self, unit: "UnitOfWork", user: str, grant: TokenGrant) -> Issued | None:
        tokens = unit.tokens.of_user(user, grant.repository)
        token = next((one for one in tokens if _is_bound_alike(one, grant)), None)
        if token is None:
            return None
        secret = self._issuer.unsealed(unit.secrets.sealed(token.identifier))
        return Issued(token=token, secret=secret)

    def _make(self, user: str, grant: TokenGrant, actor: Actor) -> Issued:
        draft = Draft(
            terms=Terms(name=user, owner=grant.repository.partition("/")[0]),
            grants=(grant,),
            kind=CredentialKind.USER,
            user=user,
        )
        with self._operations.begin(actor) as operation:
            # The same user may have asked twice at once.
            found = self._existing(operation.unit, user, grant)
            return found or self._issuer.issue(operation, draft)


def _is_bound_alike(token: Token, grant: TokenGrant) -> bool:
    """Whether a token is of the repository and the account that are there now, as far as known."""
    found = token.grant_in(grant.repository)
    return found is not None and (not found.mark or not grant.mark or found.mark == grant.mark)
