"""The ``entitlements`` command: it reads options, asks the services and prints what they say."""

from entitlements_core.cli.program import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line of this process, and end it with the exit status."""
    app()
