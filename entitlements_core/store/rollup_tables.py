"""Sums of counted downloads in compressed columns: a day of a busy store in a few kilobytes.

A table has a line for each combination of values of its dimensions, with what was counted and
which clients it were. Clients are kept one by one, since how many distinct ones there are in two
lines together cannot be told from how many there are in each.
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Final

__all__ = ["CLIENT", "Line", "LineKey", "Table"]

LineKey = tuple[Any, ...]
"""The values of a line's dimensions, in their order; numbers of rows for tokens and repositories,
days since 1970 for days, else texts."""
Line = tuple[LineKey, int, int, int, int, Iterable[str]]
"""Key, downloads, requests, bytes, the moment of the last one in microseconds, and the clients."""

CLIENT: Final = "client"
_COMPRESSION: Final = 3
_SHORT: Final = 1 << 16
_NUMBERS: Final = ("downloads", "requests", "bandwidth", "last_at")
_BIG_ENDIAN: Final = sys.byteorder == "big"


@dataclass(frozen=True)
class Table:
    """Lines in columns.

    Attributes:
        dimensions: what the lines are told apart by.
        values: for each dimension, and for the clients where they are none, the distinct values.
        places: for each dimension, which of the values a line has.
        numbers: downloads, requests, bytes and last moment of each line.
        counts: how many clients each line has; empty where a line is of one client.
        members: which clients, line after line.
    """

    dimensions: tuple[str, ...]
    values: dict[str, list[Any]]
    places: dict[str, array[int]]
    numbers: dict[str, array[int]]
    counts: array[int]
    members: array[int]

    def __len__(self) -> int:
        return len(self.numbers["downloads"])

    @classmethod
    def of(cls, dimensions: tuple[str, ...], lines: Iterable[Line]) -> Table:
        """The table of `lines`, which are in the order of their keys, no key twice."""
        keys, *sums, groups = _turned(lines, len(_NUMBERS) + 2)
        clients = () if CLIENT in dimensions else [one for group in groups for one in group]
        names = sorted(set(clients))
        numbers = {name: number for number, name in enumerate(names)}
        counts = () if CLIENT in dimensions else map(len, groups)
        members = array("I", map(numbers.__getitem__, clients))
        return cls.made(dimensions, keys, sums, array("I", counts), members, names)

    @classmethod
    def made(  # noqa: PLR0913, PLR0917 - the columns of a table
        cls,
        dimensions: tuple[str, ...],
        keys: Sequence[LineKey],
        sums: Sequence[Sequence[int]],
        counts: array[int],
        members: array[int],
        clients: list[str],
    ) -> Table:
        """As `of`, where the clients of the lines are numbered already."""
        values: dict[str, list[Any]] = {}
        places: dict[str, array[int]] = {}
        for name, column in zip(dimensions, _turned(keys, len(dimensions)), strict=True):
            values[name] = list(dict.fromkeys(column))
            numbers = {value: number for number, value in enumerate(values[name])}
            places[name] = array("I", map(numbers.__getitem__, column))
        values.setdefault(CLIENT, clients)
        totals = {name: array("q", column) for name, column in zip(_NUMBERS, sums, strict=True)}
        return cls(dimensions, values, places, totals, counts, members)

    @classmethod
    def decode(cls, body: bytes) -> Table:
        """The table that `encode` wrote."""
        data = memoryview(zlib.decompress(body))
        size = int.from_bytes(data[:8], "little")
        head = json.loads(bytes(data[8 : 8 + size]))
        reader = _Columns(data[8 + size :])
        dimensions, lines = tuple(head["dimensions"]), head["lines"]
        values: dict[str, list[Any]] = head["values"]
        return cls(
            dimensions=dimensions,
            values=values,
            places={name: reader.take(_code(values[name]), lines) for name in dimensions},
            numbers={name: reader.take("q", lines) for name in _NUMBERS},
            counts=reader.take("I", 0 if CLIENT in dimensions else lines),
            members=reader.take(_code(values[CLIENT]), head["members"]),
        )

    def encode(self) -> bytes:
        """The table in a form to be stored; it says what it is made of."""
        head = {
            "dimensions": self.dimensions,
            "lines": len(self),
            "members": len(self.members),
            "values": self.values,
        }
        text = json.dumps(head, separators=(",", ":")).encode()
        columns = [array(_code(self.values[name]), self.places[name]) for name in self.dimensions]
        columns += [self.numbers[name] for name in _NUMBERS]
        columns += [self.counts, array(_code(self.values[CLIENT]), self.members)]
        parts = [len(text).to_bytes(8, "little"), text, *map(_written, columns)]
        return zlib.compress(b"".join(parts), _COMPRESSION)

    def totals(self) -> tuple[int, int, int]:
        """Downloads, requests and bytes of all lines."""
        downloads, requests, bandwidth, _ = self._sums
        return sum(downloads), sum(requests), sum(bandwidth)

    def keys(self, dimensions: Sequence[str]) -> Iterator[LineKey]:
        """The values that each line has in `dimensions`, which are some of its own."""
        if not dimensions:
            return iter([()] * len(self))
        return zip(*(self._column(name) for name in dimensions), strict=True)

    def groups(self, numbers: Sequence[int]) -> Iterator[Sequence[int]]:
        """The clients of each line; `numbers` says what to call each of ``values["client"]``."""
        call = numbers.__getitem__
        if CLIENT in self.dimensions:
            return ((call(place),) for place in self.places[CLIENT])
        named = list(map(call, self.members))
        return (
            named[end - count : end] for count, end in zip(self.counts, self._ends, strict=True)
        )

    def lines(self) -> Iterator[Line]:
        """The lines, the clients by name."""
        names = self.values[CLIENT]
        groups = self.groups(range(len(names)))
        rows = zip(self.keys(self.dimensions), *self._sums, groups, strict=True)
        for key, downloads, requests, bandwidth, last_at, members in rows:
            yield key, downloads, requests, bandwidth, last_at, [names[one] for one in members]

    def only(self, name: str, wanted: frozenset[int]) -> Table:
        """The lines whose value in a dimension is one of `wanted`."""
        column = self.places[name]
        found = {place for place, value in enumerate(self.values[name]) if value in wanted}
        if len(found) == len(self.values[name]):
            return self
        if len(found) == 1 and self.dimensions[:1] == (name,):  # lines are in its order
            (place,) = found
            begin = bisect_left(column, place)
            return self._picked(range(begin, bisect_left(column, place + 1, begin)))
        return self._picked([line for line, place in enumerate(column) if place in found])

    def _picked(self, lines: Sequence[int]) -> Table:
        counts, members = array("I"), array(self.members.typecode)
        if self.counts:
            for line in lines:
                counts.append(self.counts[line])
                end = self._ends[line]
                members.extend(self.members[end - self.counts[line] : end])
        return Table(
            self.dimensions,
            self.values,
            {name: _some(column, lines) for name, column in self.places.items()},
            {name: _some(column, lines) for name, column in self.numbers.items()},
            counts,
            members,
        )

    @property
    def _sums(self) -> list[array[int]]:
        return [self.numbers[name] for name in _NUMBERS]

    @cached_property
    def _ends(self) -> array[int]:
        ends, end = array("q"), 0
        for count in self.counts:
            end += count
            ends.append(end)
        return ends

    def _column(self, name: str) -> Iterator[Any]:
        return map(self.values[name].__getitem__, self.places[name])


class _Columns:
    """Columns, one after the other, in bytes."""

    def __init__(self, data: memoryview) -> None:
        self._data = data

    def take(self, code: str, length: int) -> array[int]:
        column = array(code)
        size = length * column.itemsize
        column.frombytes(self._data[:size])
        self._data = self._data[size:]
        if _BIG_ENDIAN:  # pragma: no cover - nobody has one
            column.byteswap()
        return column


def _turned(rows: Iterable[Sequence[Any]], width: int) -> Sequence[Sequence[Any]]:
    """Rows as columns."""
    return list(zip(*rows, strict=True)) or [()] * width


def _code(values: Sequence[object]) -> str:
    return "H" if len(values) <= _SHORT else "I"


def _written(column: array[int]) -> bytes:
    if _BIG_ENDIAN:  # pragma: no cover - nobody has one
        column = array(column.typecode, column)
        column.byteswap()
    return column.tobytes()


def _some(column: array[int], lines: Sequence[int]) -> array[int]:
    if isinstance(lines, range):
        return column[lines.start : lines.stop]
    picked = itemgetter(*lines)(column) if len(lines) > 1 else [column[line] for line in lines]
    return array(column.typecode, picked)
