"""Protects every later import of pypiserver in an environment, or ends the process.

A file in site-packages puts a finder before all others; see `autoload_install`. The finder calls
`spec` when somebody imports pypiserver. Nothing is imported before that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

from entitlements_core.engine.loading_errors import end_process
from entitlements_core.errors import ConfigurationError
from pypiserver_entitlements.patch import is_patched, patch_pypiserver

__all__ = ["spec"]

NAME = "pypiserver"


def spec(finder: object) -> ModuleSpec | None:
    """Where pypiserver is, so that it is patched as soon as it is loaded.

    Args:
        finder: the one that asks. It is passed over, and any other of its kind: Python may run
            the file more than once.

    Returns:
        None where pypiserver is not installed.

    Raises:
        ConfigurationError: when it cannot be patched.
    """
    for other in sys.meta_path:
        find = getattr(other, "find_spec", None)  # bottle adds one of an old kind
        if find is None or type(other).__name__ == type(finder).__name__:
            continue
        found = find(NAME, None)
        if found is not None:
            return _holding(found)
    return None


def _holding(found: ModuleSpec) -> ModuleSpec:
    execute: Callable[[ModuleType], None] | None = getattr(found.loader, "exec_module", None)
    if execute is None:
        raise ConfigurationError(
            f"{found.origin or NAME} cannot be taken hold of.", "Install pypiserver with pip."
        )

    def execute_and_hold(module: ModuleType) -> None:
        execute(module)
        try:
            patch_pypiserver(module)
        except ConfigurationError as error:
            end_process(error)
        if not is_patched(module):  # whatever the reason is
            end_process("pypiserver could not be taken hold of.")

    # The loader stays the same object, since resources are found through it.
    found.loader.exec_module = execute_and_hold  # type: ignore[union-attr,method-assign] # see above
    return found
