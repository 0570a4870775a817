"""Use cases of repositories: add, list, show, edit, remove."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from entitlements_core.errors import InvalidValue, Refused
from entitlements_core.interfaces import Clock, Sealer
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.query import PackageQuery
from entitlements_core.policy.secret import RESERVED
from entitlements_core.policy.terms import Terms, check_text
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.issuing import Draft, Issued, Issuer
from entitlements_core.services.operation import ChangeObserver, Operation, Operations
from entitlements_core.store.records import Repository

if TYPE_CHECKING:  # the request path does without SQLAlchemy until it needs it
    from entitlements_core.store.database import Database

__all__ = [
    "AddedRepository",
    "Repository",
    "RepositoryChanges",
    "RepositoryService",
    "check_repository_name",
]

DEFAULT_TOKEN: Final = "Default"  # noqa: S105 - the name of a token, as at Cloudsmith
_LONGEST_PART: Final = 100
_LONGEST_DESCRIPTION: Final = 2_000
_LONGEST_CONTACT: Final = 255
_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RESERVED: Final = RESERVED | {"simple", "static", "api", "admin", "health", "metrics"}
"""Words that a host or our own pages answer themselves."""


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


def check_repository_name(name: str) -> str:
    """`name`, if it is ``owner/slug`` with parts of 1 to 100 letters, digits, ``.``, ``_``, ``-``.

    Raises:
        InvalidValue: naming ``repository``.
    """
    parts = name.split("/")
    if len(parts) != 2 or not all(map(_PART.fullmatch, parts)):  # noqa: PLR2004 - owner and slug
        problem = f"{name!r} is no repository name."
    elif max(map(len, parts)) > _LONGEST_PART:
        problem = f"A part of {name!r} is longer than {_LONGEST_PART} characters."
    elif any(part.lower() in _RESERVED for part in parts):
        problem = f"A part of {name!r} is a reserved word."
    else:
        return name
    raise InvalidValue(
        "repository",
        problem,
        "Write owner/slug with letters, digits, dots, dashes and underscores,"
        " each part beginning with a letter or digit.",
    )


class RepositoryService:
    """Repositories, each with a default token.

    Args:
        database: the store.
        sealer: the server's key.
        clock: tells the time.
        on_change: told of every change of a token.
        seal_secrets: keep the default token's secret so that it can be shown.
        parse: reads a restriction.
    """

    def __init__(  # noqa: PLR0913 - a composition root names its parts
        self,
        *,
        database: "Database",
        sealer: Sealer,
        clock: Clock,
        on_change: ChangeObserver | None = None,
        seal_secrets: bool = True,
        parse: Callable[[str], PackageQuery] = PackageQuery.parse,
    ) -> None:
        self._operations = Operations(database=database, clock=clock, on_change=on_change)
        self._issuer = Issuer(sealer=sealer, seal_secrets=seal_secrets, parse=parse)

    def add(
        self,
        name: str,
        *,
        actor: str,
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
        with self._operations.begin(actor) as operation:
            repository = _edited(
                Repository(name=name, created_at=operation.now, created_by=operation.actor), fields
            )
            if repository.enforce_eula:
                raise _no_licence(name)
            operation.unit.repositories.add(repository)
            operation.record("repository.added", name, after=_facts(repository))
            issued = self._default_token(operation, repository) if default_token else None
            return AddedRepository(
                repository=operation.unit.repositories.get(name), default_token=issued
            )

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

    def edit(self, name: str, *, actor: str, **changes: Unpack[RepositoryChanges]) -> Repository:
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
                raise _no_licence(name)
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

    def remove(self, name: str, *, actor: str, force: bool = False) -> tuple[Token, ...]:
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
                    f"The repository {name} has {len(living)} living tokens,"
                    f" such as {living[0].name!r} ({living[0].identifier}).",
                    "Delete them first, or remove it with force, which deletes them.",
                )
            deleted = tuple(close(operation, token, name) for token in tokens)
            unit.repositories.remove(name, operation.now)
            operation.record("repository.removed", name, before={"tokens": len(tokens)})
            return tuple(token for token in deleted if token.state is State.DELETED)

    def _default_token(self, operation: Operation, repository: Repository) -> Issued:
        draft = Draft(
            terms=Terms(name=DEFAULT_TOKEN, owner=repository.owner),
            grants=(TokenGrant(repository=repository.name, is_default=True),),
            kind=CredentialKind.DEFAULT,
        )
        return self._issuer.issue(operation, draft)


def close(operation: Operation, token: Token, repository: str) -> Token:
    """Close `repository` to `token`: delete it, or drop this one grant if it has others."""
    unit, identifier = operation.unit, token.identifier
    if len(token.grants) > 1:
        unit.secrets.drop(identifier, repository)
        unit.tokens.drop_grant(identifier, repository)
        unit.tokens.touch(identifier, at=operation.now, by=operation.actor)
        return operation.record_token("token.revoked", token, identifier, repository=repository)
    unit.secrets.drop(identifier)
    unit.tokens.set_state(identifier, State.DELETED, at=operation.now, by=operation.actor)
    return operation.record_token("token.deleted", token, identifier)


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


def _no_licence(name: str) -> Refused:
    return Refused(
        f"The repository {name} has no licence text that could be accepted.",
        "Add one first with `entitlements eula add`, then enforce it.",
    )
