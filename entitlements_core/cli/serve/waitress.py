"""`serve` on waitress: one process, whose threads answer."""

import logging.config
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from entitlements_core.cli.serve.listener import ServeOptions
from entitlements_core.cli.serve.log import FAREWELL, LOGGING

if TYPE_CHECKING:
    from entitlements_core.services.settings import Settings

__all__ = ["run_waitress"]

_TURN: Final = 0.5
"""Seconds in which a signal is noticed."""


def run_waitress(options: ServeOptions, settings: "Settings") -> None:
    """Serve with waitress until a signal ends it; what runs then has ten seconds."""
    import waitress  # noqa: PLC0415 - an extra

    from entitlements_core.engine.serving import create_app  # noqa: PLC0415 - a fast start

    logging.config.dictConfig(dict(LOGGING))
    ending: list[float] = []
    # SIGINT is set explicitly: a shell lets background processes ignore it.
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, lambda *_: ending.append(time.monotonic()))
    app = _with_headers(create_app(settings))
    if options.access_log:
        app = _logged(app)
    server = waitress.create_server(
        app,
        sockets=[options.bound],
        threads=options.threads,
        # waitress would remove X-Forwarded-For; whom to believe is decided in `forwarded`.
        clear_untrusted_proxy_headers=not settings.proxies,
    )
    # The loop of waitress's own `run`, which would cut off answers that are being sent at the end.
    opened = server._map  # noqa: SLF001 - see above
    turn = partial(server.asyncore.loop, timeout=_TURN, map=opened, use_poll=True, count=1)
    while not ending and opened:
        turn()
    server.asyncore.dispatcher.close(server)  # no new connections
    until = time.monotonic() + FAREWELL
    while time.monotonic() < until and len(ending) <= 1 and _is_busy(server):
        turn()
    server.task_dispatcher.shutdown()
    server.close()


def _with_headers(app: Callable[..., object]) -> Callable[..., object]:
    """`app`, which is told that no header was taken away; see `run_waitress`."""
    from entitlements_core.forwarded import HEADERS_KEPT  # noqa: PLC0415 - a fast start

    def answer(environ: dict[str, Any], start_response: Callable[..., object]) -> object:
        environ[HEADERS_KEPT] = True
        return app(environ, start_response)

    return answer


def _is_busy(server: Any) -> bool:  # noqa: ANN401 - waitress has no types
    """Whether somebody waits for the rest of an answer."""
    channels = list(server.active_channels.values())
    return any(one.requests or one.request or one.total_outbufs_len for one in channels)


def _logged(app: Callable[..., object]) -> Callable[..., object]:
    """`app` with a line in the access log for each request."""
    log = logging.getLogger("granian.access")

    def answer(environ: dict[str, Any], start_response: Callable[..., object]) -> object:
        def started(status: str, *rest: object) -> object:
            log.info(
                '%s "%s %s" %s',
                environ.get("REMOTE_ADDR"),
                environ.get("REQUEST_METHOD"),
                environ.get("PATH_INFO"),
                status[:3],
            )
            return start_response(status, *rest)

        return app(environ, started)

    return answer
