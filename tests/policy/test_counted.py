"""Numbers of things in sentences."""

import pytest

from entitlements_core.policy.counted import counted


@pytest.mark.parametrize(
    ("number", "noun", "verb"),
    [(0, "0 days", "0 days are"), (1, "1 day", "1 day is"), (21, "21 days", "21 days are")],
)
def test_one_is_singular(number: int, noun: str, verb: str) -> None:
    assert counted(number, "day") == noun
    assert counted(number, "day is", "days are") == verb
