"""What is an extra is needed only by whoever asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BARE = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {extras!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name in {extras!r} else found(name, *a)

from entitlements_core.cli import main
sys.argv = ["entitlements", *{arguments!r}]
main()
"""
EXTRAS = ("psycopg", "flask", "werkzeug", "granian", "waitress", "devpi_server")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line where no extra is installed."""
    code = BARE.format(extras=EXTRAS, arguments=arguments)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_store_on_sqlite_needs_no_extra(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path / "home"))
    for arguments in (
        ("init",),
        ("repo", "add", "acme/prod"),
        ("token", "create", "--repo", "acme/prod", "--name", "x", "--json"),
        ("usage", "--json"),
        ("doctor", "--json"),
    ):
        ended = run(*home, *arguments)
        assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("--database-url", "postgresql://localhost/x", "init"), "index-entitlements[postgres]"),
        (("serve", "{packages}", "--repo", "acme/prod"), "index-entitlements[serve]"),
        (("devpi", "leave", "--dry-run"), "index-entitlements[devpi]"),
        (("devpi", "--help"), "index-entitlements[devpi]"),
    ],
)
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    tmp_path: Path, arguments: tuple[str, ...], remedy: str
) -> None:
    home = ("--home", str(tmp_path / "home"))
    run(*home, "init")
    run(*home, "repo", "add", "acme/prod")

    ended = run(*home, *(part.format(packages=tmp_path) for part in arguments))

    assert ended.returncode == 1
    assert remedy in ended.stderr
    assert "Traceback" not in ended.stderr


WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
{code}
"""
FLASK = ("click", "flask", "werkzeug", "blinker")


def ended_without(missing: tuple[str, ...], code: str) -> str:
    """What a program says at its end where some packages are not installed."""
    command = [sys.executable, "-c", WITHOUT.format(missing=missing, code=code)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return ended.stderr.strip().rpartition("\n")[2] if ended.returncode else ""


@pytest.mark.parametrize("missing", [FLASK, *((name,) for name in FLASK)])
def test_an_adapter_names_its_extra(missing: tuple[str, ...]) -> None:
    said = ended_without(missing, "from flask_static_entitlements import Entitlements")
    if missing == ("blinker",) and not said:
        return  # Flask has it only with signals
    assert "Entitlements needs Flask, which is not installed" in said
    assert "pip install 'index-entitlements[flask]'" in said


def test_the_plain_wrappers_need_no_flask() -> None:
    code = "from flask_static_entitlements import EntitlementsASGI, EntitlementsMiddleware"
    assert not ended_without(FLASK, code)


def test_whatever_else_is_missing_is_named_as_it_is() -> None:
    said = ended_without(("cryptography",), "from flask_static_entitlements import Entitlements")
    assert said == "ModuleNotFoundError: No module named 'cryptography'"


def test_the_adapter_of_pypiserver_names_its_extra(tmp_path: Path) -> None:
    code = (
        "import importlib.metadata as m\n"
        "found = m.version\n"
        "def version(name):\n"
        "    if name == 'pypiserver': raise m.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "m.version = version\n"
        "from pypiserver_entitlements.cli import main\n"
        "main(['run'])"
    )
    said = ended_without(("pypiserver",), code)
    assert said.startswith("Error: pypiserver is not installed.")
    assert "index-entitlements[pypiserver]" in said
