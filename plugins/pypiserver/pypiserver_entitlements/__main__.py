"""``python -m pypiserver_entitlements``."""

from pypiserver_entitlements.cli import main

main()
