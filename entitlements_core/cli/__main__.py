"""``python -m entitlements_core.cli`` is the ``entitlements`` command."""

from entitlements_core.cli import main

main()
