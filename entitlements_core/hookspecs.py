"""The hooks through which the core meets hosts and third parties."""

from typing import Final

import pluggy

PROJECT_NAME: Final = "index_entitlements"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
