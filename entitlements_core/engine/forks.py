"""A catalog that goes on in forked children, as under ``gunicorn --preload``."""

from __future__ import annotations

import logging
import os
import weakref
from contextlib import ExitStack
from typing import Final

from entitlements_core.engine.catalog import Catalog

__all__ = ["keep_across_forks"]

log: Final = logging.getLogger("entitlements.engine")


def keep_across_forks(catalog: Catalog, *, polling: bool) -> None:
    """Let no fork come amid a look, and watch again in the child.

    A child would inherit locks of the threads that read, an import's among them, and nobody there
    to release them; and no thread of the parent's goes on in it.
    """
    known = weakref.ref(catalog)
    held = ExitStack()

    def hold() -> None:
        present = known()
        if present is not None:
            held.enter_context(present.at_rest())

    def resume() -> None:
        held.close()
        present = known()
        if present is not None and not present.is_closed:
            _watch(present, polling=polling)

    os.register_at_fork(before=hold, after_in_parent=held.close, after_in_child=resume)


def _watch(catalog: Catalog, *, polling: bool) -> None:
    try:
        catalog.watch(polling=polling)
    except Exception:
        log.exception("changes of the directories are not seen in this process")
