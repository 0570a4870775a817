"""Runs a command of devpi-server without some of the installed plugins.

``python -P devpi_launcher.py NAME,NAME MODULE:FUNCTION [arguments]``: devpi loads every plugin of
its entry-point group, so that an installed one can only be left out from inside the process.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Final

from pluggy import PluginManager

_COST: Final = "--argon2-time-cost"
_LOAD: Final = PluginManager.load_setuptools_entrypoints


def main() -> int:
    """Leave out the plugins that the first argument names, and run the rest."""
    left_out, command, *arguments = sys.argv[1:]

    def load(self: PluginManager, group: str, name: str | None = None) -> int:
        for plugin in filter(None, left_out.split(",")):
            self.set_blocked(plugin)
        return _LOAD(self, group, name)

    PluginManager.load_setuptools_entrypoints = load  # type: ignore[method-assign] # see above
    if _COST in arguments:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from devpi_server.auth import pwd_context
        # devpi has that option for its own secret only; passwords are as dear.
        cost = arguments[arguments.index(_COST) + 1]
        pwd_context.update(argon2__time_cost=cost, argon2__memory_cost=8, argon2__parallelism=1)
    module, _, function = command.partition(":")
    sys.argv = [f"devpi-{function}", *arguments]
    return int(getattr(importlib.import_module(module), function)() or 0)


if __name__ == "__main__":
    sys.exit(main())
