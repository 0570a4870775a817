"""Which secret opens which repository for which token: by digests, never by the secret itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from entitlements_core.errors import Conflict
from entitlements_core.store.column_types import Moment
from entitlements_core.store.models import SecretRow, TokenRow
from entitlements_core.store.records import FormerSecret
from entitlements_core.store.repositories import Repositories
from entitlements_core.store.tokens import Tokens

__all__ = ["Secrets"]


@dataclass(frozen=True, slots=True)
class LivingSecret:
    """A secret that opens something.

    Attributes:
        digest: its look-up key.
        valid_until: aware, exclusive, of a previous secret; None is the current one.
    """

    digest: bytes
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets as one transaction sees them."""

    session: Session

    def put(  # noqa: PLR0913 - the facts of a change, all named
        self,
        identifier: str,
        repositories: Iterable[str],
        digest: bytes,
        *,
        sealed: bytes | None,
        at: datetime,
        previous_until: datetime | None = None,
    ) -> None:
        """Make `digest` the token's current secret.

        Args:
            identifier: of the token.
            repositories: all that the token opens.
            digest: of the new secret.
            sealed: the new secret encrypted, or None where it is not kept.
            at: now; secrets whose time has passed are dropped.
            previous_until: aware, exclusive: until when the secrets so far go on; None ends them.

        Raises:
            Conflict: when another token uses the secret in one of the repositories.
        """
        token = Tokens(self.session).row(identifier)
        self._end_previous(token.id or 0, at, previous_until)
        token.sealed_secret = sealed
        self.session.add(token)
        for repository in repositories:
            self._open(token.id or 0, repository, LivingSecret(digest), at)
        self.session.flush()

    def extend(self, identifier: str, repository: str, *, at: datetime) -> None:
        """Let all living secrets of a token open one repository more.

        Raises:
            Conflict: when another token uses one of them there.
        """
        token_id = Tokens(self.session).row(identifier).id or 0
        for secret in self.living(identifier):
            self._open(token_id, repository, secret, at)
        self.session.flush()

    def copy(self, source: str, target: str, repository: str, *, at: datetime, origin: str) -> None:
        """Give token `target` in `repository` the secrets that `source` has in `origin`.

        Raises:
            Conflict: when a third token uses one of them there.
        """
        tokens = Tokens(self.session)
        token = tokens.row(target)
        token.sealed_secret = tokens.row(source).sealed_secret
        self.session.add(token)
        for secret in self.living(source, origin):
            self._open(token.id or 0, repository, secret, at)
        self.session.flush()

    def drop(self, identifier: str, repository: str = "") -> None:
        """End all secrets of a token, in `repository` or everywhere.

        The sealed text of a token that has none left is forgotten.
        """
        token = Tokens(self.session).row(identifier)
        condition = col(SecretRow.token_id) == token.id
        if repository:
            repository_id = Repositories(self.session).row_id(repository)
            condition &= col(SecretRow.repository_id) == repository_id
        self.session.execute(delete(SecretRow).where(condition))
        if not self.living(identifier):
            token.sealed_secret = None
            self.session.add(token)
        self.session.flush()

    def living(self, identifier: str, repository: str = "") -> tuple[LivingSecret, ...]:
        """The secrets of a token in `repository` or anywhere, the current one first."""
        query = (
            select(SecretRow.digest, SecretRow.valid_until)
            .join(TokenRow, col(TokenRow.id) == SecretRow.token_id)
            .where(TokenRow.identifier == identifier)
            .distinct()
        )
        if repository:
            query = query.where(
                SecretRow.repository_id == Repositories(self.session).row_id(repository)
            )
        found = [LivingSecret(digest, until) for digest, until in self.session.exec(query)]
        return tuple(sorted(found, key=lambda one: (one.valid_until is not None, one.digest)))

    def former(self, identifier: str, *, at: datetime) -> tuple[FormerSecret, ...]:
        """The secrets that a token had before and that live on at `at`, the first to end first."""
        until = func.max(SecretRow.valid_until, type_=Moment)
        query = (
            select(until, func.max(SecretRow.last_used_at, type_=Moment))
            .join(TokenRow, col(TokenRow.id) == SecretRow.token_id)
            .where(TokenRow.identifier == identifier, col(SecretRow.valid_until) > at)
            .group_by(col(SecretRow.digest))
            .order_by(until, col(SecretRow.digest))
        )
        return tuple(
            FormerSecret(valid_until=end, last_used_at=used)
            for end, used in self.session.execute(query)
        )

    def current_in(self, repository: str) -> dict[bytes, str]:
        """Of every current secret that opens `repository`, its token's identifier."""
        query = (
            select(SecretRow.digest, TokenRow.identifier)
            .join(TokenRow, col(TokenRow.id) == SecretRow.token_id)
            .where(
                SecretRow.repository_id == Repositories(self.session).row_id(repository),
                col(SecretRow.valid_until).is_(None),
            )
            .order_by(col(TokenRow.id))
        )
        return dict(self.session.exec(query).all())

    def owners(self, digest: bytes) -> tuple[str, ...]:
        """The identifiers of the tokens that a secret is of, or was of as long as it is known."""
        query = (
            select(TokenRow.identifier)
            .join(SecretRow, col(SecretRow.token_id) == TokenRow.id)
            .where(SecretRow.digest == digest)
            .order_by(TokenRow.identifier)
            .distinct()
        )
        return tuple(self.session.exec(query))

    def sealed(self, identifier: str) -> bytes | None:
        """The current secret encrypted; None where it is not kept."""
        return Tokens(self.session).row(identifier).sealed_secret

    def _end_previous(self, token_id: int, at: datetime, until: datetime | None) -> None:
        mine = col(SecretRow.token_id) == token_id
        if until is None:
            self.session.execute(delete(SecretRow).where(mine))
            return
        self.session.execute(delete(SecretRow).where(mine, col(SecretRow.valid_until) <= at))
        for row in self.session.exec(select(SecretRow).where(mine)).all():
            row.valid_until = min(row.valid_until or until, until)
            row.former = row.former or self._next_number(row.token_id, row.repository_id)
            self.session.add(row)
        self.session.flush()

    def _open(self, token_id: int, repository: str, secret: LivingSecret, at: datetime) -> None:
        repository_id = Repositories(self.session).row_id(repository)
        row = self.session.get(SecretRow, (secret.digest, repository_id))
        over = row is not None and row.valid_until is not None and row.valid_until <= at
        if row is None:
            row = SecretRow(digest=secret.digest, repository_id=repository_id, token_id=token_id)
        elif row.token_id != token_id and not over:
            raise Conflict(
                f"This secret is already used by another token in {repository}.",
                "Choose another secret, or let one be generated.",
            )
        if row.token_id != token_id or secret.valid_until is None:
            row.former = row.last_used_at = None
        if secret.valid_until is not None:
            row.former = row.former or self._next_number(token_id, repository_id)
        row.token_id = token_id
        row.valid_until = secret.valid_until
        self.session.add(row)

    def _next_number(self, token_id: int, repository_id: int) -> int:
        """Of a further former secret of a token in a repository."""
        mine = (col(SecretRow.token_id) == token_id) & (
            col(SecretRow.repository_id) == repository_id
        )
        latest = self.session.scalar(select(func.max(SecretRow.former)).where(mine))
        return (latest or 0) + 1
