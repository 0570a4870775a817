"""Runs a command of devpi-server without some of the installed plugins.

``python -P devpi_launcher.py NAME,NAME MODULE:FUNCTION [arguments]``: devpi loads every plugin of
its entry-point group, so that an installed one can only be left out from inside the process.
"""

from __future__ import annotations

import importlib
import sys
from typing import Final

from pluggy import PluginManager

_LOAD: Final = PluginManager.load_setuptools_entrypoints


def main() -> int:
    """Leave out the plugins that the first argument names, and run the rest."""
    left_out, command, *arguments = sys.argv[1:]

    def load(self: PluginManager, group: str, name: str | None = None) -> int:
        for plugin in filter(None, left_out.split(",")):
            self.set_blocked(plugin)
        return _LOAD(self, group, name)

    PluginManager.load_setuptools_entrypoints = load  # type: ignore[method-assign] # see above
    module, _, function = command.partition(":")
    sys.argv = [f"devpi-{function}", *arguments]
    return int(getattr(importlib.import_module(module), function)() or 0)


if __name__ == "__main__":
    sys.exit(main())
