"""Notices within a second what changes in the directories, in a thread of its own.

Changes are told by the system (inotify and its like, by `watchfiles`). Where that fails, or on a
network file system that tells nothing, the directories are listed again and again instead; the
polling of `watchfiles` is not used, because it compares times by the second and so misses the end
of a file that was written within one.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from watchfiles import watch

from entitlements_core.engine.threads import start_thread

__all__ = ["Watcher"]

_log = logging.getLogger("entitlements.engine")

_TICK_MS: Final = 100
_GROUP_MS: Final = 50
_RESCAN_SECONDS: Final = 60.0
"""The system drops events when too many happen at once, and says nothing; so look again."""

_RETRY_SECONDS: Final = 5.0
_PAUSE: Final = 0.005
_POLL_SECONDS: Final = 0.25
_POLL_SHARE: Final = 9
"""Between two listings pass at least nine times the time that one takes."""

Identities = Mapping[str, tuple[int, int] | None]


class Watched(Protocol):
    """What the watcher tells of changes."""

    def examine(self, paths: Iterable[str]) -> None:
        """Look at these absolute paths, and again at those that were still being written."""
        ...

    def rescan(self) -> None:
        """Look at everything, without waiting for files that are still being written."""
        ...


class Watcher:
    """Looks at directories, and watches them until it is stopped.

    Args:
        roots: absolute paths; they may be missing, and come and go.
        watched: is told, always from the watcher's thread.
        polling: list the directories again and again, whatever the system offers.
    """

    def __init__(self, roots: Sequence[str], watched: Watched, *, polling: bool = False) -> None:
        self._roots = roots
        self._watched = watched
        self._polling = polling
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._asked: deque[str] = deque()
        self._has_ended = False
        self._pid = os.getpid()
        # The only thread of a catalog, which looks for the first time as well. Under gevent a lock
        # that was held by a thread which has ended wakes nobody any more.
        start_thread(self._run_to_end, name="catalog-watch")

    @property
    def is_running(self) -> bool:
        """Whether the thread runs in this process; a fork does not take it along."""
        return self._pid == os.getpid() and not self._has_ended

    def recheck(self, path: str) -> None:
        """Have a path looked at soon."""
        self._asked.append(path)
        self._woken.set()

    def stop(self) -> None:
        """Stop, and wait for the thread to end."""
        self._stopped.set()
        self._woken.set()
        # Not by waiting for an event: where no greenlet could go on meanwhile, as at the end of a
        # process, gevent takes that for an error.
        while self.is_running:
            time.sleep(_PAUSE)

    def _run_to_end(self) -> None:
        try:
            self._run()
        finally:
            self._has_ended = True

    def _run(self) -> None:
        self._tell(self._watched.rescan)
        while not self._stopped.is_set():
            present = _identities(self._roots)
            try:
                if self._polling or not any(present.values()):
                    self._poll(present)
                else:
                    self._listen(present)
            except Exception as error:  # noqa: BLE001 - a thread that dies would serve old files
                if _identities(self._roots) != present:
                    continue  # a root went away just before it could be watched
                _log.warning(
                    "Changes in %s cannot be watched (%s); the directories are listed every "
                    "%s s instead",
                    ", ".join(self._roots),
                    error,
                    _POLL_SECONDS,
                )
                self._polling = True

    def _listen(self, present: Identities) -> None:
        """Run until a root appears or vanishes. Watching begins before the first scan."""
        changes = watch(
            *(root for root, identity in present.items() if identity),
            watch_filter=None,
            debounce=2 * _TICK_MS,
            step=_GROUP_MS,
            rust_timeout=_TICK_MS,
            yield_on_timeout=True,
            stop_event=self._stopped,
            raise_interrupt=False,
            force_polling=False,
        )
        rescan_at = time.monotonic()
        for changed in changes:
            if time.monotonic() >= rescan_at:
                looked = self._tell(self._watched.rescan)
                rescan_at = time.monotonic() + (_RESCAN_SECONDS if looked else _RETRY_SECONDS)
            paths = {path for _, path in changed} | self._take_asked()
            self._tell(lambda paths=paths: self._watched.examine(paths))  # type: ignore[misc]
            if _identities(self._roots) != present:
                changes.close()
                return

    def _poll(self, present: Identities) -> None:
        """Until stopped; or where only the roots were missing, until one of them is there."""
        while not self._stopped.is_set():
            started = time.monotonic()
            self._tell(self._watched.rescan)
            asked = self._take_asked()
            self._tell(lambda asked=asked: self._watched.examine(asked))  # type: ignore[misc]
            took = time.monotonic() - started
            self._woken.wait(max(_POLL_SECONDS, _POLL_SHARE * took))
            self._woken.clear()
            if not self._polling and _identities(self._roots) != present:
                return

    def _take_asked(self) -> set[str]:
        asked = set()
        while self._asked:
            asked.add(self._asked.popleft())
        return asked

    def _tell(self, call: Callable[[], None]) -> bool:
        """Whether it could be told."""
        try:
            call()
        except Exception:  # noqa: BLE001 - logged whole; the next change must be seen
            _log.exception("The catalog could not take in a change")
            return False
        return True


def _identities(roots: Iterable[str]) -> Identities:
    return {root: _identity(root) for root in roots}


def _identity(root: str) -> tuple[int, int] | None:
    try:
        found = os.stat(root)  # noqa: PTH116 - ten times a second
    except OSError:
        return None
    return found.st_dev, found.st_ino
