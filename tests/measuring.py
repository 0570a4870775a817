"""Branch coverage of the product at little cost; a plugin that `tests/run.py` loads.

SlipCover puts what counts into the code when a module is imported. Tracing, which coverage.py needs
before Python 3.12, makes everything else slower too, and the suite twice as long.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from slipcover import FileMatcher, Slipcover
from slipcover.importer import SlipcoverMetaPathFinder

from tests.run import FOLDER

PACKAGES: Final = {
    "entitlements_core": "entitlements_core",
    "devpi_entitlements": "plugins/devpi",
    "flask_static_entitlements": "plugins/flask_static",
    "pypiserver_entitlements": "plugins/pypiserver",
}
EXCLUDED: Final = ["if TYPE_CHECKING:", "@overload", r"^\s+\.\.\.$", "raise AssertionError"]


class Finder(SlipcoverMetaPathFinder):  # type: ignore[misc]  # it ships no types
    """Finds the product, and leaves all other modules to the others."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As any finder."""
        if fullname.partition(".")[0] not in PACKAGES:
            return None
        found: ModuleSpec | None = super().find_spec(fullname, path, target)
        return found


COVERAGE: Final = Slipcover(
    branch=True,
    source=[*PACKAGES.values()],
    exclude_also=EXCLUDED,
    # Never to look for what need not be counted any more: that holds up everything now and then.
    d_miss_threshold=-1,
)
sys.meta_path.insert(0, Finder(COVERAGE, FileMatcher(sources=[*PACKAGES.values()])))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Write what this process has seen."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    Path(os.environ[FOLDER], f"{worker}.json").write_text(json.dumps(COVERAGE.get_coverage()))
