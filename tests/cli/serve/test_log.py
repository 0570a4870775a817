"""What is left of what granian says."""

import logging

import pytest

from entitlements_core.cli.serve.log import Notable

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
