"""Run every test and hold the coverage to its gates: ``python tests/run.py [pytest arguments]``.

The gates are branch coverage: 100 % where a missed branch could open a door or break a page, 95 %
elsewhere. They are checked only when the whole suite ran.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from slipcover import merge_coverage

ROOT: Final = Path(__file__).resolve().parent.parent
STRICT: Final = (
    "entitlements_core/policy/",
    "entitlements_core/simple/",
    "entitlements_core/http.py",
    "entitlements_core/refusals.py",
    "entitlements_core/wsgi.py",
    "entitlements_core/forwarded.py",
)
KINDS: Final = ("executed", "missing")
GATES: Final = {"strict": 100.0, "rest": 95.0}
WORKERS: Final = (os.cpu_count() or 1) + 1
FOLDER: Final = "MEASURED_FOLDER"
"""The variable with the directory into which each process writes what it has measured."""

Files = Mapping[str, Mapping[str, list[Any]]]
"""Of each file ``executed_lines``, ``missing_lines``, and the same of ``branches``."""


def main(arguments: list[str]) -> int:
    """The exit status of the suite, or 1 when a gate is missed."""
    python = [sys.executable, "-m", "pytest"]
    if arguments:
        return subprocess.call([*python, *arguments], cwd=ROOT)
    with tempfile.TemporaryDirectory() as folder:
        # Named here, a plugin is there before the product is imported, in every process.
        environment = {**os.environ, "PYTEST_PLUGINS": "tests.measuring", FOLDER: folder}
        # Servers and clients wait for each other, so that two would leave processors idle.
        command = [*python, "-n", str(WORKERS), "--dist", "worksteal"]
        status = subprocess.call(command, cwd=ROOT, env=environment)
        return status or check_gates(measured(Path(folder)))


def measured(folder: Path) -> Files:
    """What all processes have seen together."""
    first, *others = (json.loads(one.read_text()) for one in folder.glob("*.json"))
    for other in others:
        merge_coverage(first, other)
    files: Files = first["files"]
    return files


def check_gates(files: Files) -> int:
    """Print what was reached; 1 when a gate is missed."""
    totals = {gate: Counter[str]() for gate in GATES}
    for name, file in sorted(files.items()):
        gate = "strict" if name.startswith(STRICT) else "rest"
        counts = {key: len(places) for key, places in file.items() if key != "summary"}
        totals[gate].update(counts)
        if gate == "strict" and share(counts) < GATES[gate]:
            missed_places = [*file["missing_lines"], *file["missing_branches"]]
            print(f"coverage: {name} {share(counts):.1f} %, below 100 %: {missed_places}")
    missed = False
    for gate, wanted in GATES.items():
        reached = share(totals[gate])
        print(f"coverage: {gate} {reached:.2f} % (gate {wanted:.0f} %)")
        missed |= reached < wanted
    return int(missed)


def share(counts: Mapping[str, int]) -> float:
    """Covered lines and branches, in percent."""
    covered, missing = (counts[f"{kind}_lines"] + counts[f"{kind}_branches"] for kind in KINDS)
    return 100.0 * covered / (covered + missing) if covered + missing else 100.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
