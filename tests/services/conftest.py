"""The services over a fresh database, a clock that is set by hand, and a key."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from entitlements_core.plugins import Plugins
from entitlements_core.policy.events import TokenChange
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.eulas import EulaService
from entitlements_core.services.host_binding import HostBinding
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.operations import Operations
from entitlements_core.services.package_tags import PackageTags
from entitlements_core.services.reports import Reports
from entitlements_core.services.repositories import RepositoryService
from entitlements_core.services.reserved_names import ReservedNames
from entitlements_core.services.rotation import Rotation
from entitlements_core.services.sync import Sync
from entitlements_core.services.token_grants import TokenGrants
from entitlements_core.services.token_issuer import Issued, Issuer
from entitlements_core.services.token_lifecycle import Lifecycle
from entitlements_core.services.user_tokens import UserTokens
from entitlements_core.store.database import Database
from entitlements_core.store.moments import to_micros
from tests.actors import person

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class Clock:
    """Stands still until it is told otherwise."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class Product:
    """Every service over one database."""

    database: Database
    clock: Clock = field(default_factory=Clock)
    keyring: Keyring = field(default_factory=lambda: Keyring(b"k" * 32))
    changes: list[TokenChange] = field(default_factory=list)
    permissions: dict[tuple[str, str], bool | None] = field(default_factory=dict)
    quota: int | None = None
    seal: bool = True
    binding: HostBinding = field(default_factory=lambda: HostBinding(Plugins(discover=False)))

    @property
    def operations(self) -> Operations:
        return Operations(database=self.database, clock=self.clock, on_change=self.changes.append)

    @property
    def issuer(self) -> Issuer:
        return Issuer(sealer=self.keyring, seal_secrets=self.seal)

    @property
    def tokens(self) -> Lifecycle:
        return Lifecycle(self.operations, self.issuer, self.binding, quota=self.quota)

    @property
    def grants(self) -> TokenGrants:
        return TokenGrants(self.operations, self.issuer, self.binding)

    @property
    def rotation(self) -> Rotation:
        return Rotation(self.operations, self.issuer)

    @property
    def repositories(self) -> RepositoryService:
        return RepositoryService(self.operations, self.issuer, self.binding)

    @property
    def users(self) -> UserTokens:
        return UserTokens(
            self.operations,
            self.issuer,
            self.binding,
            lambda user, repository: self.permissions.get((user, repository)),
        )

    @property
    def eulas(self) -> EulaService:
        return EulaService(self.operations)

    @property
    def package_tags(self) -> PackageTags:
        return PackageTags(self.operations)

    @property
    def reserved_names(self) -> ReservedNames:
        return ReservedNames(self.operations)

    @property
    def sync(self) -> Sync:
        return Sync(self.operations, self.binding, quota=self.quota)

    @property
    def reports(self) -> Reports:
        return Reports(database=self.database)

    def create(self, name: str = "Acme", *repositories: str, **terms: object) -> Issued:
        """A token, by default in ``acme/main``."""
        grants = [TokenGrant(repository=found) for found in repositories or ("acme/main",)]
        return self.tokens.create(name, grants, actor=person(), **terms)  # type: ignore[arg-type]  # any terms

    def opens(self, secret: str | None, repository: str) -> str | None:
        """The identifier of the token that a secret opens in a repository now."""
        assert secret is not None
        owner, slug = repository.split("/")
        row = self.execute(
            "SELECT t.identifier FROM secrets s JOIN tokens t ON t.id = s.token_id"
            " JOIN repositories r ON r.id = s.repository_id"
            " WHERE s.digest = :digest AND r.owner = :owner AND r.slug = :slug"
            " AND (s.valid_until IS NULL OR s.valid_until > :now)",
            digest=self.keyring.digest(secret),
            owner=owner,
            slug=slug,
            now=to_micros(self.clock()),
        )
        return str(row[0][0]) if row else None

    def use(self, token: Token, downloads: int = 1, client: str = "192.0.2.1") -> None:
        """Count as the request path would."""
        now = to_micros(self.clock())
        ((number, since),) = self.execute(
            "SELECT t.id, u.since FROM tokens t JOIN usage u ON u.token_id = t.id"
            " WHERE t.identifier = :token",
            token=token.identifier,
        )
        self.execute(
            "UPDATE usage SET downloads = downloads + :count, clients = clients + 1,"
            " bandwidth = bandwidth + 100 * :count, last_used_at = :now WHERE token_id = :number",
            number=number,
            count=downloads,
            now=now,
        )
        self.execute(
            "INSERT INTO clients VALUES (:number, :client, :since, :now, :now)"
            " ON CONFLICT DO NOTHING",
            number=number,
            client=client,
            since=since,
            now=now,
        )
        owner, slug = token.grants[0].repository.split("/")
        for _ in range(downloads):
            self.execute(
                "INSERT INTO downloads (at, token_id, repository_id, project, version, filename,"
                " client, user_agent, requests, bandwidth) SELECT :now, :number, id, 'demo', '1.0',"
                " 'demo-1.0.whl', :client, 'pip/26', 2, 100 FROM repositories"
                " WHERE owner = :owner AND slug = :slug",
                number=number,
                client=client,
                now=now,
                owner=owner,
                slug=slug,
            )

    def execute(self, statement: str, **parameters: object) -> list[tuple[object, ...]]:
        """Run a statement behind the services' back."""
        from sqlalchemy import text

        with self.database.begin() as unit:
            result = unit.session.execute(text(statement), parameters)
            return [tuple(row) for row in result] if result.returns_rows else []  # type: ignore[attr-defined]  # a cursor's


@pytest.fixture
def product(database: Database) -> Product:
    """A product with the repositories ``acme/main`` and ``acme/extra``."""
    product = Product(database)
    for name in ("acme/main", "acme/extra"):
        product.repositories.add(name, actor=person("admin"), default_token=False)
    product.changes.clear()
    return product
