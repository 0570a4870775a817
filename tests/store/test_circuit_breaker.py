"""After a silence one asks, the others are told at once."""

import multiprocessing
from collections.abc import Iterator
from unittest import mock

import pytest

from entitlements_core.store.circuit_breaker import ATTEMPT, REST, CircuitBreaker, circuit_of


@pytest.fixture
def now() -> Iterator[list[float]]:
    """Monotonic seconds, in a list of one."""
    seconds = [100.0]
    with mock.patch("time.monotonic", side_effect=lambda: seconds[0]):
        yield seconds


def test_one_tries_it_out_after_a_rest(now: list[float]) -> None:
    circuit = CircuitBreaker()
    assert circuit.admit() is True
    circuit.break_off()
    assert circuit.is_open
    assert circuit.admit() is None
    now[0] += REST
    assert [circuit.admit(), circuit.admit(), circuit.admit()] == [False, None, None]
    circuit.break_off()
    assert circuit.admit() is None
    now[0] += REST
    assert circuit.admit() is False
    circuit.mend()
    assert (circuit.is_open, circuit.admit()) == (False, True)


def test_an_attempt_that_nobody_heard_of_again_is_made_again(now: list[float]) -> None:
    circuit = CircuitBreaker()
    circuit.break_off()
    now[0] += REST
    assert circuit.admit() is False
    now[0] += ATTEMPT
    assert circuit.admit() is False


def test_whoever_waits_learns_that_others_gave_up(now: list[float]) -> None:
    circuit = CircuitBreaker()
    began = now[0]
    now[0] += 1
    circuit.break_off()
    assert circuit.broke_since(began)
    assert not circuit.broke_since(now[0])
    circuit.mend()
    assert not circuit.broke_since(began)


def test_however_many_suspect_a_server_one_tries_it_out(now: list[float]) -> None:
    circuit = CircuitBreaker()
    found = []
    for _ in range(3):
        circuit.suspect()
        found.append(circuit.admit())
        now[0] += 0.1
    assert found == [False, None, None]
    assert circuit.broke_since(now[0] - 0.2)


def test_connections_to_a_server_share_one_and_a_fork_begins_anew() -> None:
    circuit = circuit_of("postgresql://h/test-circuit")
    assert circuit_of("postgresql://h/test-circuit") is circuit
    circuit.break_off()
    fork = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[bool] = fork.Queue()
    child = fork.Process(target=lambda: answers.put(circuit.is_open))
    child.start()
    assert answers.get(timeout=60) is False
    child.join(60)
    assert circuit.is_open
    circuit.mend()
