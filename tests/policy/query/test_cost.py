"""No query is slow: text is looked at once, whatever the pattern."""

import pytest

from entitlements_core.policy.query.patterns import text_test
from entitlements_core.policy.query.syntax import TextPattern


class Meter(str):
    """A text that counts how many of its characters are searched."""

    __slots__ = ("searched",)
    searched: int

    def find(self, part: str, start: int = 0, end: int | None = None, /) -> int:  # type: ignore[override]  # narrower on purpose
        stop = len(self) if end is None else end
        found = super().find(part, start, stop)
        self.searched += (stop if found < 0 else found + len(part)) - start
        return found


def searched(parts: tuple[str, ...], text: str, *, anchored: bool) -> int:
    meter = Meter(text)
    meter.searched = 0
    text_test(TextPattern(anchored, anchored, parts))(meter)
    return meter.searched


@pytest.mark.parametrize("anchored", [True, False])
@pytest.mark.parametrize(
    "parts", [("a",) * 300 + ("b",), ("aa",) * 200 + ("b",), ("", "a", "b") * 100, ("ab",) * 100]
)
def test_every_character_is_searched_once(parts: tuple[str, ...], anchored: bool) -> None:  # noqa: FBT001 - a table
    for length in (100, 10_000, 100_000):
        text = "a" * length
        assert searched(parts, text, anchored=anchored) <= length
        assert searched(parts, text + "b", anchored=anchored) <= length + 1


def test_the_meter_counts() -> None:
    assert searched(("a", "b", "c"), "a" * 50 + "b", anchored=False) > 0
