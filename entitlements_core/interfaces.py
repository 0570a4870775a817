"""What the services are given from the outside, as Protocols.

What only one module asks for stands there, such as `CredentialSource` in `services.gate`.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from datetime import datetime
from typing import Protocol

from packaging.utils import NormalizedName

__all__ = ["Clock", "Progress", "Sealer", "UploadKey", "UploadTimes"]

UploadKey = tuple[str, str]
"""What an upload time belongs to: a file name and the SHA-256 of the contents."""

Progress = Callable[[int, int], None]
"""Told how much of a long work is done, and of how much."""


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


class UploadTimes(Protocol):
    """Remembers when the files of one repository came into it (``services.recorded_uploads``)."""

    def revision(self) -> Hashable:
        """Changes whenever an upload time that was given before may have changed.

        Raises:
            StoreError: when the store cannot be read.
        """
        ...

    def keep_names(self, names: Collection[NormalizedName]) -> None:
        """Remember for good that projects are the vendor's, as those are whose files `of` is given.

        Raises:
            StoreError: when the store cannot be read or written.
        """
        ...

    def of(
        self, found: Mapping[UploadKey, datetime], *, complete: bool
    ) -> Mapping[UploadKey, datetime]:
        """When files that are there were uploaded, aware, UTC; what is not known is left out.

        Args:
            found: the files, each with the time that the file system has of it.
            complete: they, and those asked for before, are everything that is there.

        Raises:
            StoreError: when the store cannot be read or written.
        """
        ...
