"""What the tests of the core are made of: credentials, questions, ledger entries, stored tokens."""

import base64
import io
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from sqlalchemy import text

from entitlements_core.engine.app import IndexApp
from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.downloads import Sender
from entitlements_core.engine.index import Index
from entitlements_core.forwarded import Proxies
from entitlements_core.plugins import Plugins
from entitlements_core.policy.credential import Access, Credential, CredentialKind, Grant, State
from entitlements_core.policy.decide import Question, RequestContext
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.network import parse_address
from entitlements_core.policy.query import PackageQuery
from entitlements_core.policy.resource import DistributionFile, Resource
from entitlements_core.policy.terms import Terms
from entitlements_core.policy.token import TokenGrant
from entitlements_core.policy.upstream import Upstream
from entitlements_core.services.gate import Gate
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.throttle import Throttle
from entitlements_core.store.database import Database
from entitlements_core.store.ledger import Entry, Ledger
from entitlements_core.store.ledger_sqlite import SqliteLedger
from entitlements_core.store.reader import CredentialReader
from entitlements_core.store.records import Repository
from tests.file_times import FileTimes
from tests.policy.query.facts import wheel

__all__ = [
    "NOW",
    "REPOSITORY",
    "Response",
    "Site",
    "add_repository",
    "add_token",
    "credential",
    "edit_token",
    "entry",
    "left_at_default",
    "open_site",
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
        grant = TokenGrant(repository=repository, access=access, limit_package_query=query)
        unit.tokens.set_grant(identifier, grant)
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


@dataclass(frozen=True)
class Response:
    """What a WSGI application answered."""

    status: str
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> int:
        return int(self.status[:3])

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Site:
    """An index over real files and a real store, asked as a WSGI server asks it."""

    app: IndexApp
    catalog: Catalog
    database: Database
    keyring: Keyring
    ledger: Ledger
    directory: Path
    now: datetime = NOW
    extra: dict[str, Any] = field(default_factory=dict)

    def token(
        self,
        secret: str = "customer-42.secret",
        query: str | None = None,
        **terms: Any,  # noqa: ANN401 - any field
    ) -> str:
        """Store a token, and give its secret."""
        identifier = f"token{len(secret)}{secret[:4]}"
        add_token(
            self.database, identifier, digest=self.keyring.digest(secret), query=query, **terms
        )
        return secret

    def get(
        self,
        path: str,
        secret: str | None = None,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        strict: bool = True,
    ) -> Response:
        """The answer to a request with a token in a Basic header.

        Args:
            path: as it stands in the request line, query included.
            secret: None sends no header.
            method: of the request.
            headers: further ones, by their HTTP names.
            strict: have PEP 3333 checked, which refuses odd methods itself.
        """
        target, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(target).decode("latin-1"),
            "QUERY_STRING": query,
            "SCRIPT_NAME": "",
            "REMOTE_ADDR": CLIENT,
            "wsgi.input": io.BytesIO(),
        }
        if secret is not None:
            token = base64.b64encode(f"token:{secret}".encode()).decode()
            environ["HTTP_AUTHORIZATION"] = f"Basic {token}"
        for name, value in (headers or {}).items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        setup_testing_defaults(environ)
        environ |= self.extra
        return _call(validator(self.app) if strict else self.app, environ)

    def used(self) -> tuple[int, int, int]:
        """Downloads, clients and bytes that all tokens used."""
        [found] = rows(
            self.database, "SELECT sum(downloads), sum(clients), sum(bandwidth) FROM usage"
        )
        return (found[0], found[1], found[2])


def _call(app: Any, environ: dict[str, Any]) -> Response:  # noqa: ANN401 - any WSGI application
    started: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:  # noqa: ANN401 - PEP 3333
        started.append((status, headers))
        return lambda _: None

    chunks: Iterable[bytes] = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    [(status, headers)] = started
    names = [name.lower() for name, _ in headers]
    assert len(names) == len(set(names)), "a header was sent twice"
    return Response(status, dict(headers), body)


@contextmanager
def open_site(
    folder: Path,
    template: Path,
    *,
    sender: Sender | None = None,
    proxies: Proxies = Proxies(),  # noqa: B008 - frozen
    plugins: Iterable[object] = (),
    prefix: str = "",
    upstream: Upstream | None = None,
    more: Iterable[Path] = (),
) -> Iterator[Site]:
    """An index over ``folder/files`` and `more`, with a store copied from `template`."""
    shutil.copy(template, folder / "store.db")
    url = f"sqlite:///{folder / 'store.db'}"
    database, keyring = Database(url), Keyring(b"k" * 32)
    add_repository(database)
    directory = folder / "files"
    directory.mkdir(exist_ok=True)
    catalog = Catalog(
        [directory, *more],
        repository=REPOSITORY,
        cache=folder / "catalog.db",
        clock=lambda: NOW,
        uploads=FileTimes(),
    )
    catalog.refresh()
    reader, ledger = CredentialReader(url), Ledger(SqliteLedger(url))
    gate = Gate(
        reader=reader,
        ledger=ledger,
        sealer=keyring,
        plugins=Plugins(plugins, discover=False),
        throttle=Throttle(guesses_per_minute=0),
    )
    index = Index(
        repository=REPOSITORY,
        catalog=catalog,
        gate=gate,
        clock=lambda: site.now,
        sender=sender,
        upstream=upstream,
    )
    app = IndexApp({prefix: index}, locate=lambda environ: proxies.locate(environ).address)
    site = Site(app, catalog, database, keyring, ledger, directory)
    try:
        yield site
    finally:
        catalog.close()
        reader.close()
        ledger.close()
        database.close()


def left_at_default(facts: FileFacts) -> frozenset[str]:
    """The facts of a file that nobody filled in."""
    return frozenset(
        one.name
        for one in fields(FileFacts)
        if getattr(facts, one.name)
        == (one.default_factory() if one.default_factory is not MISSING else one.default)
    )
