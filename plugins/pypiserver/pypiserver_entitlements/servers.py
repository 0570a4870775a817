"""No secret in what servers write by themselves."""

from __future__ import annotations

import importlib.util
import logging
from typing import Any, Final

from entitlements_core.forwarded import Proxies
from entitlements_core.services.redaction import protect_logs
from pypiserver_entitlements.pypiserver_api import GeventServer, RunConfig

__all__ = ["RedactedGevent", "hand_over_forwarded", "protect_server"]

LOGGERS: Final = (
    "pypiserver",
    "pypiserver.main",
    "pypiserver._app",
    "pypiserver.bottle_wrapper",
    "gunicorn.access",
    "gunicorn.error",
    "gevent.access",
    "waitress",
    "waitress.queue",
    "wsgi",  # paste
)
"""Loggers of the servers that pypiserver can be run by, and its own."""


class RedactedGevent(GeventServer):  # type: ignore[misc] # bottle has no types
    """bottle's gevent server, whose access log goes through a logger instead of to stderr."""

    def run(self, handler: Any) -> None:  # noqa: ANN401 - as bottle's
        """See bottle."""
        self.options.setdefault("log", logging.getLogger("gevent.access"))
        super().run(handler)


def hand_over_forwarded(proxies: Proxies) -> None:
    """Let waitress, pypiserver's default server, leave us what the vendor's proxies say.

    It takes such headers away unless it is told not to, and bottle has no way of telling it. Who
    may write them is decided by us, also for pypiserver itself (`forwarding`).
    """
    if not proxies or importlib.util.find_spec("waitress") is None:
        return
    from waitress.adjustments import Adjustments  # noqa: PLC0415 - it may be missing

    Adjustments.clear_untrusted_proxy_headers = False


def protect_server(config: RunConfig) -> None:
    """Redact what the server of a configuration logs."""
    protect_logs(*LOGGERS)
    if config.server_method == "gevent":
        config.server_method = RedactedGevent
