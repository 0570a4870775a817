"""No secret in a log: a filter that every handler of a server gets."""

import logging
import re
from collections.abc import Mapping
from typing import Final

__all__ = ["RedactingFilter", "protect_logs", "redact"]

MASK: Final = "***"

_SECRETS: Final = re.compile(
    r"""
      (?P<path>(?:/|%2[fF])(?:\+|%2[bB])(?:t|%74)(?:/|%2[fF]))           # /+t/SECRET
      (?:[^\s/?\#"'%]|%(?!2[fF]))+
    | (?P<scheme>\b(?i:basic|bearer)\s+)[A-Za-z0-9+/=._~-]{8,}           # Authorization
    | (?P<user>://)(?![^\s/?\#"':@]+:\*{3,}@)                           # https://user:SECRET@,
      [^\s/?\#"']+(?=@)                                                 # not https://user:***@
    | \bent_[0-9A-Za-z]{38}\b                                            # a generated secret
    """,
    re.VERBOSE,
)

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


def redact(text: str) -> str:
    """`text` with every secret that it shows in one of our forms replaced by asterisks."""
    return _SECRETS.sub(
        lambda found: (found["path"] or found["scheme"] or found["user"] or "") + MASK, text
    )


class RedactingFilter(logging.Filter):
    """Rewrites a record so that neither its message nor its traceback shows a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, redacted."""
        message = redact(_message(record))
        # Access logs are formatted from the arguments, so they stay where they can.
        record.args = _redacted_arguments(record.args)
        if not _says(record, message):
            record.msg, record.args = message, None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def protect_logs(*loggers: str) -> None:
    """Put the filter on the handlers of the servers' loggers, and of the ones that are named."""
    handlers = [
        handler
        for name in (*SERVER_LOGGERS, *loggers)
        for handler in logging.getLogger(name or None).handlers
    ]
    # Where no handler is configured at all, Python writes warnings through this one.
    for handler in (*handlers, *([logging.lastResort] if logging.lastResort else [])):
        if not any(isinstance(item, RedactingFilter) for item in handler.filters):
            handler.addFilter(RedactingFilter())


def _redacted_arguments(
    arguments: tuple[object, ...] | Mapping[str, object] | None,
) -> tuple[object, ...] | Mapping[str, object] | None:
    if isinstance(arguments, Mapping):
        return {name: _redacted(value) for name, value in arguments.items()}
    return None if arguments is None else tuple(map(_redacted, arguments))


def _redacted(value: object) -> object:
    return redact(value) if isinstance(value, str) else value


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
