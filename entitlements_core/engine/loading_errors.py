"""What a server shows of an application that cannot be opened: its sentence, and no traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from entitlements_core.errors import EntitlementsError

__all__ = ["end_process", "told_in_words"]

APP_LOAD_ERROR: Final = 4
"""The exit status of a worker with which gunicorn ends, and starts no other one."""
FAILED_APP: Final = 22
"""That of a worker with which uWSGI ends if it was started with ``--need-app``."""


def end_process(problem: object) -> NoReturn:
    """End the process that loads an application, and its server, where nobody may go on without.

    Args:
        problem: what to say; never a secret.
    """
    ending = SystemExit(f"Error: {problem}")
    if "gunicorn.arbiter" in sys.modules:
        sys.stderr.write(f"{ending}\n")
        ending.code = APP_LOAD_ERROR
    elif "uwsgi" in sys.modules:
        sys.stderr.write(f"{ending}\n")
        ending.code = FAILED_APP
    raise ending


@contextmanager
def told_in_words() -> Iterator[None]:
    """Make errors of ours ones whose text gunicorn prints, where it loads an application.

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
