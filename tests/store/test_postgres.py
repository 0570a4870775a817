"""Connections to a PostgreSQL that is well, slow, or silent."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import text

from entitlements_core.errors import StoreError
from entitlements_core.store import postgres as door
from entitlements_core.store.circuit_breaker import circuit_of
from entitlements_core.store.connections import open_stack
from entitlements_core.store.database import Database
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import DatabaseUnreachable
from entitlements_core.store.postgres import BoundConnection, Silent
from entitlements_core.store.postgres_stack import PostgresStack
from entitlements_core.store.schema_revisions import stored_revision
from entitlements_core.store.timeouts import Timeouts
from entitlements_core.store.upload_register import UploadRegister
from tests.postgres import Server, running_server

SHORT = Timeouts(connect=1.0, answer=0.5, lock=0.2)


@pytest.fixture
def own() -> Iterator[Server]:
    """A server that the test may mistreat."""
    with running_server() as server:
        yield server


def stack_of(server: Server, timeouts: Timeouts = SHORT) -> PostgresStack:
    stack = open_stack(DatabaseURL.parse(server.url("postgres"), timeouts=timeouts))
    assert isinstance(stack, PostgresStack)
    return stack


def slept(seconds: float) -> bytes:
    return f"SELECT pg_sleep({seconds})".encode()


def test_a_slow_statement_is_ended_by_the_server_and_the_server_not_given_up(
    postgres: Server,
) -> None:
    stack = stack_of(postgres)
    with pytest.raises(StoreError) as caught:
        stack.ask(lambda connection: connection.execute(slept(20)))
    assert not isinstance(caught.value, DatabaseUnreachable)
    assert stack.ask(lambda connection: connection.execute(b"SELECT 1").fetchall()) == [(1,)]
    stack.close()


def test_a_silent_server_is_given_up_and_taken_up_again(own: Server) -> None:
    stack = stack_of(own)
    first = stack.take()
    stack.give_back(first)
    with own.silenced():
        began = time.monotonic()
        with pytest.raises(DatabaseUnreachable):
            stack.ask(lambda connection: connection.execute(b"SELECT 1").fetchall())
        assert 0.4 < time.monotonic() - began < 2
        assert first.closed
        began = time.monotonic()
        for _ in range(20):
            with pytest.raises(DatabaseUnreachable):
                stack.take()
        assert time.monotonic() - began < 0.5
        time.sleep(1.1)
        began = time.monotonic()
        with pytest.raises(DatabaseUnreachable):  # the one that tries it out
            stack.take()
        assert time.monotonic() - began < 4
    deadline = time.monotonic() + 10
    while True:
        try:
            assert stack.ask(lambda one: one.execute(b"SELECT 1").fetchall()) == [(1,)]
        except DatabaseUnreachable:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            break
    assert not circuit_of(str(DatabaseURL.parse(own.url("postgres")))).is_open
    stack.close()


def test_whoever_waits_gives_up_with_the_first(own: Server) -> None:
    stack = stack_of(own, replace(SHORT, answer=20.0))
    with closing(stack.take()) as connection, own.silenced():
        connection.began = time.monotonic() - 1
        circuit_of(str(DatabaseURL.parse(own.url("postgres")))).break_off()
        began = time.monotonic()
        with pytest.raises(Silent, match="other requests"):
            connection.execute("SELECT 1")
        assert time.monotonic() - began < 2
        assert connection.closed
    circuit_of(str(DatabaseURL.parse(own.url("postgres")))).mend()


def test_work_takes_as_long_as_it_takes(own: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "LOOK", 0.3)
    looked: list[bool] = []
    look = BoundConnection._look

    def looking(self: BoundConnection) -> None:
        looked.append(True)
        look(self)

    monkeypatch.setattr(BoundConnection, "_look", looking)
    url = own.create("work")
    address = DatabaseURL.parse(url, timeouts=SHORT)
    database = Database(address)
    database.upgrade()
    with database.begin() as unit:
        unit.session.connection().execute(text("SELECT pg_sleep(2)"))
    assert len(looked) >= 2
    with (
        closing(UploadRegister(replace(address, timeouts=SHORT.for_work()))) as register,
        register._store.transaction() as transaction,
    ):
        transaction.rows("SELECT pg_sleep(1)")
    with database.read() as unit, own.silenced():
        began = time.monotonic()
        with pytest.raises(psycopg.OperationalError) as caught:
            unit.session.connection().connection.dbapi_connection.execute("SELECT 1")  # type: ignore[union-attr] # psycopg's
        assert isinstance(caught.value, Silent)
        assert time.monotonic() - began < 6
        unit.session.invalidate()
    database.close()
    circuit_of(str(address)).mend()


def test_a_mute_server_is_one_that_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql://ann:hunter2@127.0.0.1:{mute.getsockname()[1]}/shop"
        address = DatabaseURL.parse(url, timeouts=SHORT)
        began = time.monotonic()
        for ask in (
            lambda: stored_revision(address),
            lambda: Database(address).current(),
            lambda: open_stack(address).take(),
        ):
            with pytest.raises(DatabaseUnreachable) as caught:
                ask()
            assert "hunter2" not in str(caught.value)
        assert time.monotonic() - began < 6


def test_sqlalchemy_replaces_a_connection_that_died_idle(
    postgres: Server, postgres_template: str
) -> None:
    url = postgres.create("died_idle", postgres_template)
    database = Database(url)
    for _ in range(3):
        with database.read() as unit:
            assert unit.key_fingerprint() is None
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'died_idle'"
        )
    database.close()
    postgres.drop("died_idle")


def test_a_new_connection_that_dies_is_an_error(postgres: Server) -> None:
    stack = stack_of(postgres)
    asked: list[BoundConnection] = []

    def die(connection: BoundConnection) -> object:
        asked.append(connection)
        return connection.execute("SELECT pg_terminate_backend(pg_backend_pid())").fetchall()

    with pytest.raises(StoreError):
        stack.ask(die)
    assert len(asked) == 1
    stack.give_back(stack.take())
    with pytest.raises(StoreError):
        stack.ask(die)  # the one that was idle, and then a new one
    assert len(asked) == 3
    assert all(one.closed for one in asked)
    stack.close()


def test_what_is_raised_beside_leaves_no_connection_open(postgres: Server) -> None:
    stack = stack_of(postgres)
    seen: list[BoundConnection] = []

    def fail(connection: BoundConnection) -> None:
        seen.append(connection)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stack.ask(fail)
    with pytest.raises(KeyboardInterrupt), stack.begun(seen.append):
        raise KeyboardInterrupt
    assert [one.closed for one in seen] == [True, True]


def test_options_of_the_address_win(postgres: Server) -> None:
    address = DatabaseURL.parse(
        f"{postgres.url('postgres')}&connect_timeout=7&keepalives_idle=42&application_name=shop",
        timeouts=Timeouts(keepalive=5.0),
    )
    with closing(door.connect(address)) as connection:
        given = connection.info.get_parameters()
        assert (given["connect_timeout"], given["keepalives_idle"]) == ("7", "42")
        assert (given["tcp_user_timeout"], given["keepalives_interval"]) == ("5000", "2")
        [(shown,)] = connection.execute("SHOW application_name").fetchall()
        assert shown == "shop"


def test_an_interrupted_statement_is_ended_on_the_server_too(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = stack_of(postgres, Timeouts())
    waits, seen = BoundConnection.require_time, []

    def interrupted(self: BoundConnection) -> None:
        waits(self)
        seen.append(self)
        raise KeyboardInterrupt  # as Ctrl-C is noticed while nothing comes

    monkeypatch.setattr(BoundConnection, "require_time", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stack.ask(lambda connection: connection.execute(b"SELECT pg_sleep(30), 'interrupted'"))
    assert seen[0].closed
    monkeypatch.undo()
    running = b"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30), ''interr%'"
    deadline = time.monotonic() + 10
    while stack.ask(lambda one: one.execute(running).fetchall()) != [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stack.close()
