"""`serve` on granian: processes that are started again when they end by themselves."""

import logging.config
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, Final

from entitlements_core.cli.serve.listener import ServeOptions
from entitlements_core.cli.serve.log import FAREWELL, LOGGING
from entitlements_core.errors import ConfigurationError, EntitlementsError

if TYPE_CHECKING:
    from entitlements_core.engine.app import IndexApp
    from entitlements_core.services.settings import Settings

__all__ = ["MOST_STARTS", "Respawned", "environment", "run_granian"]

APPLICATION: Final = "entitlements_core.engine.serving:create_app"
_ACCESS_FORMAT: Final = '[%(time)s] %(addr)s "%(method)s %(path)s" %(status)d %(dt_ms).3f ms'
PATIENCE: Final = 10.0
"""Seconds that a worker waits for its catalog, which is in the cache by then."""
_LOOK: Final = 0.02
"""Seconds between two looks at it."""
_COURTESY: Final = 3.0
"""Seconds in which who is told to end, with all others, tells its workers as well."""
MOST_STARTS: Final = 9
"""Of workers again, in a minute; the next one that ends then ends the server."""


class Respawned(dict[int, float]):
    """When each worker was started again last, by its number, in monotonic seconds.

    granian asks for a worker that has just ended, and gives up where it was started a moment ago.
    It forgets all others each time, so that two workers that end in turn would go on for ever.
    """

    def __init__(self) -> None:
        super().__init__()
        self._starts: deque[float] = deque(maxlen=MOST_STARTS)

    def clear(self) -> None:
        """Keep them."""

    def __setitem__(self, worker: int, now: float) -> None:
        """A worker is started again."""
        super().__setitem__(worker, now)
        self._starts.append(now)

    def get(self, worker: int, default: Any = None) -> Any:  # noqa: ANN401 - as a dictionary's
        """When it was, or the last start of all where there are too many."""
        now = time.monotonic()
        if len(self._starts) == MOST_STARTS and now - self._starts[0] < 60:  # noqa: PLR2004 - a minute
            return now
        return super().get(worker, default)


