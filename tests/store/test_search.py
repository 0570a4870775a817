"""A token search in SQL finds what the same search finds in Python."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.limits import Usage
from entitlements_core.policy.query.logic import Predicate, compose
from entitlements_core.policy.query.patterns import text_test
from entitlements_core.policy.query.syntax import (
    Choice,
    Comparison,
    DateRange,
    Flag,
    Number,
    Term,
    TextPattern,
)
from entitlements_core.policy.terms import Terms
from entitlements_core.policy.token import Token
from entitlements_core.policy.token_search import parse_token_search
from entitlements_core.store.database import Database
from entitlements_core.store.models import UsageRow
from entitlements_core.store.records import ListFilter

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
EVERYTHING = ListFilter(disabled=True, deleted=True, all_users=True)

TERMS = (
    Terms(name="Acme Corp", tags=("gold", "emea"), metadata={"plan": {"tier": "Gold"}, "n": 5}),
    Terms(name="acme_100%", limit_num_downloads=3, limit_date_range_to=NOW + DAY),
    Terms(name="Ünïcode & Söhne", limit_date_range_from=NOW + DAY, metadata={"plan": "gold"}),
    Terms(name="back\\slash", limit_bandwidth=2, limit_bandwidth_unit="Gigabyte"),
    Terms(name="'; DROP TABLE tokens; --", limit_bandwidth=0, limit_bandwidth_unit="Yottabyte"),
    Terms(name='"quoted"', limit_date_range_to=NOW, tags=("trial",), metadata={"ok": True}),
    Terms(name="ann", owner="acme", metadata={"n": 15, "list": [1], "none": None}),
    Terms(name="bob", limit_num_clients=2, limit_num_downloads=100),
    Terms(name="off", limit_num_downloads=0, metadata={"ok": False}),
    Terms(name="gone", limit_date_range_to=NOW - DAY),
)
STATES = {"off": State.DISABLED, "gone": State.DELETED}
USERS = {"ann": "ann", "bob": "Bob_B"}
USAGE = {
    "acme_100%": Usage(since=NOW - DAY, downloads=3, clients=1, bandwidth=10),
    "bob": Usage(since=NOW - 2 * DAY, downloads=7, clients=2, bandwidth=3_000_000_000),
    "back\\slash": Usage(since=NOW - DAY, downloads=1, clients=1, bandwidth=1_999_999_999),
}


@pytest.fixture
def tokens(database: Database) -> tuple[Token, ...]:
    """Tokens of every kind and state."""
    with database.begin() as unit:
        for number, terms in enumerate(TERMS):
            user = USERS.get(terms.name, "")
            unit.tokens.insert(
                terms,
                identifier=f"token{number}",
                kind=CredentialKind.USER if user else CredentialKind.STANDARD,
                state=STATES.get(terms.name, State.ENABLED),
                user=user,
                at=NOW - number * DAY,
                by="test",
            )
            if terms.name in USAGE:
                _use(unit.session, number, USAGE[terms.name])
    with database.read() as unit:
        return unit.lists.page(now=NOW, list_filter=EVERYTHING).items


def _use(session: Any, number: int, usage: Usage) -> None:  # noqa: ANN401 - a session
    row = session.get(UsageRow, number + 1)
    row.since, row.downloads, row.clients = usage.since, usage.downloads, usage.clients
    row.bandwidth, row.last_used_at = usage.bandwidth, NOW - DAY
    session.add(row)


def _found(database: Database, query: str) -> list[str]:
    search = parse_token_search(query, now=NOW)
    with database.read() as unit:
        page = unit.lists.page(now=NOW, list_filter=EVERYTHING, search=search)
    return sorted(token.name for token in page.items)


def _expected(tokens: tuple[Token, ...], query: str) -> list[str]:
    test = compose(parse_token_search(query, now=NOW), _leaf)
    return sorted(token.name for token in tokens if test(token))


def _leaf(term: Term, positive: bool) -> Predicate[Token]:  # noqa: FBT001 - called by `compose`
    def ask(token: Token) -> bool:
        if term.field == "tag":
            return any(_holds(term, tag) for tag in token.tags) is positive
        value = _value(token, term.field)
        # What is not there is neither true nor false.
        return value is not None and _holds(term, value) is positive

    return ask


def _holds(term: Term, value: Any) -> bool:  # noqa: ANN401 - of any field
    match term.value:
        case TextPattern() as pattern:
            return text_test(pattern)(str(value).lower())
        case Number(wanted):
            outcomes: dict[Comparison, bool] = {
                Comparison.EQ: value == wanted,
                Comparison.GT: value > wanted,
                Comparison.GE: value >= wanted,
                Comparison.LT: value < wanted,
                Comparison.LE: value <= wanted,
            }
            return outcomes[term.comparison]
        case DateRange() as moments:
            low, high = moments.bounds(term.comparison)
            return (low is None or low <= value) and (high is None or value < high)
        case Flag(wanted) | Choice(wanted):
            return bool(value == wanted)
    raise AssertionError(term)


def _value(token: Token, field: str) -> object:
    if field.startswith("metadata."):
        found: object = token.metadata
        for key in field.split(".")[1:]:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, bool):
            return "true" if found else "false"
        return str(found) if isinstance(found, str | int | float) else None
    unlimited = token.limit_bandwidth is None
    values: dict[str, Callable[[], object]] = {
        "name": lambda: token.name,
        "identifier": lambda: token.identifier,
        "user": lambda: token.user,
        "active": lambda: token.state is State.ENABLED,
        "state": lambda: token.status(NOW).value,
        "token_type": lambda: "user" if token.kind is CredentialKind.USER else "standard",
        "clients": lambda: token.usage.clients,
        "downloads": lambda: token.usage.downloads,
        "bandwidth_usage": lambda: token.usage.bandwidth,
        "bandwidth_limit": lambda: token.limit_bandwidth,
        "bandwidth_limit_unit": lambda: None if unlimited else token.limit_bandwidth_unit,
        "created": lambda: token.created_at,
        "last_reset": lambda: token.usage.since,
        "last_used": lambda: token.last_used_at,
        "limit_date_from": lambda: token.limit_date_range_from,
        "limit_date_to": lambda: token.limit_date_range_to,
    }
    return values[field]()


QUERIES = (
    *("acme", "name:^acme", "name:^acme_100%$", "name:100%", "name:a*c", "name:corp$", "name:_"),
    *("name:ÜNÏCODE", "name:söhne$", r'name:"back\\slash"', "name:'DROP TABLE'", "name:~acme"),
    *("identifier:^token3$", "active:true", "active:false", "active:~true", "user:bob", "user:b_"),
    *("NOT user:ann", "token_type:user", "token_type:standard", "tag:gold", "NOT tag:gold"),
    *("tag:^trial$", "tag:~emea", "tag:o*d", "clients:>1", "clients:2", "downloads:>=3"),
    *("downloads:<1", "bandwidth_usage:>2GB", "bandwidth_usage:<=10", "bandwidth_limit:2"),
    *("bandwidth_limit:>0", "NOT bandwidth_limit:2", "bandwidth_limit_unit:GB"),
    *("bandwidth_limit_unit:~GB", "created:2026-03-15", "created:<2026-03-10"),
    *("created:>='1 week ago'", "last_reset:>2026-03-13", "last_used:2026-03-14"),
    *("last_used:<'1 month ago'", "limit_date_from:>2026-03-15", "expires:<'in 1 day'"),
    *("limit_date_to:<=2026-03-15", "NOT expires:>2026-03-15", "metadata.plan:gold"),
    *("metadata.plan.tier:^gold$", "metadata.plan:~gold", "metadata.n:5", "metadata.n:^5$"),
    *("metadata.ok:true", "metadata.ok:false", "metadata.list:1", "metadata.none:x"),
    *("metadata.no.such:x", "state:enabled", "state:disabled"),
    *("state:deleted", "state:expired", "state:not_yet_valid", "state:limited"),
    *("NOT state:enabled", "acme OR (downloads:>0 AND NOT user:bob)", "acme AND NOT tag:gold"),
    *("NOT (metadata.plan:gold OR limit_date_to:>2026-03-15)", "name:^*$", "name:*"),
)


def _parsable(query: str) -> bool:
    try:
        parse_token_search(query, now=NOW)
    except ValueError:
        return False
    return True


def test_the_database_finds_what_python_finds(
    database: Database, tokens: tuple[Token, ...]
) -> None:
    different = {
        query: (_found(database, query), _expected(tokens, query))
        for query in QUERIES
        if _found(database, query) != _expected(tokens, query)
    }
    assert different == {}


def test_the_table_finds_something_for_every_field(tokens: tuple[Token, ...]) -> None:
    found = [query for query in QUERIES if _expected(tokens, query)]
    assert len(found) > len(QUERIES) * 3 // 4


WORDS = st.sampled_from(["acme", "a", "%", "_", "\\\\", "ü", "Ü", "o", "'", "100%", "GOLD", "5"])
PATTERNS = st.sampled_from(["a*e", "^a", "n$", "^gold$", "^*o", "~a*c", "*", "^ann$"])
TEXT_FIELDS = st.sampled_from(
    ["name", "identifier", "user", "tag", "metadata.plan", "metadata.plan.tier", "metadata.n"]
)
NUMBERS = st.builds(
    "{}:{}{}".format,
    st.sampled_from(["clients", "downloads", "bandwidth_usage", "bandwidth_limit"]),
    st.sampled_from(["", ">", ">=", "<", "<="]),
    st.integers(0, 8),
)
DATES = st.builds(
    "{}:{}2026-03-{:02}".format,
    st.sampled_from(["created", "last_reset", "last_used", "expires", "limit_date_from"]),
    st.sampled_from(["", ">", ">=", "<", "<="]),
    st.integers(5, 20),
)
CHOICES = st.builds(
    "state:{}".format,
    st.sampled_from(["enabled", "disabled", "deleted", "expired", "not_yet_valid", "limited"]),
)
TEXTS = st.builds('{}:{}"{}"'.format, TEXT_FIELDS, st.sampled_from(["", "~"]), WORDS)
LEAVES = st.one_of(TEXTS, st.builds("{}:{}".format, TEXT_FIELDS, PATTERNS), NUMBERS, DATES, CHOICES)
SEARCHES = st.recursive(
    st.one_of(LEAVES, st.builds("NOT {}".format, LEAVES)),
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=6,
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(query=SEARCHES.filter(_parsable))
def test_any_search(database: Database, tokens: tuple[Token, ...], query: str) -> None:
    assert _found(database, query) == _expected(tokens, query)


def test_other_collations(database: Database, tokens: tuple[Token, ...]) -> None:
    """A PostgreSQL without collations of its own folds the case of ASCII at least."""
    from sqlmodel import select

    from entitlements_core.store.models import TokenRow
    from entitlements_core.store.search import Search

    dialect = "sqlite" if database.url.is_sqlite else "postgresql"
    condition = Search(dialect, NOW).condition(parse_token_search("ACME", now=NOW))
    with database.read() as unit:
        names = unit.session.exec(select(TokenRow.name).where(condition)).all()
    assert sorted(names) == ["Acme Corp", "acme_100%"]


def test_a_key_that_sqlite_cannot_name_is_not_there(
    database: Database, tokens: tuple[Token, ...]
) -> None:
    pattern = TextPattern(anchored_start=False, anchored_end=False, parts=("x",))
    with database.read() as unit:
        found = unit.lists.page(now=NOW, search=Term(field='metadata.a"b', value=pattern))
    assert found.total == 0


@pytest.fixture(autouse=True)
def _no_leftovers(database: Database) -> Iterator[None]:
    yield
    database.close()
