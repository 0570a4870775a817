"""What the services need from the outside, as Protocols."""

from datetime import datetime
from typing import Protocol

__all__ = ["Clock", "Sealer"]


class Clock(Protocol):
    """Tells the time; the only implementation that looks at a clock is ``services.clock``."""

    def __call__(self) -> datetime:
        """The current time, aware, UTC."""
        ...


class Sealer(Protocol):
    """Digests and seals secrets (``services.keyring``)."""

    @property
    def fingerprint(self) -> str:
        """Identifies the key."""
        ...

    def digest(self, secret: str) -> bytes:
        """The look-up key of a secret."""
        ...

    def seal(self, secret: str) -> bytes:
        """The secret encrypted."""
        ...

    def unseal(self, sealed: bytes) -> str:
        """The secret that was sealed."""
        ...
