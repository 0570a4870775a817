"""Run every test and hold the coverage to its gates: ``python tests/run.py [pytest arguments]``.

The gates are branch coverage: 100 % where a missed branch could open a door or break a page, 95 %
elsewhere. They are checked only when the whole suite ran.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
STRICT: Final = (
    "entitlements_core/policy/",
    "entitlements_core/simple/",
    "entitlements_core/http.py",
    "entitlements_core/forwarded.py",
)
GATES: Final = {"strict": 100.0, "rest": 95.0}

COUNTED: Final = ("num_statements", "num_branches", "covered_lines", "covered_branches")
Summary = Mapping[str, int]
"""What coverage counted of a file; among others, `COUNTED`."""


def main(arguments: list[str]) -> int:
    """The exit status of the suite, or 1 when a gate is missed."""
    python = [sys.executable, "-m"]
    if arguments:
        return subprocess.call([*python, "pytest", *arguments], cwd=ROOT)
    subprocess.check_call([*python, "coverage", "erase"], cwd=ROOT)
    status = subprocess.call(
        [*python, "pytest", "-n", "2", "--dist", "worksteal", "--cov", "--cov-report="], cwd=ROOT
    )
    return status or check_gates(measured())


def measured() -> dict[str, Summary]:
    """The counts of each file, as coverage's JSON report has them."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory, "coverage.json")
        command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", str(report)]
        subprocess.check_call(command, cwd=ROOT)
        files = json.loads(report.read_text())["files"]
    return {name: file["summary"] for name, file in files.items()}


def check_gates(files: dict[str, Summary]) -> int:
    """Print what was reached; 1 when a gate is missed."""
    totals = {gate: Counter[str]() for gate in GATES}
    for name, summary in files.items():
        gate = "strict" if name.startswith(STRICT) else "rest"
        totals[gate].update({key: summary[key] for key in COUNTED})
        if gate == "strict" and share(summary) < GATES[gate]:
            print(f"coverage: {name} {share(summary):.1f} %, below 100 %")
    missed = False
    for gate, wanted in GATES.items():
        reached = share(totals[gate])
        print(f"coverage: {gate} {reached:.2f} % (gate {wanted:.0f} %)")
        missed |= reached < wanted
    return int(missed)


def share(summary: Summary) -> float:
    """Covered lines and branches, in percent."""
    total = summary["num_statements"] + summary["num_branches"]
    covered = summary["covered_lines"] + summary["covered_branches"]
    return 100.0 * covered / total if total else 100.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
