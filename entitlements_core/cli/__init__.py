"""The ``entitlements`` command: it reads options, asks the services and prints what they say."""

import sys
import warnings
from typing import Final

__all__ = ["INTERRUPTED", "main"]

INTERRUPTED: Final = 130
"""The exit status after Ctrl-C."""


def main() -> None:
    """Run the command line of this process, and end it with the exit status."""
    if not sys.warnoptions:
        # Deprecations among the packages that we use say nothing to whoever runs a command.
        warnings.simplefilter("ignore")
    try:
        # Here, since it takes a second in which somebody may think better of it. And workers of
        # `serve` import this module, but not the commands.
        from entitlements_core.cli.program import OWN_PROCESS, app  # noqa: PLC0415 - see above

        app(obj=OWN_PROCESS)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
