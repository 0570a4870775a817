"""A devpi server directory to measure on, made once: through devpi's own model, in seconds.

``python -m benchmarks.devpi_site DIRECTORY`` fills a directory that ``devpi-init`` has made.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks import workload
from benchmarks.load import SHORT
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.policy.token import TokenGrant
from tests.functional import devpis
from tests.wheelhouse import wheel_bytes

FOLDER: Final = workload.WORK / "devpi"
INDEX: Final = workload.REPOSITORY
MIRRORED: Final = "acme/mirrored"
"""The same projects, but with a mirror among the bases, so that no page may be kept."""

USER: Final = "acme"
PASSWORD: Final = "123"  # noqa: S105 - of a server on loopback
PROJECTS: Final = 5 if SHORT else 300
"""How many projects of 30 versions are there to be asked for once."""

QUERY: Final = "name:^proj$ OR name:^big$ OR name:^files$ OR name:^many"
FILLED: Final = FOLDER / "filled"


def directory() -> Path:
    """A server directory with the index; it is to be copied, not served."""
    made = FOLDER / "template"
    if not FILLED.exists():
        shutil.rmtree(FOLDER, ignore_errors=True)
        shutil.copytree(devpis.template(), made)
        command = [sys.executable, "-m", "benchmarks.devpi_site", str(made)]
        subprocess.run(command, check=True, cwd=workload.ROOT, stdout=subprocess.DEVNULL)
        FILLED.touch()
    return made


def secrets(tokens: int) -> Path:
    """A file of secrets that open both indexes, in a store with many other tokens."""
    core = workload.core(tokens)
    written = core.settings.home / "devpi.txt"
    if not written.exists():
        core.repositories.add(MIRRORED, actor=Actor("bench", ActorKind.PERSON))
        grants = [
            TokenGrant(repository=name, limit_package_query=QUERY) for name in (INDEX, MIRRORED)
        ]
        made = [
            core.lifecycle.create(f"devpi {n}", grants, actor=Actor("bench", ActorKind.PERSON))
            for n in range(50)
        ]
        written.write_text("\n".join(issued.secret or "" for issued in made))
    core.close()
    return written


def fill(serverdir: Path) -> None:
    """Make the user, the indexes and all files in one transaction."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what devpi and its libraries say about themselves
        from devpi_server.config import (  # noqa: PLC0415 - only here
            get_pluginmanager,
            parseoptions,
        )
        from devpi_server.main import XOM  # noqa: PLC0415 - only here

        argv = ["devpi-server", "--serverdir", str(serverdir)]
        config = parseoptions(get_pluginmanager(), argv)
        config.init_nodeinfo()
        xom = XOM(config)
        with xom.keyfs.write_transaction():
            _write(xom)


def _write(xom: Any) -> None:  # noqa: ANN401 - of devpi-server
    user = xom.model.create_user(USER, PASSWORD)
    stage = user.create_stage("prod", bases=())
    user.create_stage("upstream", type="mirror", mirror_url="http://127.0.0.1:9/simple/")
    user.create_stage("mirrored", bases=(INDEX, "acme/upstream"))
    # devpi renders the list of a project anew with every file, which takes minutes for 2,000.
    render, stage._regen_simplelinks = stage._regen_simplelinks, _later  # noqa: SLF001 - see above
    names = set()
    for name, version, padding in _files():
        _store(stage, name, version, padding)
        names.add(name)
    for name in names:
        render(name)


def _later(project: str) -> None:
    """Do nothing."""


def _files() -> Iterator[tuple[str, str, int]]:
    """Name, version and size of the padding of each wheel."""
    for number in range(30):
        yield "proj", f"1.{number}", 0
        for project in range(PROJECTS):
            yield f"many-{project:04}", f"1.{number}", 0
    for number in range(workload.FILES):
        yield "big", f"1.{number}", 0
    yield "files", "1.0", 100_000
    yield "files", "2.0", workload.PADDING


def _store(stage: Any, name: str, version: str, padding: int) -> None:  # noqa: ANN401 - of devpi-server
    from devpi_server.filestore import get_hashes  # noqa: PLC0415 - only here

    data = wheel_bytes(name, version, padding=padding)
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    stage.set_versiondata({"name": name, "version": version, "metadata_version": "2.1"})
    stage.store_releasefile(name, version, filename, data, hashes=get_hashes(data))


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
