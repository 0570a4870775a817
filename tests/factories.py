"""What the tests of the core are made of: credentials, questions, ledger entries, stored tokens."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from entitlements_core.policy.credential import Access, Credential, CredentialKind, Grant, State
from entitlements_core.policy.decide import Question, RequestContext
from entitlements_core.policy.network import parse_address
from entitlements_core.policy.query import PackageQuery
from entitlements_core.policy.resource import DistributionFile, Resource
from entitlements_core.policy.token import Terms
from entitlements_core.store.database import Database
from entitlements_core.store.ledger import Entry
from entitlements_core.store.records import Repository
from tests.policy.query.facts import wheel

__all__ = [
    "NOW",
    "REPOSITORY",
    "add_repository",
    "add_token",
    "credential",
    "edit_token",
    "entry",
    "question",
    "rows",
]

NOW: Final = datetime(2026, 3, 31, 12, tzinfo=UTC)
REPOSITORY: Final = "acme/stable"
CLIENT: Final = "203.0.113.9"


def credential(
    query: str | None = None,
    *,
    access: Access = Access.READ,
    **changes: Any,  # noqa: ANN401 - any field
) -> Credential:
    """An enabled token of `REPOSITORY`, restricted to `query`."""
    restriction = None if query is None else PackageQuery.parse(query)
    grant = Grant(repository=REPOSITORY, access=access, restriction=restriction)
    defaults: dict[str, Any] = {"id": 7, "identifier": "abcdefghijkl", "grants": (grant,)}
    return Credential(**{**defaults, **changes})


def question(
    whose: Credential | None = None,
    resource: Resource | None = None,
    *,
    address: str = CLIENT,
    repository: str = REPOSITORY,
    writes: bool = False,
    **changes: Any,  # noqa: ANN401 - any field
) -> Question:
    """A download of a wheel, unless told otherwise."""
    context = RequestContext(repository=repository, address=parse_address(address), writes=writes)
    asked = Question(
        credential=whose or credential(),
        request=context,
        resource=resource or DistributionFile(wheel()),
        now=NOW,
    )
    return replace(asked, **changes)


def entry(token_id: int, **changes: Any) -> Entry:  # noqa: ANN401 - any field
    """A whole download of a file of 1,000 bytes."""
    size = changes.pop("size", 1000)
    defaults: dict[str, Any] = {
        "token_id": token_id,
        "repository": REPOSITORY,
        "project": "foo",
        "version": "1.0",
        "filename": "foo-1.0-py3-none-any.whl",
        "client": CLIENT,
        "user_agent": "pip/26.3",
        "size": size,
        "start": 0,
        "length": size,
        "window": timedelta(seconds=300),
        "now": NOW,
    }
    return Entry(**{**defaults, **changes})


def add_repository(database: Database, name: str = REPOSITORY, **changes: Any) -> None:  # noqa: ANN401 - any field
    """A stored repository."""
    with database.begin() as unit:
        unit.repositories.add(Repository(name=name, created_at=NOW, **changes))


def add_token(
    database: Database,
    identifier: str = "abcdefghijkl",
    *,
    digest: bytes | None = None,
    repository: str = REPOSITORY,
    query: str | None = None,
    access: Access = Access.READ,
    kind: CredentialKind = CredentialKind.STANDARD,
    state: State = State.ENABLED,
    user: str = "",
    at: datetime = NOW,
    **terms: Any,  # noqa: ANN401 - any field
) -> int:
    """A stored token that opens a stored repository; gives the store's number of it."""
    with database.begin() as unit:
        unit.tokens.insert(
            Terms(**{"name": "Customer", **terms}),
            identifier=identifier,
            kind=kind,
            state=state,
            user=user,
            at=at,
            by="vendor",
        )
        unit.tokens.set_grant(identifier, repository, access=access, limit_package_query=query)
        if digest is not None:
            unit.secrets.put(identifier, [repository], digest, sealed=None, at=at)
        return unit.tokens.row(identifier).id or 0


def edit_token(database: Database, identifier: str = "abcdefghijkl", **terms: Any) -> None:  # noqa: ANN401 - any field
    """Change some terms of a stored token."""
    with database.begin() as unit:
        token = unit.tokens.get(identifier)
        unit.tokens.save(identifier, replace(token.terms, **terms), at=NOW, by="vendor")


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    """What a statement finds, as plain tuples."""
    with database.read() as unit:
        return [tuple(row) for row in unit.session.execute(text(statement))]
