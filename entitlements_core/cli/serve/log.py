"""What a server that `serve` runs writes to stderr."""

import logging.config
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["FAREWELL", "LOGGING", "Notable"]

FAREWELL: Final = 10
"""Seconds that answers which are being sent may take when the server ends."""
_CUT: Final = "stopped; what was still being sent after %d seconds was cut off"
LOGGING: Final[Mapping[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "redact": {"()": "entitlements_core.services.redaction.RedactingFilter"},
        "notable": {"()": "entitlements_core.cli.serve.log.Notable"},
    },
    "formatters": {
        name: {"()": "entitlements_core.services.systemd_journal.formatter", "form": form}
        for name, form in (("generic", "[%(levelname)s] %(message)s"), ("access", "%(message)s"))
    },
    "handlers": {
        name: {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stderr",
            "formatter": form,
            "filters": filters,
        }
        for name, form, filters in (
            ("generic", "generic", ["redact"]),
            ("access", "access", ["redact"]),
            ("server", "generic", ["redact", "notable"]),
        )
    },
    "root": {"handlers": ["generic"], "level": "WARNING"},
    "loggers": {
        "_granian": {"handlers": ["server"], "level": "INFO", "propagate": False},
        "granian.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
    },
}
"""Everything goes to stderr, and through the filter that takes out secrets."""


class Notable(logging.Filter):
    """What an administrator wants to know of granian's doings: faults, and what it does at one."""

    def __init__(self) -> None:
        super().__init__()
        self._stopping: float | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written; of a stop that nothing is wrong with, in words."""
        said = record.getMessage()
        if said.startswith("Shutting down"):
            self._stopping = record.created
        if said.startswith("Killing"):
            # It says so as well of a worker that ended just when it was looked at.
            if self._stopping is not None and record.created - self._stopping < FAREWELL:
                return False
            record.msg, record.args = _CUT, (FAREWELL,)
        return record.levelno >= logging.WARNING or said.startswith("Respawning")
