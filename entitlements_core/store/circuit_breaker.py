"""A circuit breaker: one request tries a database server that was silent, the others are refused.

Nothing that was read before is used in its place meanwhile.
"""

import os
import time
from typing import Final

__all__ = ["CircuitBreaker", "circuit_of"]

REST: Final = 1.0
"""Seconds after a silence until one request tries again."""
ATTEMPT: Final = 10.0
"""Seconds after which somebody else tries, where the one that tried told nothing."""


class CircuitBreaker:
    """What the requests of a process know of one database server. Threads may share it.

    It takes no lock: two attempts at once do no harm, and a lock would survive a fork.
    """

    def __init__(self) -> None:
        self.is_open = False
        """The server was silent the last time; every request looks at this."""
        self.heard_at = 0.0
        """When the server answered anybody last (monotonic)."""
        self._retry_at = 0.0
        self._broken_at = 0.0

    def admit(self) -> bool | None:
        """Whether the caller may use the server.

        Returns:
            True where it may. False where it is the one that has to try the server first, and then
            calls `mend` or `break_off`. None where it has to give up: the server was silent a
            moment ago, or somebody else is trying.
        """
        if not self.is_open:
            return True
        now = time.monotonic()
        if now < self._retry_at:
            return None
        self._retry_at = now + ATTEMPT
        return False

    def break_off(self) -> None:
        """The server was silent for longer than anybody waits."""
        self._broken_at = time.monotonic()
        self._retry_at = self._broken_at + REST
        self.is_open = True

    def suspect(self) -> None:
        """The server has said nothing for a while: who waits leaves, the next one tries it out."""
        self._broken_at = time.monotonic()
        if not self.is_open:  # else somebody tries already, and one is enough
            self._retry_at = self._broken_at
            self.is_open = True

    def mend(self) -> None:
        """The server answers."""
        self.heard_at = time.monotonic()
        self.is_open = False

    def broke_since(self, moment: float) -> bool:
        """Whether others gave up after `moment` (monotonic), so that waiting on is in vain."""
        return self.is_open and self._broken_at > moment


_circuits: Final[dict[str, CircuitBreaker]] = {}


def circuit_of(server: str) -> CircuitBreaker:
    """The circuit that all connections of this process to `server` share."""
    return _circuits.setdefault(server, CircuitBreaker())


def _forget() -> None:
    """A forked child asks for itself."""
    for circuit in list(_circuits.values()):
        circuit.mend()


os.register_at_fork(after_in_child=_forget)
