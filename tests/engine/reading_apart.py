"""Reads files in a process of its own, and prints what it took: run as a module by the tests."""

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from entitlements_core.engine.catalog import Catalog
from entitlements_core.engine.distributions import Unservable, requirements
from entitlements_core.engine.file_reader import read_file
from entitlements_core.engine.scan import NO_NOTES, FileStat
from entitlements_core.engine.uploads import inspect_upload
from tests.file_times import FileTimes


def scanned(path: Path) -> str:
    """Why the scan leaves a file out, empty when it does not."""
    reading = read_file(str(path), path.name, FileStat.of(path.stat()), NO_NOTES)
    assert reading is not None
    requirements(reading.row.requires_dist)
    return reading.row.problem or ""


def uploaded(path: Path) -> str:
    """Why a file is not taken, empty when it is."""
    with path.open("rb") as archive:
        try:
            inspect_upload(path.name, archive, repository="acme/prod", now=datetime.now(UTC))  # noqa: TID251 - any time will do
        except Unservable as refused:
            return refused.problem
    return ""


def listed(root: Path) -> Iterator[str]:
    """What a catalog says of a directory."""
    clock = lambda: datetime.now(UTC)  # noqa: E731, TID251 - compared with the times of real files
    catalog = Catalog(
        [root],
        repository="acme/prod",
        cache=root / ".catalog.db",
        clock=clock,
        uploads=FileTimes(),
    )
    catalog.rescan()
    yield from sorted(catalog.snapshot.files)
    yield str(len(catalog.problems))
    catalog.close()


def peak() -> int:
    """Bytes that this process had in memory at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(what: str, path: Path) -> None:
    """Read a file as an upload and in a scan, or a directory."""
    began = time.monotonic()
    said = list(listed(path)) if what == "directory" else [scanned(path), uploaded(path)]
    used = os.times()
    took = {"said": said, "peak": peak(), "wall": time.monotonic() - began}
    sys.stdout.write(json.dumps({**took, "processor": used.user + used.system}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
