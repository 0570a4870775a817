"""Autoload protects a plain pypi-server, and where it cannot, nothing is served."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from entitlements_core.engine.loading_errors import APP_LOAD_ERROR, FAILED_APP
from entitlements_core.errors import ConfigurationError
from pypiserver_entitlements import autoload, autoload_install, cli
from pypiserver_entitlements.patch import PATCHED, is_patched
from tests.functional.vendors import clean_environment
from tests.plugins.pypiserver.conftest import REPOSITORY

MAKE = """
import pypiserver
app = pypiserver.app(roots=[{root!r}])
from pypiserver_entitlements.middleware import PypiserverMiddleware
assert isinstance(app.wsgi, PypiserverMiddleware)
print("protected")
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with all that is installed here, and site-packages of its own."""
    root = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], check=True, timeout=60)
    found = subprocess.run(
        [root / "bin" / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )  # fmt: skip - a call
    here = [path for path in sys.path if Path(path).is_dir()]
    Path(found.stdout.strip(), "here.pth").write_text("".join(f"{path}\n" for path in here))
    return root / "bin" / "python"


@pytest.fixture
def run(python: Path, home: Path) -> Run:
    """Runs a program of the environment."""

    def run(
        *words: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        told = {"ENTITLEMENTS_HOME": str(home)} | dict(environment or {})
        return subprocess.run(
            [str(python), *words],
            env=clean_environment(**told),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_once_installed_every_import_is_protected_until_it_is_removed(
    run: Run, packages: Path, python: Path
) -> None:
    command = ("-m", "pypiserver_entitlements", "autoload")
    make = MAKE.format(root=str(packages))
    named = {"ENTITLEMENTS_REPOSITORY": REPOSITORY}

    missing = run(*command, "--status")
    assert missing.returncode == 1
    assert "Not installed" in missing.stdout
    nothing = run(*command, "--remove")
    assert (nothing.returncode, nothing.stdout[:18]) == (0, "Nothing to remove:")
    installed = run(*command, "--install")
    assert installed.returncode == 0, installed.stdout
    assert "In force" in installed.stdout
    assert run(*command, "--status").returncode == 0

    made = run("-c", make, environment=named)
    assert made.stdout == "protected\n", made.stderr
    unnamed = run("-c", make)
    assert unnamed.returncode == 1
    assert "whose tokens open this index" in unnamed.stderr
    started = run("-m", "pypiserver", "run", "-p", "0", str(packages))
    assert started.returncode == 1
    assert "whose tokens open this index" in started.stderr

    hidden = "import sys; sys.modules['pypiserver_entitlements'] = None; import pypiserver"
    without = run("-c", hidden, environment=named)
    assert without.returncode == 1
    assert "must be protected here and cannot be" in without.stderr
    broken = "import pypiserver_entitlements.autoload as a; a.patch_pypiserver = lambda _: None"
    untaken = run("-c", f"{broken}; import pypiserver", environment=named)
    assert untaken.returncode == 1
    assert "could not be taken hold of" in untaken.stderr
    assert run("-c", "print('others are left alone')").stdout == "others are left alone\n"

    removed = run(*command, "--remove")
    assert removed.returncode == 0
    assert removed.stdout.startswith("Removed ")
    assert "is open" in removed.stdout
    assert run("-c", "import pypiserver; print(1)").stdout == "1\n"


HALTED = {
    "no repository": ("", {}, "whose tokens open this index"),
    "no such repository": ("", {"ENTITLEMENTS_REPOSITORY": "acme/none"}, "repo add acme/none"),
    "not importable": ("sys.modules['pypiserver_entitlements'] = None", {}, "must be protected"),
    "not protected": (
        "import pypiserver_entitlements.autoload as a; a.patch_pypiserver = lambda _: None",
        {},
        "could not be taken hold of",
    ),
    "not to be held": (
        "import pypiserver_entitlements.patch as s; s.PATCHED = 'none'",
        {},
        "has no function none",
    ),
}
UWSGI = """
import sys
from pyuwsgi import run
sys.exit(run())
"""
LAZY = ("--master", "--lazy-apps", "--need-app", "--enable-threads")
MODULE = """
import sys
{before}
import pypiserver
application = pypiserver.app(roots=[{root!r}])
"""


@pytest.mark.parametrize("loaded", ["in a worker", "first"])
@pytest.mark.parametrize("why", HALTED)
def test_gunicorn_ends_and_starts_no_other_worker(
    run: Run, packages: Path, python: Path, tmp_path: Path, why: str, loaded: str
) -> None:
    before, settings, problem = HALTED[why]
    (tmp_path / "vendor_app.py").write_text(MODULE.format(before=before, root=str(packages)))
    assert run("-m", "pypiserver_entitlements", "autoload", "--install").returncode == 0

    preload = ["--preload"] if loaded == "first" else []
    ended = run(
        *("-m", "gunicorn", "--bind", "127.0.0.1:0", "--no-control-socket", *preload),
        *("--pythonpath", str(tmp_path), "vendor_app:application"),
        environment=settings,
    )

    run("-m", "pypiserver_entitlements", "autoload", "--remove")
    said = " ".join(ended.stderr.split())
    assert said.count(problem) == 1, said
    assert said.count("Booting worker") == (0 if preload else 1), said
    assert "Traceback" not in said
    assert ended.returncode == APP_LOAD_ERROR


def test_the_line_is_one_and_begins_as_python_wants_it() -> None:
    line = autoload_install.line(Path("/venv/x.pth"))

    assert line.startswith("import ")
    assert line.count("\n") == 1
    compile(line, "x.pth", "exec")


def test_installing_is_told_and_undone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = iter([0, 1])
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda *_, **__: SimpleNamespace(returncode=next(codes), stderr="because"),
    )

    assert autoload_install.run(["--install"], directory=tmp_path) == 0
    assert (tmp_path / autoload_install.FILE).exists()
    assert autoload_install.run(["--status"], directory=tmp_path) == 1
    assert "not in force: because" in capsys.readouterr().out
    assert autoload_install.run(["--remove"], directory=tmp_path) == 0
    assert autoload_install.run(["--remove"], directory=tmp_path) == 0
    assert autoload_install.run(["--status"], directory=tmp_path) == 1


def test_the_command_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))

    with pytest.raises(SystemExit) as ended:
        cli.main(["autoload", "--status"])

    assert ended.value.code == 1
    assert f"there is no {tmp_path / autoload_install.FILE}" in capsys.readouterr().out


def loaded(spec: importlib.machinery.ModuleSpec) -> ModuleType:
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def test_the_module_is_held_as_soon_as_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    found = autoload.spec(object())
    assert found is not None

    module = loaded(found)

    assert is_patched(module)
    monkeypatch.setattr(autoload, "patch_pypiserver", lambda _: None)
    again = autoload.spec(object())
    assert again is not None
    with pytest.raises(SystemExit, match="could not be taken hold of"):
        loaded(again)


def test_a_version_that_is_not_known_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(module: ModuleType) -> None:
        raise ConfigurationError(f"no {PATCHED} in {module.__name__}")

    monkeypatch.setattr(autoload, "patch_pypiserver", refuse)
    found = autoload.spec(object())
    assert found is not None

    with pytest.raises(SystemExit, match="Error: no setup_routes"):
        loaded(found)


class Finder:
    """Finds one thing for whatever is asked."""

    def __init__(self, found: importlib.machinery.ModuleSpec | None) -> None:
        self._found = found

    def find_spec(self, name: str, path: object) -> importlib.machinery.ModuleSpec | None:
        return self._found


def test_where_pypiserver_is_not_installed_it_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Asking(Finder):
        pass

    asking = Asking(importlib.machinery.ModuleSpec("x", None))
    twice = Asking(importlib.machinery.ModuleSpec("x", None))
    monkeypatch.setattr(sys, "meta_path", [asking, twice, object(), Finder(None)])

    assert autoload.spec(asking) is None


def test_what_cannot_be_held_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Finder(importlib.machinery.ModuleSpec("pypiserver", None))
    monkeypatch.setattr(sys, "meta_path", [odd])

    with pytest.raises(ConfigurationError, match="cannot be taken hold of"):
        autoload.spec(object())


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("why", HALTED)
def test_uwsgi_ends_and_starts_no_other_worker(
    run: Run, packages: Path, tmp_path: Path, why: str, workers: int
) -> None:
    before, settings, problem = HALTED[why]
    (tmp_path / "vendor_app.py").write_text(MODULE.format(before=before, root=str(packages)))
    (tmp_path / "uwsgi").write_text(UWSGI)
    assert run("-m", "pypiserver_entitlements", "autoload", "--install").returncode == 0
    application = ("--chdir", str(tmp_path), "--module", "vendor_app:application")
    listening = ("--http", "127.0.0.1:0", "--die-on-term", "--workers", str(workers))
    ended = run(str(tmp_path / "uwsgi"), *LAZY, *listening, *application, environment=settings)
    run("-m", "pypiserver_entitlements", "autoload", "--remove")
    assert ended.returncode == FAILED_APP, ended.stderr
    assert problem in ended.stderr
    assert "Respawned" not in ended.stderr
    if workers == 1:
        # Else the master interrupts the other one, which says where: mostly while it imports.
        assert "Traceback" not in ended.stderr
