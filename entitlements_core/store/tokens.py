"""Tokens one by one: rows become `policy.token.Token` here, and back.

The services decide what may change; every method here only writes it, and raises the revision by
which the request path sees that something changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, and_, case, delete, func, literal, or_, type_coerce, update
from sqlmodel import Session, col, select

from entitlements_core.errors import NotFound
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.metering import CLOCK_SKEW
from entitlements_core.policy.secret import (
    IDENTIFIER_LENGTH,
    SHORTEST,
    looks_generated,
    looks_like_identifier,
)
from entitlements_core.policy.terms import Terms
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.store.models import (
    ClientRow,
    GrantRow,
    RepositoryRow,
    TagRow,
    TokenRow,
    UsageRow,
)
from entitlements_core.store.moments import to_micros
from entitlements_core.store.records import ClientRecord, UnboundGrants
from entitlements_core.store.repositories import Repositories
from entitlements_core.store.token_rows import PLAIN_TERMS, load

__all__ = ["TokenNotFound", "Tokens"]

_CHUNK: Final = 500
"""Tokens that one statement names."""


class TokenNotFound(NotFound):
    """There is no token of that identifier; what may be a secret instead is not repeated.

    Attributes:
        identifier: what was asked for. It is for looking it up, and never to be shown.
    """

    def __init__(self, identifier: str, repository: str = "") -> None:
        self.identifier = identifier
        there = f" in {repository}" if repository else ""
        remedy = "`entitlements token list --deleted` shows the identifiers."
        if looks_generated(identifier):
            problem = f"What was given is a secret, of no token that is known{there}."
        elif looks_like_identifier(identifier) or len(identifier) < SHORTEST:
            problem = f"There is no token {identifier!r}{there}."
        else:
            problem = (
                f"There is no token of that identifier{there}: an identifier has"
                f" {IDENTIFIER_LENGTH} letters and digits. What was given is not repeated, for it"
                " may be a secret."
            )
        super().__init__(problem, remedy)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens as one transaction sees them."""

    session: Session

    def get(self, identifier: str, repository: str = "") -> Token:
        """The token called `identifier`, deleted ones included.

        Args:
            identifier: its public name.
            repository: ``owner/slug`` that the token has to open, or empty for any.

        Raises:
            NotFound: when there is none, or it does not open `repository`.
        """
        row = self._find(identifier)
        token = None if row is None else load(self.session, [row])[0]
        if token is None or (repository and token.grant_in(repository) is None):
            raise TokenNotFound(identifier, repository)
        return token

    def names(self, identifiers: Sequence[str]) -> dict[str, str]:
        """The names of tokens, deleted ones included, by their identifiers."""
        found: dict[str, str] = {}
        for start in range(0, len(identifiers), _CHUNK):
            some = col(TokenRow.identifier).in_(identifiers[start : start + _CHUNK])
            rows = self.session.exec(select(TokenRow.identifier, TokenRow.name).where(some))
            found.update(rows.all())
        return found

    def living_in(self, repository: str) -> tuple[Token, ...]:
        """The tokens that are not deleted and open `repository`, oldest first."""
        query = (
            select(TokenRow)
            .join(GrantRow, col(GrantRow.token_id) == col(TokenRow.id))
            .where(
                GrantRow.repository_id == Repositories(self.session).row_id(repository),
                TokenRow.state != State.DELETED,
            )
            .order_by(col(TokenRow.id))
        )
        return load(self.session, list(self.session.exec(query)))

    def of_user(self, user: str, repository: str) -> tuple[Token, ...]:
        """The user tokens of `user` that open `repository` and are not deleted, oldest first."""
        query = (
            select(TokenRow)
            .join(GrantRow, col(GrantRow.token_id) == col(TokenRow.id))
            .where(
                TokenRow.user == user,
                TokenRow.kind == CredentialKind.USER,
                TokenRow.state != State.DELETED,
                GrantRow.repository_id == Repositories(self.session).row_id(repository),
            )
            .order_by(col(TokenRow.id))
        )
        return load(self.session, list(self.session.exec(query)))

    def user_tokens(self, repository: str = "") -> tuple[Token, ...]:
        """All user tokens that are not deleted, in `repository` or everywhere."""
        query = select(TokenRow).where(
            TokenRow.kind == CredentialKind.USER, TokenRow.state != State.DELETED
        )
        if repository:
            query = query.join(GrantRow, col(GrantRow.token_id) == col(TokenRow.id)).where(
                GrantRow.repository_id == Repositories(self.session).row_id(repository)
            )
        return load(self.session, list(self.session.exec(query.order_by(col(TokenRow.id)))))

    def count_active(self, owner: str) -> int:
        """How many enabled standard tokens count on the quota of `owner`."""
        query = (
            select(func.count())
            .select_from(TokenRow)
            .where(
                TokenRow.owner == owner,
                TokenRow.state == State.ENABLED,
                TokenRow.kind == CredentialKind.STANDARD,
            )
        )
        return self.session.exec(query).one()

    def insert(  # noqa: PLR0913 - the facts of a new row, all named
        self,
        terms: Terms,
        *,
        identifier: str,
        kind: CredentialKind,
        state: State,
        user: str,
        at: datetime,
        by: str,
    ) -> None:
        """Make a token with counters at zero, and neither a grant nor a secret yet."""
        row = TokenRow(
            identifier=identifier,
            kind=kind,
            state=state,
            user=user,
            name=terms.name,
            reset_anchor=terms.scheduled_reset_at or at,
            created_at=at,
            created_by=by,
        )
        self._write(row, terms)
        self.session.add(UsageRow(token_id=row.id or 0, since=at))
        self.session.flush()

    def save(self, identifier: str, terms: Terms, *, at: datetime, by: str) -> None:
        """Replace the terms of a token."""
        row = self.row(identifier)
        row.reset_anchor = terms.scheduled_reset_at or at
        self._touch(row, at, by)
        self._write(row, terms)

    def set_state(self, identifier: str, state: State, *, at: datetime, by: str) -> None:
        """Turn the vendor's switch; DELETED notes when and by whom."""
        row = self.row(identifier)
        row.state = state
        if state is State.DELETED:
            row.deleted_at, row.deleted_by = at, by
            # A repository that is added again gets a default token of its own.
            self.session.execute(
                update(GrantRow).where(col(GrantRow.token_id) == row.id).values(is_default=False)
            )
        self._touch(row, at, by)
        self.session.flush()

    def touch(self, identifier: str, *, at: datetime, by: str) -> None:
        """Note a change of something that belongs to the token."""
        self._touch(self.row(identifier), at, by)
        self.session.flush()

    def set_grant(self, identifier: str, grant: TokenGrant) -> None:
        """Make or replace what the token opens in the repository of `grant`.

        Raises:
            NotFound: when there is no such repository.
        """
        repository_id = Repositories(self.session).row_id(grant.repository)
        self.session.merge(
            GrantRow(
                token_id=self.row(identifier).id or 0,
                repository_id=repository_id,
                access=grant.access,
                limit_package_query=grant.limit_package_query,
                is_default=grant.is_default,
                mark=grant.mark,
                bases=dict(sorted(grant.bases)),
            )
        )
        self.session.flush()

    def unbound(self) -> tuple[UnboundGrants, ...]:
        """The grants of living tokens that are bound to nothing yet, those alike together."""
        is_old = col(GrantRow.mark).is_(None)
        query = (
            select(RepositoryRow.owner, RepositoryRow.slug, TokenRow.user, is_old)
            .select_from(GrantRow)
            .join(RepositoryRow, col(RepositoryRow.id) == GrantRow.repository_id)
            .join(TokenRow, col(TokenRow.id) == GrantRow.token_id)
            .where(
                is_old | (col(GrantRow.mark) == ""),
                TokenRow.state != State.DELETED,
                col(RepositoryRow.removed_at).is_(None),
            )
            .distinct()
        )
        return tuple(
            UnboundGrants(repository=f"{owner}/{slug}", user=user, is_old=bool(old))
            for owner, slug, user, old in self.session.exec(query)
        )

    def bind(self, grants: UnboundGrants, mark: str) -> int:
        """Bind all of `grants`; gives how many there were.

        Raises:
            NotFound: when there is no such repository.
        """
        concerned = and_(
            col(GrantRow.repository_id) == Repositories(self.session).row_id(grants.repository),
            col(GrantRow.mark).is_(None) if grants.is_old else col(GrantRow.mark) == "",
        )
        living = and_(col(TokenRow.user) == grants.user, col(TokenRow.state) != State.DELETED)
        connection = self.session.connection()
        connection.execute(
            update(TokenRow)
            .where(living, col(TokenRow.id).in_(select(GrantRow.token_id).where(concerned)))
            .values(revision=TokenRow.revision + 1)
        )
        bound = connection.execute(
            update(GrantRow)
            .where(concerned, col(GrantRow.token_id).in_(select(TokenRow.id).where(living)))
            .values(mark=mark)
        )
        return int(bound.rowcount)

    def living(self) -> tuple[Token, ...]:
        """The tokens that are not deleted, oldest first."""
        query = select(TokenRow).where(TokenRow.state != State.DELETED).order_by(col(TokenRow.id))
        return load(self.session, list(self.session.exec(query)))

    def drop_grant(self, identifier: str, repository: str) -> None:
        """Close `repository` to the token; its secrets there are dropped by `Secrets`."""
        repository_id = Repositories(self.session).row_id(repository)
        row = self.session.get(GrantRow, (self.row(identifier).id, repository_id))
        if row is not None:
            self.session.delete(row)
            self.session.flush()

    def zero_usage(self, identifier: str, *, at: datetime) -> None:
        """Begin to count anew.

        `since` is another one afterwards in any case, since it tells which clients count.
        """
        since = type_coerce(UsageRow.since, BigInteger)
        now, latest = (literal(to_micros(one), BigInteger) for one in (at, at + CLOCK_SKEW))
        self.session.execute(
            update(UsageRow)
            .where(col(UsageRow.token_id) == self.row(identifier).id)
            .values(
                since=case((or_(since < now, since > latest), now), else_=since + 1),
                downloads=0,
                clients=0,
                bandwidth=0,
            )
            .execution_options(synchronize_session=False)
        )
        self.session.expire_all()

    def clients(self, identifier: str) -> tuple[ClientRecord, ...]:
        """The clients that ever used the token, the latest first."""
        token_id = self.row(identifier).id
        since = self.session.exec(select(UsageRow.since).where(UsageRow.token_id == token_id)).one()
        query = (
            select(ClientRow)
            .where(ClientRow.token_id == token_id)
            .order_by(col(ClientRow.last_seen_at).desc(), col(ClientRow.client))
        )
        return tuple(
            ClientRecord(
                client=row.client,
                first_seen_at=row.first_seen_at,
                last_seen_at=row.last_seen_at,
                counts=row.since == since,
            )
            for row in self.session.exec(query)
        )

    def row(self, identifier: str) -> TokenRow:
        """The row of `identifier`, for this package."""
        row = self._find(identifier)
        if row is None:
            raise TokenNotFound(identifier)
        return row

    def _find(self, identifier: str) -> TokenRow | None:
        query = select(TokenRow).where(TokenRow.identifier == identifier)
        return self.session.exec(query).one_or_none()

    def _touch(self, row: TokenRow, at: datetime, by: str) -> None:
        row.revision += 1
        row.updated_at, row.updated_by = at, by
        self.session.add(row)

    def _write(self, row: TokenRow, terms: Terms) -> None:
        for field in PLAIN_TERMS:
            setattr(row, field, getattr(terms, field))
        row.allow_networks = list(terms.allow_networks)
        row.deny_networks = list(terms.deny_networks)
        row.token_metadata = dict(terms.metadata)
        self.session.add(row)
        self.session.flush()
        self.session.execute(delete(TagRow).where(col(TagRow.token_id) == row.id))
        self.session.add_all(TagRow(token_id=row.id or 0, tag=tag) for tag in terms.tags)
        self.session.flush()
