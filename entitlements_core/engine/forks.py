"""A catalog that goes on in forked children, as under ``gunicorn --preload``."""

from __future__ import annotations

import logging
import os
import sys
import weakref
from contextlib import ExitStack
from types import ModuleType
from typing import Final

from entitlements_core.engine.catalog import Catalog
from entitlements_core.errors import ConfigurationError

__all__ = ["keep_across_forks"]

_LOADING_LATE: Final = ("lazy-apps", "lazy")
"""Options of uWSGI with which each worker loads the application for itself. With
``--py-call-osafterfork`` Python hears of the fork, but a worker does not always end then."""

log: Final = logging.getLogger("entitlements.engine")


def keep_across_forks(catalog: Catalog, *, polling: bool) -> None:
    """Let no fork come amid a look, and watch again in the child.

    A child would inherit locks of the threads that read, an import's among them, and nobody there
    to release them; and no thread of the parent's goes on in it.

    Raises:
        ConfigurationError: where uWSGI forks without a word to Python.
    """
    _refuse_early_loading(sys.modules.get("uwsgi"))
    known = weakref.ref(catalog)
    held = ExitStack()

    def hold() -> None:
        present = known()
        if present is not None:
            held.enter_context(present.paused())

    def resume() -> None:
        held.close()
        present = known()
        if present is not None and not present.is_closed:
            _watch(present, polling=polling)

    os.register_at_fork(before=hold, after_in_parent=held.close, after_in_child=resume)


def _refuse_early_loading(uwsgi: ModuleType | None) -> None:
    """Return unless this is a uWSGI whose workers would inherit the connections of its master."""
    options = {} if uwsgi is None else uwsgi.opt
    counts = (options.get(name, 1) for name in ("processes", "workers"))
    forks = options.get("master") or any(int(count) > 1 for count in counts)
    if forks and not any(options.get(name) for name in _LOADING_LATE):
        raise ConfigurationError(
            "uWSGI forks its workers after the application was loaded, and tells Python nothing.",
            "Start it with --lazy-apps.",
        )


def _watch(catalog: Catalog, *, polling: bool) -> None:
    try:
        catalog.watch(polling=polling)
    except Exception:
        log.exception("changes of the directories are not seen in this process")
