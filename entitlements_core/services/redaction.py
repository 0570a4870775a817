"""No secret in a log: a filter that every handler of a server gets."""

import logging
import re
from collections.abc import Callable, Mapping
from copy import copy
from typing import Final

from entitlements_core.policy.secret import GENERATED_LENGTH, PREFIX
from entitlements_core.services.systemd_journal import prioritize
from entitlements_core.terminal import escaped

__all__ = ["RedactingFilter", "protect_logs", "redact"]

MASK: Final = "***"
Mask = Callable[[str], str]


def _spelled(character: str) -> str:
    """A pattern of a character as itself, or percent-encoded any number of times."""
    return rf"(?:{re.escape(character)}|%(?:25)*(?i:{ord(character):02x}))"


_SLASH: Final = r"(?:[/\\]|%(?:25)*(?:2[fF]|5[cC]))"
"""Also the other way round: some servers take one for the other."""
_DOTS: Final = rf"{_spelled('.')}{{1,2}}"
_SEGMENT: Final = r"(?:[^\s/\\?\#\"'%]|%(?!(?:25)*(?:2[fF]|5[cC])))+"
_STRAY: Final = r"(?:[\"'\#?]|%(?:25)*(?:2[0237]|3[fF]))*"
"""What somebody pastes along with a secret."""
_GENERATED: Final = (
    "".join(map(_spelled, PREFIX))
    + rf"(?:[0-9A-Za-z]|%(?:25)*[3-7][0-9A-Fa-f]){{{GENERATED_LENGTH - len(PREFIX)},}}"
)
_SECRETS: Final = re.compile(
    rf"""
      (?P<path>{_SLASH}{_spelled("+")}(?:[tT]|%(?:25)*[57]4)(?:;[^\s/\\%]*)?
        {_SLASH}(?:(?:{_DOTS})?{_SLASH})*
        {_STRAY})
      {_SEGMENT}(?:(?:{_SLASH}+{_DOTS})+{_SLASH}+{_STRAY}{_SEGMENT})*  # /+t/SECRET, also mistyped
    | (?P<scheme>\b(?i:basic|bearer)\s+)[A-Za-z0-9+/=._~-]{{8,}}           # Authorization
    | (?P<user>://)(?![^\s/?\#"':@]+:\*{{3,}}@)                           # https://user:SECRET@,
      [^\s/?\#"']+(?=@)                                                 # not https://user:***@
    | {_GENERATED}
    """,
    re.VERBOSE,
)

_USER: Final = "u"
"""The user name of basic auth among what gunicorn's access log is formatted from."""

_MAY_BE_SECRET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,}")
"""A user name can be the secret, as in ``https://SECRET@host/``; shorter ones are none."""

SERVER_LOGGERS: Final = (
    "",
    "entitlements",
    "flask.app",
    "werkzeug",
    "waitress",
    "gunicorn.access",
    "gunicorn.error",
    "_granian",
    "granian.access",
    "uvicorn.access",
    "uvicorn.error",
)


_LONGEST: Final = 8_000
"""Characters of one part of a line of an access log, inclusive; an address has seldom hundreds."""
_ACCESS: Final = frozenset({"gunicorn.access", "granian.access", "uvicorn.access", "werkzeug"})
"""Whose messages are one line for each request."""


def redact(text: str) -> str:
    """`text` with every secret that it shows in one of our forms replaced by asterisks."""
    return _SECRETS.sub(
        lambda found: (found["path"] or found["scheme"] or found["user"] or "") + MASK, text
    )


def _printable(text: str) -> str:
    """With escapes for what no encoding has; a line of a log that cannot be written is lost."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


class RedactingFilter(logging.Filter):
    """Rewrites a record so that neither its message nor its traceback shows a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, redacted."""
        # Access logs are formatted from the arguments, so they stay where they can.
        record.args = _redacted_arguments(record.args, _of_access if _is_access(record) else redact)
        message = redact(_printable(_message(record)))
        if not _says(record, message):
            record.msg, record.args = message, None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(_printable(record.exc_text))
        if record.stack_info:
            record.stack_info = redact(_printable(record.stack_info))
        return True


def protect_logs(*loggers: str) -> None:
    """Put the filter on the servers' loggers and their handlers, and on those that are named.

    The loggers themselves have it for what is logged to them before a server adds its handler.
    Handlers that write to systemd's journal give their lines a priority as well.
    """
    named = [logging.getLogger(name or None) for name in (*SERVER_LOGGERS, *loggers)]
    handlers = [handler for logger in named for handler in logger.handlers]
    # Where no handler is configured at all, Python writes warnings through this one.
    last = [logging.lastResort] if logging.lastResort else []
    for filterer in (*named, *handlers, *last):
        if not any(isinstance(item, RedactingFilter) for item in filterer.filters):
            filterer.addFilter(RedactingFilter())
    for handler in (*handlers, *last):
        prioritize(handler)


def _is_access(record: logging.LogRecord) -> bool:
    return record.name in _ACCESS


def _of_access(text: str) -> str:
    """As `redact`, in one line of a bounded length.

    A decoded address may have line breaks, and what follows them would be a forged line; so would
    what stands behind the 48 KiB at which systemd's journal begins another one.
    """
    line = escaped(redact(text))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _redacted_arguments(
    arguments: tuple[object, ...] | Mapping[str, object] | None, mask: Mask
) -> tuple[object, ...] | Mapping[str, object] | None:
    if isinstance(arguments, Mapping):
        redacted = {name: _redacted(value, mask, name) for name, value in arguments.items()}
        if not isinstance(arguments, dict):
            return redacted
        kept = copy(arguments)  # gunicorn's has an answer for names that are missing
        kept.update(redacted)
        return kept
    return None if arguments is None else tuple(_redacted(value, mask) for value in arguments)


def _redacted(value: object, mask: Mask, name: str = "") -> object:
    if not isinstance(value, str):
        return value
    return MASK if name == _USER and _MAY_BE_SECRET.fullmatch(value) else mask(value)


def _says(record: logging.LogRecord, text: str) -> bool:
    try:
        return record.getMessage() == text
    except (TypeError, ValueError, KeyError):
        return False


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # A call with the wrong arguments: logging would print them in clear to stderr.
        return f"{record.msg} (arguments withheld: they do not fit the message)"
