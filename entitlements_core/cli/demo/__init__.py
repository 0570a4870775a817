"""``entitlements demo``: the main job, end to end, with real servers and real clients."""

from entitlements_core.cli.demo.command import demo

__all__ = ["demo"]
