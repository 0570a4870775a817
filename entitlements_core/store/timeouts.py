"""How long a database is waited for. Requests are answered soon; the work of people has time."""

from dataclasses import dataclass, replace
from typing import Final

__all__ = ["REQUESTS", "WORK", "Timeouts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Bounds in seconds, all above 0.

    Attributes:
        connect: until a PostgreSQL server has let us in, over all of its addresses together; libpq
            gives each address two seconds at least.
        answer: for all that is asked of PostgreSQL between taking a connection and giving it back;
            None bounds nothing as long as the server lets in new connections.
        lock: until a lock that another one holds is free: a row's of PostgreSQL, the whole store's
            of SQLite.
        keepalive: of silence on a network connection until TCP asks whether the host is there.
    """

    connect: float = 3.0
    answer: float | None = 5.0
    lock: float = 3.0
    keepalive: float = 10.0

    @property
    def lock_ms(self) -> int:
        """`lock` in whole milliseconds, at least one."""
        return max(1, round(self.lock * 1000))

    def for_work(self, lock: float | None = None) -> "Timeouts":
        """The same for work that may take as long as it takes."""
        return replace(self, answer=None, lock=self.lock if lock is None else lock)


REQUESTS: Final = Timeouts()
"""Of what answers requests."""
WORK: Final = Timeouts(answer=None, lock=5.0)
"""Of commands: upgrades, reports, prunes, backups."""
