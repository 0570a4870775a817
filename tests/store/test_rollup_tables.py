"""Sums in columns: what goes in comes out, and adds up as the same lines would one by one."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.store.rollup_periods import DAILY, KINDS, kind_for
from entitlements_core.store.rollup_sums import Sums
from entitlements_core.store.rollup_tables import Line, Table

DAILY_LINE = st.tuples(
    st.tuples(
        st.integers(1, 4),
        st.integers(1, 3),
        st.sampled_from(["foo", "bar", "größe"]),
        st.sampled_from(["1.0", "2.0"]),
        st.sampled_from(["a.whl", "b\n.whl", "\ud800.whl"]),
        st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::/64"]),
        st.sampled_from(["", "pip/26", '"uv"']),
        st.integers(20_000, 20_003),
    ),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 1 << 60),
    st.integers(0, 1 << 52),
)
LINES = st.lists(DAILY_LINE, max_size=30, unique_by=lambda line: line[0])
DIMENSIONS = st.lists(st.sampled_from(DAILY), unique=True).map(tuple)


def table(lines: list[tuple[Any, ...]]) -> Table:
    full: list[Line] = [(*line, (line[0][5],)) for line in sorted(lines)]
    return Table.of(DAILY, full)


def added_up(
    lines: list[tuple[Any, ...]], dimensions: tuple[str, ...]
) -> dict[tuple[Any, ...], tuple[int, int, int, int, int]]:
    groups: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for line in lines:
        groups[tuple(line[0][DAILY.index(name)] for name in dimensions)].append(line)
    return {
        key: (
            sum(line[1] for line in group),
            sum(line[2] for line in group),
            sum(line[3] for line in group),
            max(line[4] for line in group),
            len({line[0][5] for line in group}),
        )
        for key, group in groups.items()
    }


@given(lines=LINES)
def test_a_table_is_read_as_it_was_written(lines: list[tuple[Any, ...]]) -> None:
    written = table(lines)
    read = Table.decode(written.encode())
    assert read == written
    assert [(line[0], *line[1:5]) for line in read.lines()] == sorted(lines)
    assert read.encode() == written.encode()
    assert read.totals() == tuple(sum(line[place] for line in lines) for place in (1, 2, 3))


def test_many_values_take_more_room_each() -> None:
    many = [((1, 1, "p", "1", "f", f"{one}", "", 1), 1, 1, 1, 1) for one in range(70_000)]
    written = table(many)
    assert Table.decode(written.encode()) == written


@given(lines=LINES, more=LINES, dimensions=DIMENSIONS, kind=st.sampled_from([DAILY, *KINDS]))
def test_tables_add_up_in_one_step_or_in_two(
    lines: list[tuple[Any, ...]],
    more: list[tuple[Any, ...]],
    dimensions: tuple[str, ...],
    kind: tuple[str, ...],
) -> None:
    """Through the table of a kind, the sums are those of the lines themselves."""
    dimensions = tuple(name for name in dimensions if name in kind)
    halfway, sums = Sums(kind), Sums(dimensions)
    for one in (table(lines), table(more)):
        halfway.add(Table.decode(one.encode()))
    sums.add(Table.decode(halfway.table().encode()))
    assert {line[0]: line[1:] for line in sums.results()} == added_up([*lines, *more], dimensions)


@given(
    lines=LINES,
    kind=st.sampled_from([DAILY, *KINDS]),
    name=st.sampled_from(["token", "repository"]),
    wanted=st.frozensets(st.integers(1, 5)),
)
def test_lines_are_picked_by_a_token_or_a_repository(
    lines: list[tuple[Any, ...]], kind: tuple[str, ...], name: str, wanted: frozenset[int]
) -> None:
    if name not in kind:
        return
    sums, picked = Sums(kind), Sums(kind)
    sums.add(table(lines))
    picked.add(Table.decode(sums.table().encode()).only(name, wanted))
    place = DAILY.index(name)
    expected = added_up([line for line in lines if line[0][place] in wanted], kind)
    assert {line[0]: line[1:] for line in picked.results()} == expected


@given(dimensions=DIMENSIONS)
def test_a_kind_has_what_is_asked_for(dimensions: tuple[str, ...]) -> None:
    kind = kind_for(dimensions)
    assert set(dimensions) <= set(kind)
    assert kind in {DAILY, *KINDS}
