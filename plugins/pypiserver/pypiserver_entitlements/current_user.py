"""Who is let into pypiserver, for the length of one request.

pypiserver keeps its request in a thread-local of bottle. Under gevent with a preloaded application
that one object is shared by all greenlets, so nothing about a person is ever read from it: who asks
is found out before bottle is entered, and travels in a context variable.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

__all__ = ["AdmittedUser", "AnonymousReader", "Publisher", "Uploader", "admitted", "current_user"]


@dataclass(frozen=True, slots=True)
class Publisher:
    """Somebody whom pypiserver itself knows by name and password. May do what pypiserver lets.

    Attributes:
        user: who it is.
        stays: the project that is asked for is the vendor's, so that there is no fallback for it.
    """

    user: str
    stays: bool = False


@dataclass(frozen=True, slots=True)
class AnonymousReader:
    """Somebody without credentials, at an index that is public; `stays` as for a publisher."""

    stays: bool = False


@dataclass(frozen=True, slots=True)
class Uploader:
    """The holder of a token, with an upload that was decided as allowed.

    Attributes:
        identifier: the token's public name.
        filenames: what may be written in this request, and nothing else.
    """

    identifier: str
    filenames: frozenset[str]


AdmittedUser = Publisher | AnonymousReader | Uploader

_current: Final[ContextVar[AdmittedUser | None]] = ContextVar("entitlements_user", default=None)


def current_user() -> AdmittedUser | None:
    """Who was let in; None outside a request that was."""
    return _current.get()


@contextmanager
def admitted(user: AdmittedUser) -> Iterator[None]:
    """Let somebody in for the length of the block."""
    token = _current.set(user)
    try:
        yield
    finally:
        _current.reset(token)
