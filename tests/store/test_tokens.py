"""What only the store itself promises: keys, credentials, many tokens at once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from entitlements_core.errors import Conflict, NotFound
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.terms import Terms
from entitlements_core.policy.token import TokenGrant
from entitlements_core.store.database import Database
from entitlements_core.store.models import GrantRow, SecretRow, TokenRow, UsageRow
from entitlements_core.store.moments import from_micros, to_micros
from entitlements_core.store.records import Repository
from entitlements_core.store.unit_of_work import UnitOfWork

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
NAMES = ("acme/main", "acme/extra")


@pytest.fixture
def filled(database: Database) -> Database:
    """Two repositories, and a token that opens both."""
    with database.begin() as unit:
        for name in NAMES:
            unit.repositories.add(Repository(name=name, created_at=NOW))
        _token(unit, "first")
        for name in NAMES:
            grant = TokenGrant(repository=name, limit_package_query="name:^demo$")
            unit.tokens.set_grant("first", grant)
    return database


def _token(unit: UnitOfWork, identifier: str) -> None:
    unit.tokens.insert(
        Terms(name=identifier),
        identifier=identifier,
        kind=CredentialKind.STANDARD,
        state=State.ENABLED,
        user="",
        at=NOW,
        by="test",
    )


def test_the_primary_key_keeps_a_secret_unique_in_a_repository(filled: Database) -> None:
    with filled.begin() as unit:
        _token(unit, "second")
        unit.tokens.set_grant("second", TokenGrant(repository="acme/main"))
        unit.secrets.put("first", NAMES, b"digest", sealed=None, at=NOW)
    with pytest.raises(Conflict), filled.begin() as unit:
        unit.secrets.put("second", ["acme/main"], b"digest", sealed=None, at=NOW)
    with pytest.raises(Conflict, match="already holds"):
        _insert_secret(filled)


def _insert_secret(database: Database) -> None:
    with database.begin() as unit:
        unit.session.connection().execute(
            SecretRow.__table__.insert(),  # type: ignore[attr-defined]  # SQLModel's table
            {"digest": b"digest", "repository_id": 1, "token_id": 2, "valid_until": None},
        )


def _like_the_first(unit: UnitOfWork, identifiers: Sequence[str]) -> None:
    """Tokens as the first one is, with its first grant; made at once, since they are many."""
    connection = unit.session.connection()
    tables = [model.__table__ for model in (TokenRow, UsageRow, GrantRow)]  # type: ignore[union-attr] # SQLModel's
    token, usage, grant = (
        dict(connection.execute(select(table)).mappings().first() or {}) for table in tables
    )
    news = [
        token | {"id": 1000 + number, "identifier": name, "name": name}
        for number, name in enumerate(identifiers)
    ]
    owned = [{"token_id": new["id"]} for new in news]
    for table, made in zip(
        tables, (news, [usage | one for one in owned], [grant | one for one in owned]), strict=True
    ):
        connection.execute(table.insert(), made)


def test_many_tokens_are_loaded_at_once(filled: Database) -> None:
    with filled.begin() as unit:
        _like_the_first(unit, [f"token{number}" for number in range(1_100)])
    with filled.read() as unit:
        found = unit.tokens.living_in("acme/main")
    assert len(found) == 1_101
    assert found[-1].identifier == "token1099"


def test_the_names_of_many_tokens_are_read_at_once(filled: Database) -> None:
    known = [f"token-{number:04}" for number in range(1_100)]
    with filled.begin() as unit:
        _like_the_first(unit, known)
        unit.tokens.set_state(known[7], State.DELETED, at=NOW, by="test")
        assert unit.tokens.names([*known, "nobody"]) == {name: name for name in known}
        assert unit.tokens.names([]) == {}


def test_a_repository_has_one_default_token(filled: Database) -> None:
    def add_second() -> None:
        with filled.begin() as unit:
            _token(unit, "second")
            for identifier in ("first", "second"):
                unit.tokens.set_grant(
                    identifier, TokenGrant(repository="acme/main", is_default=True)
                )

    with pytest.raises(Conflict):
        add_second()


def test_what_is_not_there(filled: Database) -> None:
    with filled.begin() as unit:
        with pytest.raises(NotFound):
            unit.tokens.touch("nobody", at=NOW, by="test")
        unit.tokens.drop_grant("first", "acme/main")
        unit.tokens.drop_grant("first", "acme/main")
        assert len(unit.tokens.get("first").grants) == 1


def test_a_moment_without_a_zone_is_never_kept() -> None:
    with pytest.raises(ValueError, match="time zone"):
        to_micros(NOW.replace(tzinfo=None))
    assert from_micros(to_micros(NOW)) == NOW


def test_a_living_secret_may_end_earlier_but_not_later(filled: Database) -> None:
    with filled.begin() as unit:
        for number, hours in enumerate((5, 9, 2)):
            unit.secrets.put(
                "first",
                NAMES,
                bytes([number]) * 32,
                sealed=None,
                at=NOW,
                previous_until=NOW + timedelta(hours=hours),
            )
        current, first, second = unit.secrets.living("first")
    assert current.valid_until is None
    assert (first.valid_until, second.valid_until) == (
        NOW + timedelta(hours=2),
        NOW + timedelta(hours=2),
    )
