"""The ``entitlements`` command: it reads options, asks the services and prints what they say."""

import sys
import warnings

from entitlements_core.cli.program import OWN_PROCESS, app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line of this process, and end it with the exit status."""
    if not sys.warnoptions:
        # Deprecations among the packages that we use say nothing to whoever runs a command.
        warnings.simplefilter("ignore")
    app(obj=OWN_PROCESS)
