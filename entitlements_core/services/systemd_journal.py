"""Priorities for systemd's journal, where it reads what we write.

The journal takes a line that begins with ``<N>`` as of that priority, sd-daemon(3), and every other
one as of the unit's, which is ``info``: ``journalctl -p warning`` would show nothing of ours.
"""

import logging
import os
import sys
from typing import Any, Final

__all__ = ["error_prefix", "formatter", "prioritize"]

_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
"""The lowest level of `logging`, and what syslog(3) calls it; below all is debug, 7."""


class JournalFormatter(logging.Formatter):
    """Gives each line of a record the record's priority, a traceback's lines too.

    Args:
        inner: makes the lines.
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """The lines, without a line break at the end."""
        before = _prefix(record.levelno)
        return "\n".join(before + line for line in self._inner.format(record).split("\n"))


def formatter(form: str) -> logging.Formatter:
    """Of a handler for standard error, for `logging.config.dictConfig`."""
    plain = logging.Formatter(form)
    return JournalFormatter(plain) if _is_journal(sys.stderr) else plain


def prioritize(handler: logging.Handler) -> None:
    """Give the lines of a handler their priority, if it writes to the journal."""
    has_it = isinstance(handler.formatter, JournalFormatter)
    if isinstance(handler, logging.StreamHandler) and not has_it and _is_journal(handler.stream):
        handler.setFormatter(JournalFormatter(handler.formatter or logging.Formatter()))


def error_prefix() -> str:
    """What a line on standard error begins with to be an error; empty where nobody reads that."""
    return _prefix(logging.ERROR) if _is_journal(sys.stderr) else ""


def _prefix(level: int) -> str:
    return f"<{next((number for least, number in _PRIORITIES if level >= least), 7)}>"


def _is_journal(stream: Any) -> bool:  # noqa: ANN401 - whatever a handler has
    """Whether systemd connected a stream to the journal.

    It names the file in ``JOURNAL_STREAM``, systemd.exec(5). A process that inherits the variable
    may write elsewhere, so it is compared.
    """
    name = os.environ.get("JOURNAL_STREAM")
    if not name:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):  # there is none, or it is closed, or no file
        return False
    return name == f"{found.st_dev}:{found.st_ino}"
