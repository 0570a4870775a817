"""Adds up tables: for a report, and for the tables of longer periods."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final

from entitlements_core.store.rollup_tables import CLIENT, LineKey, Table

__all__ = ["Sums"]

_DOWNLOADS: Final = 0
_REQUESTS: Final = 1
_BANDWIDTH: Final = 2
_LAST_AT: Final = 3
_CLIENTS: Final = 4


@dataclass(slots=True)
class Sums:
    """What was added so far, by the values of `dimensions`."""

    dimensions: tuple[str, ...]
    _lines: dict[LineKey, list[Any]] = field(default_factory=dict)
    _clients: dict[str, int] = field(default_factory=dict)
    """A number for each client's name, since sets of numbers take less room."""

    def add(self, table: Table) -> None:
        """Add the lines of a table that has at least these dimensions."""
        if len(table) == 0:
            return
        numbers = [
            self._clients.setdefault(one, len(self._clients)) for one in table.values[CLIENT]
        ]
        columns = table.numbers.values()
        rows = zip(table.keys(self.dimensions), *columns, table.groups(numbers), strict=True)
        lines = self._lines
        for key, downloads, requests, bandwidth, last_at, clients in rows:
            line = lines.get(key)
            if line is None:
                lines[key] = [downloads, requests, bandwidth, last_at, clients]
                continue
            line[_DOWNLOADS] += downloads
            line[_REQUESTS] += requests
            line[_BANDWIDTH] += bandwidth
            line[_LAST_AT] = max(line[_LAST_AT], last_at)
            known = line[_CLIENTS]
            if type(known) is not set:
                known = line[_CLIENTS] = set(known)
            known.update(clients)

    def correct(self, key: LineKey, sums: tuple[int, int, int], last_at: int, client: str) -> None:
        """Add a difference; one that takes downloads away leaves the clients as they are.

        Args:
            key: of the line.
            sums: downloads, requests, bytes.
            last_at: of the last moment, in microseconds.
            client: its name.
        """
        downloads, requests, bandwidth = sums
        number = self._clients.setdefault(client, len(self._clients))
        line = self._lines.setdefault(key, [0, 0, 0, 0, set()])
        line[_DOWNLOADS] += downloads
        line[_REQUESTS] += requests
        line[_BANDWIDTH] += bandwidth
        if downloads > 0:
            line[_LAST_AT] = max(last_at, line[_LAST_AT])
            line[_CLIENTS] = {*line[_CLIENTS], number}

    def results(self) -> Iterator[tuple[LineKey, int, int, int, int, int]]:
        """Key, downloads, requests, bytes, last moment and number of clients, in no order."""
        for key, (downloads, requests, bandwidth, last_at, clients) in self._lines.items():
            if downloads > 0:
                yield key, downloads, requests, bandwidth, last_at, len(clients)

    def table(self) -> Table:
        """All of it as a table."""
        names = sorted(self._clients)
        ranks = {self._clients[name]: rank for rank, name in enumerate(names)}
        counts, members = array("I"), array("I")
        found = sorted(self._lines.items(), key=itemgetter(0))
        if CLIENT not in self.dimensions:
            for _, line in found:
                clients = line[_CLIENTS]
                counts.append(len(clients))
                members.extend(sorted([ranks[one] for one in clients]))
        lines = [line for _, line in found]
        sums = [[line[place] for line in lines] for place in range(_CLIENTS)]
        return Table.made(self.dimensions, [key for key, _ in found], sums, counts, members, names)
