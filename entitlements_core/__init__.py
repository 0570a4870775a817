"""Entitlement tokens for a Python package index: the shared core."""

from entitlements_core.hookspecs import hookimpl

__all__ = ["__version__", "hookimpl"]

__version__ = "0.1.0"
