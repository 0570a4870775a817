"""What is left of what granian says."""

import logging

import pytest

from entitlements_core.cli.serve.log import FAREWELL, Notable

SAID = {
    "Killing worker-1 after it refused to gracefully stop": (
        "stopped; what was still being sent after 10 seconds was cut off"
    ),
    "Respawning worker-1": "Respawning worker-1",
    "Something is wrong": "Something is wrong",
}


@pytest.mark.parametrize(("said", "told"), SAID.items())
def test_a_stop_is_told_in_words(said: str, told: str) -> None:
    record = logging.LogRecord("_granian", logging.WARNING, "", 0, said, (), None)
    assert Notable().filter(record)
    assert record.getMessage() == told


def test_a_worker_that_ended_in_time_was_not_cut_off() -> None:
    """Granian may look at a worker between its end and the moment when that is known."""
    stopping = logging.LogRecord("_granian", logging.INFO, "", 0, "Shutting down granian", (), None)
    killing = logging.LogRecord("_granian", logging.WARNING, "", 0, "Killing worker-1", (), None)
    notable = Notable()

    assert not notable.filter(stopping)
    killing.created = stopping.created + FAREWELL - 0.1
    assert not notable.filter(killing)
    killing.created = stopping.created + FAREWELL
    assert notable.filter(killing)
