"""Threads that go on whatever a server does with its own."""

import _thread
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Final

__all__ = ["are_greenlets", "start_thread"]

_GEVENT: Final = "gevent.monkey"


def are_greenlets() -> bool:
    """Whether what calls itself a thread is a greenlet of gevent's by now."""
    gevent: ModuleType | None = sys.modules.get(_GEVENT)
    return gevent is not None and bool(gevent.is_module_patched("threading"))


def start_thread(target: Callable[[], None], *, name: str) -> None:
    """Run `target` in a thread of the system that does not keep the process alive.

    Under gevent, what calls itself a thread is a greenlet: one that waits for the file system, or
    reads and hashes files, would hold up every request of the process. So the real one is asked
    for there.
    """
    gevent: ModuleType | None = sys.modules.get(_GEVENT)
    if gevent is not None and are_greenlets():
        gevent.get_original("_thread", "start_new_thread")(target, ())
    elif gevent is not None:
        # It may still patch `threading`, which would then not find the thread in its books.
        _thread.start_new_thread(target, ())
    else:
        threading.Thread(target=target, name=name, daemon=True).start()
