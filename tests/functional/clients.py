"""Clients from the public index, each in an environment of its own that later runs find again."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ["VERSIONS", "programs", "venv"]

VERSIONS: Final = {
    "keyring": ("keyring==25.7.0", "keyrings.alt==5.0.2"),
    "pdm": ("pdm[locked]==2.29.3",),
    "pip-tools": ("pip-tools==7.5.3", "pip==26.1.2"),
    "pipenv": ("pipenv==2026.10.3",),
    "poetry": ("poetry==2.5.1",),
}
_KEPT: Final = Path(__file__).parents[2] / ".cache" / "clients"
_UV: Final = Path(sys.executable).with_name("uv")


def programs(*requirements: str) -> Path:
    """The ``bin`` of a virtual environment with these requirements, made when it is not there.

    Args:
        requirements: each with its version, since what was made is kept.
    """
    name = re.sub(r"[^0-9A-Za-z.]+", "-", "-".join(requirements)).strip("-")
    place = _KEPT / f"{name}-{sys.version_info[0]}.{sys.version_info[1]}"
    _KEPT.mkdir(parents=True, exist_ok=True)
    with (_KEPT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of a run want the same
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            _make(place, "--compile-bytecode", *requirements)
            (place / "complete").touch()
    return place / "bin"


def venv(directory: Path, *requirements: str) -> Path:
    """A virtual environment of its own with these distributions; its directory.

    Args:
        directory: where it is made.
        requirements: each with its version, since what they are compiled to is kept.
    """
    _make(directory, *requirements)
    kept = programs(*requirements).parent
    for compiled in kept.glob("lib/*/site-packages/**/__pycache__"):
        copy = directory / compiled.relative_to(kept)
        shutil.copytree(compiled, copy, dirs_exist_ok=True)
    return directory


def _make(directory: Path, *words: str) -> None:
    environment = {**os.environ, "VIRTUAL_ENV": str(directory)}
    subprocess.run(
        [_UV, "venv", "--quiet", "--python", sys.executable, directory], check=True, timeout=120
    )
    subprocess.run(
        [_UV, "pip", "install", "--quiet", *words], env=environment, check=True, timeout=300
    )
