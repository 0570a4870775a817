"""Clients from the public index, each in an environment of its own that later runs find again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

__all__ = ["VERSIONS", "program", "venv"]

VERSIONS: Final = {
    "keyring": ("keyring==25.7.0", "keyrings.alt==5.0.2"),
    "pdm": ("pdm[locked]==2.29.3",),
    "pip-tools": ("pip-tools==7.5.3", "pip==26.1.2"),
    "pipenv": ("pipenv==2026.10.3",),
    "poetry": ("poetry==2.5.1",),
}
_KEPT: Final = Path(__file__).parents[2] / ".cache" / "clients"
_UV: Final = Path(sys.executable).with_name("uv")


def program(*requirements: str) -> Path:
    """The directory of the programs of distributions, which are installed if need be.

    Args:
        requirements: each with its version.
    """
    home = _KEPT / "-".join(requirements).replace("[", "-").replace("]", "")
    if not home.exists():
        _KEPT.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=_KEPT))
        # Scripts name the place they were made for, so another process may win, but not move.
        venv(made / "venv", *requirements)
        try:
            home.symlink_to(made / "venv", target_is_directory=True)
        except FileExistsError:
            shutil.rmtree(made)
    return home.resolve() / "bin"


def venv(directory: Path, *requirements: str) -> Path:
    """A virtual environment with these distributions; its directory."""
    environment = {**os.environ, "VIRTUAL_ENV": str(directory)}
    subprocess.run(
        [_UV, "venv", "--quiet", "--python", sys.executable, directory], check=True, timeout=120
    )
    if requirements:
        subprocess.run(
            [_UV, "pip", "install", "--quiet", *requirements],
            env=environment,
            check=True,
            timeout=300,
        )
    return directory
