"""Use cases of repositories: add, list, show, edit, remove."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypedDict, Unpack

from entitlements_core.errors import InvalidValue, Refused
from entitlements_core.policy.actor import Actor
from entitlements_core.policy.counted import counted
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.repository_name import check_repository_name
from entitlements_core.policy.terms import Terms, check_text
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.host_binding import HostBinding
from entitlements_core.services.operations import Operation, Operations
from entitlements_core.services.token_issuer import Draft, Issued, Issuer
from entitlements_core.services.token_revocation import revoke_grant
from entitlements_core.store.records import Repository

__all__ = [
    "AddedRepository",
    "Repository",
    "RepositoryChanges",
    "RepositoryService",
]

log: Final = logging.getLogger("entitlements.repositories")

DEFAULT_TOKEN: Final = "Default"  # noqa: S105 - the name of a token, as at Cloudsmith
_LONGEST_DESCRIPTION: Final = 2_000
_LONGEST_CONTACT: Final = 255


class RepositoryChanges(TypedDict, total=False):
    """What can be edited; what is left out stays as it is."""

    description: str
    contact: str
    enforce_eula: bool
    user_tokens_enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedRepository:
    """A new repository, and its default token unless there is to be none."""

    repository: Repository
    default_token: Issued | None = None


class RepositoryService:
    """Repositories, each with a default token.

    Args:
        operations: begins the transactions.
        issuer: makes the default tokens.
        binding: asks the host what a grant is made for.
    """

    def __init__(self, operations: Operations, issuer: Issuer, binding: HostBinding) -> None:
        self._operations = operations
        self._issuer = issuer
        self._binding = binding
        self._unusable: set[str] = set()

    def add(
        self,
        name: str,
        *,
        actor: Actor,
        default_token: bool = True,
        **fields: Unpack[RepositoryChanges],
    ) -> AddedRepository:
        """Add a repository, with its ``Default`` token as at Cloudsmith unless told not to.

        Raises:
            InvalidValue: when the name or a field does not fit.
            Conflict: when it exists.
            Refused: when a licence is to be enforced: its text can only be added afterwards.
        """
        check_repository_name(name)
        grant = self._binding.bound(TokenGrant(repository=name)) if default_token else None
        with self._operations.begin(actor) as operation:
            repository = _edited(_new(operation, name), fields)
            if repository.enforce_eula:
                raise _no_eula(name)
            _add(operation, repository)
            issued = None if grant is None else self._default_token(operation, repository, grant)
            return AddedRepository(
                repository=operation.unit.repositories.get(name), default_token=issued
            )

    def ensure(self, names: Iterable[str], *, actor: Actor) -> tuple[str, ...]:
        """Add those of `names` that are missing, without default tokens; gives what was added.

        For a host whose users make repositories themselves. Nothing is written while none is
        missing, and several processes may do it at once: each name is added by one of them. A name
        that no repository can have is passed over and logged, once: nothing opens it.

        Args:
            names: ``owner/slug`` of every repository that the host serves.
            actor: who is written into the audit.

        Raises:
            StoreError: when the store cannot be read or written.
        """
        wanted = {name for name in names if self._can_be(name)}
        with self._operations.database.read() as unit:
            missing = wanted - unit.repositories.names()
        if not missing:
            return ()
        with self._operations.begin(actor) as operation:
            added = sorted(missing - operation.unit.repositories.names())
            for name in added:
                _add(operation, _new(operation, name))
            return tuple(added)

    def all(self) -> tuple[Repository, ...]:
        """Every repository, by name."""
        with self._operations.database.read() as unit:
            return unit.repositories.all()

    def show(self, name: str) -> Repository:
        """One repository.

        Raises:
            NotFound: when there is none of that name.
        """
        with self._operations.database.read() as unit:
            return unit.repositories.get(name)

    def edit(self, name: str, *, actor: Actor, **changes: Unpack[RepositoryChanges]) -> Repository:
        """Change what is named in `changes`.

        Raises:
            NotFound: when there is no such repository.
            InvalidValue: when a field does not fit.
            Refused: when a licence is to be enforced that has no text: nobody could accept it.
        """
        with self._operations.begin(actor) as operation:
            before = operation.unit.repositories.get(name)
            after = _edited(before, changes)
            if after.enforce_eula and not operation.unit.eulas.all(name):
                raise _no_eula(name)
            operation.unit.repositories.save(after)
            old, new = _facts(before), _facts(after)
            changed = [field for field in new if old[field] != new[field]]
            operation.record(
                "repository.edited",
                name,
                before={field: old[field] for field in changed},
                after={field: new[field] for field in changed},
            )
            return operation.unit.repositories.get(name)

    def remove(self, name: str, *, actor: Actor, force: bool = False) -> tuple[Token, ...]:
        """Remove a repository; gives the tokens that were deleted with it.

        A token that opens other repositories too only loses this one. The default token goes
        along unasked as long as nobody ever used it.

        Args:
            name: ``owner/slug``.
            actor: who asks.
            force: delete its living tokens, too.

        Raises:
            NotFound: when there is no such repository.
            Refused: when it has living tokens and `force` is not set.
        """
        with self._operations.begin(actor) as operation:
            unit = operation.unit
            tokens = unit.tokens.living_in(name)
            living = [token for token in tokens if not _goes_unasked(token)]
            if living and not force:
                raise Refused(
                    f"The repository {name} has {counted(len(living), 'living token')},"
                    f" such as {living[0].name!r} ({living[0].identifier}).",
                    "Delete them first, or remove it with --force, which deletes them.",
                )
            deleted = tuple(revoke_grant(operation, token, name) for token in tokens)
            # Added again, it begins anew: an old tag must not open a new file.
            unit.package_tags.drop(name)
            unit.repositories.remove(name, operation.now)
            operation.record("repository.removed", name, before={"tokens": len(tokens)})
            return tuple(token for token in deleted if token.state is State.DELETED)

    def _can_be(self, name: str) -> bool:
        if name in self._unusable:
            return False
        try:
            check_repository_name(name, hosted=True)
        except InvalidValue as error:
            log.warning("no token can open a repository of the host: %s", error)
            self._unusable.add(name)
            return False
        return True

    def _default_token(
        self, operation: Operation, repository: Repository, grant: TokenGrant
    ) -> Issued:
        draft = Draft(
            terms=Terms(name=DEFAULT_TOKEN, owner=repository.owner),
            grants=(replace(grant, is_default=True),),
            kind=CredentialKind.DEFAULT,
        )
        return self._issuer.issue(operation, draft)


def _new(operation: Operation, name: str) -> Repository:
    return Repository(name=name, created_at=operation.now, created_by=operation.actor.name)


def _add(operation: Operation, repository: Repository) -> None:
    operation.unit.repositories.add(repository)
    operation.record("repository.added", repository.name, after=_facts(repository))


def _goes_unasked(token: Token) -> bool:
    return token.is_default and token.last_used_at is None


def _edited(repository: Repository, changes: RepositoryChanges) -> Repository:
    edited = replace(repository, **changes)
    return replace(
        edited,
        description=check_text(
            "description", edited.description, longest=_LONGEST_DESCRIPTION, lines=True
        ),
        contact=check_text("contact", edited.contact, longest=_LONGEST_CONTACT),
    )


def _facts(repository: Repository) -> dict[str, object]:
    return {
        "description": repository.description,
        "contact": repository.contact,
        "enforce_eula": repository.enforce_eula,
        "user_tokens_enabled": repository.user_tokens_enabled,
    }


def _no_eula(name: str) -> Refused:
    return Refused(
        f"The repository {name} has no licence text that could be accepted.",
        "Add one first with `entitlements eula add`, then enforce it.",
    )
