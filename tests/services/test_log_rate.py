"""What happens often is told seldom, with a count."""

from entitlements_core.services.log_rate import LogRate


def test_each_thing_is_told_once_in_its_time_and_counted() -> None:
    now = [0.0]
    seldom = LogRate(60, monotonic=lambda: now[0])
    assert [seldom.due("a") for _ in range(3)] == [1, 0, 0]
    assert seldom.due("b") == 1
    now[0] = 59.9
    assert seldom.due("a") == 0
    now[0] = 60.0
    assert [seldom.due("a"), seldom.due("a")] == [4, 0]


def test_the_longest_quiet_is_forgotten_first() -> None:
    seldom = LogRate(60, capacity=2, monotonic=lambda: 0.0)
    assert [seldom.due(what) for what in "abcab"] == [1, 1, 1, 1, 1]
