"""What a server shows of an application that cannot be opened: its sentence, and no traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from entitlements_core.errors import EntitlementsError

__all__ = ["told_in_words"]


@contextmanager
def told_in_words() -> Iterator[None]:
    """Let an error of ours be one that the server, which loads an application, tells in words.

    gunicorn prints the text alone of two kinds: of its own in a worker, which then ends the server
    instead of being started again for ever, and of ``RuntimeError`` where it loads the application
    first. Our errors stay what they are, and become these as well.
    """
    try:
        yield
    except EntitlementsError as error:
        gunicorn = sys.modules.get("gunicorn.errors")
        if gunicorn is not None:
            kind = type(error)
            bases = (kind, gunicorn.AppImportError, RuntimeError)
            error.__class__ = type(kind.__name__, bases, {"__module__": kind.__module__})
        raise
