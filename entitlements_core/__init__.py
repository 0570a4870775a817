"""Entitlement tokens for a Python package index: the shared core."""

from typing import Final

import pluggy

__all__ = ["PROJECT_NAME", "__version__", "hookimpl"]

__version__ = "0.1.0"

PROJECT_NAME: Final = "index_entitlements"
"""The name of the hooks, and of the entry-point group that plugins register under."""

hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
"""Marks a plugin's functions; light to import, so that a plugin costs nothing at start."""