def run_granian(options: ServeOptions, settings: "Settings") -> None:
    """Serve with granian until a signal ends it.

    A worker that ends by itself, or is killed, is started again and that is logged. One that ends
    once more within five seconds, or the tenth in a minute, ends the server, whose supervisor then
    knows of it.

    Raises:
        ConfigurationError: when a proxy shall say where requests come from in a header that granian
            cannot tell from another one.
    """
    proxies = settings.proxies
    if proxies and not proxies.header:
        raise ConfigurationError(
            "granian cannot tell X-Forwarded-For from X_Forwarded_For, which a client may send.",
            "Let the proxy drop names with '_', as nginx does, and set"
            " ENTITLEMENTS_FORWARDED_HEADER=X-Forwarded-For; or let it write the header Forwarded,"
            " and name that one; or use --server waitress.",
        )
    if options.bound.family == socket.AF_INET6 and options.bound.getsockname()[3]:
        raise ConfigurationError(
            f"granian cannot listen on {options.host}, which is an address of one interface only.",
            "Choose another --host, or use --server waitress.",
        )
    from granian.constants import HTTPModes, Interfaces  # noqa: PLC0415 - an extra
    from granian.log import LogLevels  # noqa: PLC0415 - an extra
    from granian.server import Server  # noqa: PLC0415 - an extra

    from entitlements_core.services.settings import (  # noqa: PLC0415 - a fast start
        FORMER_REPOSITORY,
    )

    os.environ.update(environment(settings))
    os.environ.pop(FORMER_REPOSITORY, None)  # the former name, perhaps of another one
    # After a fork, locks that this process's threads hold would stay locked in the worker.
    multiprocessing.set_start_method("spawn", force=True)
    if sys.platform == "linux":
        # Each worker binds a socket of its own to the same address. Ours stays open, since it keeps
        # a second server from binding there, too, and getting half of the requests.
        options.bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    else:
        options.bound.close()

    class DeafServer(Server):  # type: ignore[misc,valid-type] # one of two, by the interpreter
        """Its workers end when it says so, and not at Ctrl-C."""

        interrupt_signal: bool

        def signal_handler_interrupt(self, *_: object) -> None:
            """End; only the first order counts."""
            if not self.interrupt_signal:
                self.interrupt_signal = True
                # By a thread, since this one may be interrupted while it holds the event's lock.
                threading.Thread(target=self.main_loop_interrupt.set).start()

        def _spawn_workers(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as granian's
            with _deaf():
                super()._spawn_workers(*arguments, **options)

        def _respawn_workers(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - likewise
            with _deaf():
                super()._respawn_workers(*arguments, **options)

    server = DeafServer(
        APPLICATION,
        address=options.host,
        port=options.port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=options.workers,
        blocking_threads=options.threads,
        workers_kill_timeout=FAREWELL,
        respawn_failed_workers=True,
        log_level=LogLevels.info,
        log_dictconfig=dict(LOGGING),
        log_access=options.access_log,
        log_access_format=_ACCESS_FORMAT,
    )
    server.respawned_wrks = Respawned()
    # granian's own loader would look for the application in the working directory first.
    server.serve(target_loader=_work, wrap_loader=False)


@contextmanager
def _deaf() -> Iterator[None]:
    """Workers that start in this block hear no Ctrl-C, which a terminal sends to them as well.

    One that just starts would end with a traceback, and one that serves would be told to end twice,
    see `_hear_once`. What this thread blocks when it starts them, they block for good.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which lets the signal through when it starts
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _hear_once() -> None:
    """Pass the first order to end on to granian, and no other.

    A supervisor may send it to all processes, and then granian sends its own: a worker that hears
    two at once never ends.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def pass_on() -> None:
        _await_order()
        handler = signal.getsignal(signal.SIGTERM)
        if not callable(handler):
            os._exit(128 + signal.SIGTERM)  # it does not serve yet
        handler(signal.SIGTERM, None)

    threading.Thread(target=pass_on, daemon=True).start()


def _await_order() -> None:
    """Wait for the order to end; where somebody else gave it, until granian had time to hear it.

    It takes a worker that ends before its own order for one that failed.
    """
    if sys.platform != "linux":
        signal.sigwait({signal.SIGTERM})
        return
    order = signal.sigwaitinfo({signal.SIGTERM})
    if order.si_pid not in {os.getppid(), os.getpid()}:
        signal.sigtimedwait({signal.SIGTERM}, _COURTESY)


def _work() -> "IndexApp":
    """The application, in a worker, which ends when it is told to, or its parent is no more."""
    _hear_once()
    threading.Thread(target=_follow_parent, daemon=True).start()
    return _load()


def _load() -> "IndexApp":
    """The application, in a worker; one that cannot be opened ends it with a sentence."""
    from entitlements_core.engine.serving import create_app  # noqa: PLC0415 - a fast start

    try:
        app = create_app()
    except EntitlementsError as error:
        logging.getLogger("entitlements.cli").critical("the index cannot be opened: %s", error)
        sys.exit(1)
    # A worker that is started again waits until its catalog is read: the others answer meanwhile.
    deadline = time.monotonic() + PATIENCE
    while not app.is_ready and time.monotonic() < deadline:
        time.sleep(_LOOK)
    return app


def _follow_parent() -> None:
    """End this worker when the process that started it was killed: it would keep the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def environment(settings: "Settings") -> dict[str, str]:
    """What makes the workers' settings the same as these.

    Raises:
        ConfigurationError: when a list in the environment could not name a directory.
    """
    odd = next((one for one in settings.directories if os.pathsep in one or "," in one), None)
    if odd is not None:
        raise ConfigurationError(
            f"Workers cannot be given the directory {odd}.",
            f"Use a path without comma and {os.pathsep!r}, or --server waitress.",
        )
    return {
        "ENTITLEMENTS_HOME": str(settings.home),
        "ENTITLEMENTS_DATABASE_URL": settings.database_url,
        "ENTITLEMENTS_REPOSITORY": settings.repository,
        "ENTITLEMENTS_DIRECTORIES": os.pathsep.join(settings.directories),
        "ENTITLEMENTS_UPSTREAM": settings.upstream,
    }
