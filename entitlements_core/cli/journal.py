"""Priorities for systemd's journal, where it reads what we write to standard error.

The journal takes a line that begins with ``<N>`` as of that priority, sd-daemon(3), and every other
one as of the unit's, which is ``info``: ``journalctl -p warning`` would show nothing of ours.
"""

import logging
import os
import sys
from typing import Final

__all__ = ["JournalFormatter", "priority"]

_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
"""The lowest level of `logging`, and what syslog(3) calls it; below all is debug, 7."""


class JournalFormatter(logging.Formatter):
    """Gives each line of a record the record's priority, a traceback's lines too."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines, without a line break at the end."""
        text, before = super().format(record), priority(record.levelno)
        return text if not before else "\n".join(before + line for line in text.split("\n"))


def priority(level: int) -> str:
    """What a line of this level begins with; empty where standard error is not the journal's.

    systemd names the file that it connected in ``JOURNAL_STREAM``, systemd.exec(5). A process that
    inherits the variable may write elsewhere, so it is compared.
    """
    stream = os.environ.get("JOURNAL_STREAM")
    if not stream:
        return ""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):  # there is none, or it is closed, or no file
        return ""
    if stream != f"{found.st_dev}:{found.st_ino}":
        return ""
    return f"<{next((number for least, number in _PRIORITIES if level >= least), 7)}>"
