"""No secret in a log: a filter that every handler of a server gets."""

import logging
import re
from typing import Final

__all__ = ["RedactingFilter", "protect_logs", "redact"]

MASK: Final = "***"

_SECRETS: Final = re.compile(
    r"""
      (?P<path>(?:/|%2[fF])(?:\+|%2[bB])t(?:/|%2[fF]))[^\s/?\#"'%]+       # /+t/SECRET
    | (?P<scheme>\b(?:[Bb]asic|[Bb]earer)\s+)[A-Za-z0-9+/=._~-]{8,}      # Authorization
    | (?P<user>://)[^\s/@"']+(?=@)                                       # https://user:SECRET@
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
        record.msg, record.args = redact(_message(record)), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True


def protect_logs(*loggers: str) -> None:
    """Put the filter on the handlers of the servers' loggers, and of the ones that are named."""
    for name in (*SERVER_LOGGERS, *loggers):
        for handler in logging.getLogger(name or None).handlers:
            if not any(isinstance(item, RedactingFilter) for item in handler.filters):
                handler.addFilter(RedactingFilter())


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # A call with the wrong arguments: logging would print them in clear to stderr.
        return f"{record.msg} (arguments withheld: they do not fit the message)"
