"""``pypi-server-entitled autoload``: protect a plain ``pypi-server run`` in this environment.

The file has to protect whether or not the adapter can be imported. What Python runs of a ``.pth``
file may fail, and then the program goes on; so the line itself does next to nothing. It leaves a
finder that ends the process when pypiserver is imported and cannot be protected.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pypiserver_entitlements.requirement import require

__all__ = ["FILE", "line", "run"]

FILE: Final = "index-entitlements-pypiserver.pth"

_FINDER: Final = """
class EntitledPypiserver:
    def find_spec(self, name, path=None, target=None):
        if name != "pypiserver":
            return None
        try:
            from pypiserver_entitlements.autoload import spec
            return spec(self)
        except Exception as error:
            import sys
            problem = (
                f"Error: pypiserver must be protected here and cannot be: {error!r}. "
                "Install index-entitlements[pypiserver] again, or delete " + FILE + "."
            )
            status = 4 if "gunicorn.arbiter" in sys.modules else 22 if "uwsgi" in sys.modules else 0
            if not status:
                sys.exit(problem)
            sys.stderr.write(problem + chr(10))
            sys.exit(status)  # so that no other worker is started

import sys
sys.meta_path.insert(0, EntitledPypiserver())
"""

_PROBE: Final = (
    "import sys, pypiserver; from pypiserver_entitlements.patch import is_patched;"
    " sys.exit(not is_patched(pypiserver))"
)


def line(path: Path) -> str:
    """The one line of the file at `path`; Python runs lines that begin with ``import``."""
    source = _FINDER.replace("FILE", repr(str(path)))
    return f"import sys; exec({source!r}, {{}})\n"


def run(arguments: Sequence[str], *, directory: Path | None = None) -> int:
    """Run ``autoload``; gives the exit status.

    Args:
        arguments: what follows ``autoload``.
        directory: where Python looks for the file; None is this environment's site-packages.

    Raises:
        ConfigurationError: when there is no pypiserver to protect.
    """
    parser = argparse.ArgumentParser(
        prog="pypi-server-entitled autoload",
        allow_abbrev=False,
        description="Protect a plain `pypi-server run`, and every other way to start pypiserver"
        " in this environment. It is configured by ENTITLEMENTS_REPOSITORY and ENTITLEMENTS_HOME;"
        " where these are missing or wrong, pypiserver does not start.",
    )
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--install", action="store_true", help="begin to protect")
    choice.add_argument("--remove", action="store_true", help="end it")
    choice.add_argument(
        "--status", action="store_true", help="say whether it is in force; exit 1 if not"
    )
    chosen = parser.parse_args(arguments)
    path = (directory or Path(sysconfig.get_path("purelib"))) / FILE
    if chosen.install:
        require()
        path.write_text(line(path), encoding="utf-8")
    elif chosen.remove:
        return _remove(path)
    return _report(path)


def _remove(path: Path) -> int:
    try:
        path.unlink()
    except FileNotFoundError:
        _say(f"Nothing to remove: autoload is not installed, there is no {path}.")
        return 0
    _say(
        f"Removed {path}. What starts from now on with `pypi-server run` is open, as pypiserver"
        " itself is; what runs stays protected until it ends, and so does pypi-server-entitled."
    )
    return 0


def _report(path: Path) -> int:
    """Ask a new process, since what is installed is what it meets."""
    if not path.exists():
        _say(
            f"Not installed: there is no {path}. A plain `pypi-server run` is not protected;"
            " autoload --install does it."
        )
        return 1
    probe = subprocess.run(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-c", _PROBE], check=False, capture_output=True, text=True
    )
    if probe.returncode == 0:
        _say(
            f"In force: {path} protects every import of pypiserver in this environment from now"
            " on. A pypiserver that runs already has to be started again."
        )
        return 0
    _say(f"Installed at {path}, and not in force: {probe.stderr.strip() or 'not taken hold of'}")
    return 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
