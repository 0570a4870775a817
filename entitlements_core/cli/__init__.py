"""The ``entitlements`` command: it reads options, asks the services and prints what they say."""

import sys
import warnings

from entitlements_core.cli.program import OWN_PROCESS, app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line of this process, and end it with the exit status."""
    if not sys.warnoptions:
        # What other packages think of each other is not for who uses a command.
        warnings.simplefilter("ignore")
    app(obj=OWN_PROCESS)
