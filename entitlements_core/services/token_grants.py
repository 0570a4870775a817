"""Use cases of what a token opens: grant it a repository, revoke that, grant it anew.

A grant that has lost its repository, or bases of it, is granted anew only by command: a repository
that was made again may be somebody else's.
"""

from dataclasses import replace
from typing import Unpack

from entitlements_core.errors import Refused
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.host_binding import GONE, HostBinding
from entitlements_core.services.operations import (
    Operation,
    Operations,
    require_editable,
    require_living,
)
from entitlements_core.services.token_changes import (
    Edited,
    GrantChanges,
    check_fields,
    checked_access,
)
from entitlements_core.services.token_issuer import Issuer
from entitlements_core.services.token_revocation import revoke_grant

__all__ = ["TokenGrants"]


class TokenGrants:
    """The grants of tokens, bound to the repositories that the host has now.

    Args:
        operations: begins the transactions.
        issuer: reads restrictions.
        binding: asks the host, outside of any transaction.
    """

    def __init__(self, operations: Operations, issuer: Issuer, binding: HostBinding) -> None:
        self._operations = operations
        self._issuer = issuer
        self._binding = binding

    def grant(
        self, identifier: str, repository: str, *, actor: Actor, **changes: Unpack[GrantChanges]
    ) -> Edited:
        """Let a token open one repository more, or change what it opens there.

        Its secrets open the new repository, too.

        Args:
            identifier: of the token.
            repository: ``owner/slug``.
            actor: who asks.
            changes: restriction and access stay where they are left out. The bases are always those
                that the repository has now, and the ones that are named.

        Raises:
            NotFound: when there is no such token or repository.
            InvalidValue: when the restriction does not fit, or a change is of no field.
            Conflict: when another token uses one of its secrets in that repository.
            Refused: when it is deleted, a user's, or the default token of another repository.
        """
        check_fields(changes, GrantChanges)
        named = frozenset((name, "") for name in changes.get("bases") or ())
        bound = self._binding.bound(TokenGrant(repository=repository, bases=named))
        missing = self._binding.missing(repository)
        with self._operations.begin(actor) as operation:
            before = operation.unit.tokens.get(identifier)
            require_editable(before)
            there = before.grant_in(repository)
            if before.is_default and there is None:
                raise Refused(
                    f"The default token of {before.grants[0].repository} opens only that.",
                    "Create a token of its own for several repositories.",
                )
            known = there or bound
            granted = replace(
                bound,
                access=checked_access(changes.get("access", known.access)),
                limit_package_query=changes.get("limit_package_query", known.limit_package_query),
                is_default=known.is_default,
            )
            warnings = self._issuer.put_grant(operation, identifier, granted)
            operation.unit.secrets.extend(identifier, repository, at=operation.now)
            operation.touch(identifier)
            token = operation.record_token(
                "token.granted", before, identifier, repository=repository
            )
        return Edited(token=token, warnings=(*warnings, *missing))

    def revoke(self, identifier: str, repository: str, *, actor: Actor) -> Token:
        """Close one of several repositories to a token.

        Raises:
            NotFound: when there is no such token, or it does not open `repository`.
            Refused: when it opens nothing else, is deleted or is a user's.
        """
        with self._operations.begin(actor) as operation:
            before = operation.unit.tokens.get(identifier, repository)
            require_editable(before)
            if len(before.grants) == 1:
                raise Refused(
                    f"The token {identifier} opens only {repository}.",
                    "Disable or delete the token instead.",
                )
            return revoke_grant(operation, before, repository)

    def renew_token(self, identifier: str, *, actor: Actor, repository: str = "") -> Token:
        """Grant anew what a token opens, in all its repositories or in one.

        Each grant is bound to the repository of that name as it is now (a user token to the account
        as well), and the bases that it inherits from now are recorded. Restriction and access stay.

        Raises:
            NotFound: when there is no such token, or it does not open `repository`.
            Refused: when it is deleted, or the host does not have the repository.
        """
        with self._operations.database.read() as unit:
            before = unit.tokens.get(identifier, repository)
        require_living(before)
        wanted = [grant for grant in before.grants if repository in {"", grant.repository}]
        renewed = [self._renewed(grant, before.user) for grant in wanted]
        with self._operations.begin(actor) as operation:
            now = operation.unit.tokens.get(identifier)
            require_living(now)
            for grant in renewed:
                _write(operation, now, grant)
            return operation.record_token("token.regranted", now, identifier, repository=repository)

    def renew_repository(self, name: str, *, actor: Actor) -> tuple[Token, ...]:
        """Grant anew what the tokens of a repository open there, the users' own left out.

        Raises:
            NotFound: when there is no such repository.
            Refused: when the host does not have it.
        """
        with self._operations.database.read() as unit:
            tokens = [one for one in unit.tokens.living_in(name) if not one.user]
        return tuple(
            self.renew_token(token.identifier, actor=actor, repository=name) for token in tokens
        )

    def adopt(self, *, actor: Actor) -> int:
        """Bind the grants that are bound to nothing yet. No bases are recorded.

        For a host at its start. A grant from before there were marks, for a repository that the
        host does not have now, will open none that is made later; others wait for theirs.

        Returns:
            How many grants were bound.
        """
        with self._operations.database.read() as unit:
            found = unit.tokens.unbound()
        bound = 0
        for grants in found:
            mark = self._binding.plugins.mark(grants.repository, grants.user)
            if mark == "" and grants.is_old:
                mark = GONE
            if not mark:
                continue
            # All at once: after an upgrade there are as many as the vendor has customers.
            with self._operations.begin(actor) as operation:
                count = operation.unit.tokens.bind(grants, mark)
                after = {"grants": count, "user": grants.user, "mark": mark}
                operation.record("repository.bound", grants.repository, after=after)
                bound += count
        return bound

    def bind(self, identifier: str, repository: str, mark: str, *, actor: Actor) -> str | None:
        """Bind one grant that is bound to nothing yet; gives the mark that it has then.

        None when the grant is gone. One that is bound stays as it is, and so does whatever somebody
        else bound meanwhile.

        Raises:
            StoreError: when it cannot be written.
        """
        with self._operations.begin(actor) as operation:
            token = operation.unit.tokens.get(identifier)
            grant = token.grant_in(repository)
            if grant is None or grant.mark:
                return None if grant is None else grant.mark
            _write(operation, token, replace(grant, mark=mark))
            operation.record_token("token.bound", token, identifier, repository=repository)
            return mark

    def _renewed(self, grant: TokenGrant, user: str) -> TokenGrant:
        present = self._binding.bound(replace(grant, bases=frozenset()), user)
        if not present.mark and self._binding.plugins.mark(grant.repository, user) is None:
            raise Refused(
                f"No host can be asked here which repository {grant.repository} is.",
                "Only devpi-server's indexes are granted anew; run the command where its data are.",
            )
        if not present.mark:
            lacking = f"{grant.repository}, or the account {user}," if user else grant.repository
            raise Refused(f"The host does not have {lacking} now.", "Make it first.")
        if grant.mark and grant.mark != present.mark:
            return present  # another repository: what was seen through the old one is over
        renewed = {name for name, _ in present.bases}
        kept = frozenset(base for base in grant.bases if base[0] not in renewed)
        return replace(present, bases=present.bases | kept)


def _write(operation: Operation, token: Token, grant: TokenGrant) -> None:
    if token.grant_in(grant.repository) is None:
        return  # closed meanwhile
    operation.unit.tokens.set_grant(token.identifier, grant)
    operation.touch(token.identifier)
