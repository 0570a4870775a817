"""Statements at the level of libpq: every value comes back as it went, and errors are errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entitlements_core.store import ledger_postgres, reader, upload_register
from entitlements_core.store import postgres as door
from entitlements_core.store import prepared_statements as module
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.postgres import BoundConnection
from entitlements_core.store.prepared_statements import run_prepared
from tests.postgres import Server

WHOLE = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)
ON_ONE_SERVER = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def connection(postgres_template: str, postgres: Server) -> Iterator[BoundConnection]:
    """A connection to a database with the schema."""
    opened = door.connect(DatabaseURL.parse(postgres.url(postgres_template)))
    yield opened
    opened.close()


@given(number=WHOLE | st.none(), text=TEXT | st.none(), data=st.binary(max_size=30))
@ON_ONE_SERVER
def test_values_come_back(
    connection: BoundConnection, number: int | None, text: str | None, data: bytes
) -> None:
    question = "SELECT ?::bigint, ?::text, encode(?::bytea, 'hex'), ?::text IS NULL"
    [rows] = run_prepared(connection, (question, (number, text, data, text)))
    assert rows == [(number, text, data.hex(), text is None)]


@given(rows=st.lists(st.tuples(WHOLE | st.none(), TEXT | st.none()), max_size=20))
@ON_ONE_SERVER
def test_arrays_come_back(
    connection: BoundConnection, rows: list[tuple[int | None, str | None]]
) -> None:
    numbers, texts = [one for one, _ in rows], [one for _, one in rows]
    question = "SELECT * FROM unnest(?::bigint[], ?::text[]) AS n(a, b)"
    [found] = run_prepared(connection, (question, (numbers, texts)))
    assert found == rows


@pytest.mark.parametrize("text", ['"', "\\", "{}", "a,b", "NULL", "null", "", " ", "'", "\\N", "?"])
def test_no_text_is_read_as_something_else(connection: BoundConnection, text: str) -> None:
    [rows] = run_prepared(connection, ("SELECT (?::text[])[1], ?::text", ([text], text)))
    assert rows == [(text, text)]


@pytest.mark.parametrize("value", ["a\0b", ["a\0b"]])
def test_a_text_with_nul_is_refused_and_never_cut(connection: BoundConnection, value: Any) -> None:  # noqa: ANN401 - of two kinds
    with pytest.raises(psycopg.DataError, match="NUL"):
        run_prepared(connection, ("SELECT ?", (value,)))


def test_what_is_no_value_of_the_store_is_refused(connection: BoundConnection) -> None:
    with pytest.raises(TypeError, match="float"):
        run_prepared(connection, ("SELECT ?::text", (1.5,)))
    with pytest.raises(psycopg.NotSupportedError, match="type 701"):
        run_prepared(connection, ("SELECT 1.5::float8", ()))


def test_several_go_out_together_and_are_prepared_once(connection: BoundConnection) -> None:
    questions = (("SELECT ?::int", (1,)), ("SELECT ?::text", ("a",)), ("SELECT ?::int", (2,)))
    for _ in range(2):
        assert run_prepared(connection, *questions) == [[(1,)], [("a",)], [(2,)]]
    assert len(connection.prepared) == 2
    assert run_prepared(connection, ("SELECT true, 5::smallint", ())) == [[(True, 5)]]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_of_a_unit_that_fails_nothing_is_left(
    connection: BoundConnection, postgres_template: str, postgres: Server, failing: int
) -> None:
    broken = ("SELECT 1 / ?::int", (0,))
    questions = [("CREATE TABLE made_by_a_test ()", ()), ("SELECT 1", ())]
    questions.insert(failing, broken)  # type: ignore[arg-type] # a question like the others
    with pytest.raises(psycopg.errors.DivisionByZero):
        run_prepared(connection, *questions)
    with door.connect(DatabaseURL.parse(postgres.url(postgres_template))) as other:
        made = "SELECT count(*) FROM pg_class WHERE relname = 'made_by_a_test'"
        assert run_prepared(other, (made, ())) == [[(0,)]]


def test_a_statement_that_cannot_be_prepared_is_an_error(connection: BoundConnection) -> None:
    with pytest.raises(psycopg.errors.SyntaxError):
        run_prepared(connection, ("SELECT FROM WHERE", ()))


def test_much_goes_both_ways(connection: BoundConnection) -> None:
    texts = [str(number) * 200 for number in range(20_000)]
    question = "SELECT t FROM unnest(?::text[]) AS n(t)"
    [found] = run_prepared(connection, (question, (texts,)))
    assert [text for (text,) in found] == texts
    twice = run_prepared(connection, (question, (texts,)), (question, (texts[:1],)))
    assert [len(rows) for rows in twice] == [len(texts), 1]


def statements() -> Iterator[Any]:
    """Every question that servers ask of the store."""
    for asking in (reader, ledger_postgres, upload_register):
        for name, value in vars(asking).items():
            if isinstance(value, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b", value):
                yield pytest.param(value, id=f"{asking.__name__.rpartition('.')[2]}.{name}")


@pytest.mark.parametrize("statement", list(statements()))
def test_every_question_has_columns_that_can_be_read(
    connection: BoundConnection, statement: str
) -> None:
    known = module._INTEGERS | module._TEXTS | {module._BOOLEAN}
    pgconn = connection.pgconn
    prepared = pgconn.prepare(b"described", module._numbered(statement))
    assert not prepared.error_message
    found = pgconn.describe_prepared(b"described")
    assert {found.ftype(column) for column in range(found.nfields)} <= known


def test_there_are_questions() -> None:
    assert len(list(statements())) > 15
