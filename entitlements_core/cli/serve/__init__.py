"""``entitlements serve``: the index over directories, on granian or waitress."""

from entitlements_core.cli.serve.command import serve

__all__ = ["serve"]
