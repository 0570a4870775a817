"""The command: pypiserver's arguments and ours, its help and ours, its errors and ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import pypiserver.bottle_wrapper
import pytest

from pypiserver_entitlements import cli, requirement
from pypiserver_entitlements.middleware import PypiserverMiddleware
from pypiserver_entitlements.patch import PATCHED, is_patched
from pypiserver_entitlements.servers import RedactedGevent
from pypiserver_entitlements.startup import site_of
from tests.plugins.pypiserver.conftest import REPOSITORY

Served = list[dict[str, Any]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """What bottle is told to serve, and does not."""
    runs: Served = []
    monkeypatch.setattr(pypiserver.bottle_wrapper, "run", lambda **told: runs.append(told))
    monkeypatch.setattr(pypiserver.bottle_wrapper, "debug", lambda _: None)
    monkeypatch.setattr(pypiserver.__main__, "init_logging", lambda **_: None)
    return runs


@pytest.fixture
def run(served: Served, home: Path) -> Callable[..., Any]:
    """Runs the command; gives the application that would be served."""

    def run(*words: object) -> Any:  # noqa: ANN401 - bottle has no types
        cli.main([str(word) for word in words])
        return served[-1]["app"]

    return run


def test_the_arguments_of_pypi_server_pass_through(
    run: Callable[..., Any], served: Served, packages: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = run(
        "run",
        "-p",
        8123,
        "--entitlements-repo",
        REPOSITORY,
        "-i",
        "127.0.0.1",
        "--overwrite",
        packages,
        "--hash-algo=md5",
        "--server",
        "wsgiref",
    )  # fmt: skip - a command line

    site_of(app).close()
    config = app._pypiserver_config
    assert isinstance(app.wsgi, PypiserverMiddleware)
    assert (served[0]["port"], served[0]["host"], served[0]["server"]) == (
        8123,
        "127.0.0.1",
        "wsgiref",
    )  # fmt: skip - a tuple
    assert (config.overwrite, config.hash_algo, config.roots) == (True, "md5", [packages])
    assert site_of(app).index.is_ready  # before the server starts
    assert "acme-tool-0.9.tar.bz2" in capsys.readouterr().err


def test_the_old_form_without_run_works_as_it_did(run: Callable[..., Any], packages: Path) -> None:
    app = run("-p", "8123", packages, f"--entitlements-repo={REPOSITORY}")

    site_of(app).close()
    assert isinstance(app.wsgi, PypiserverMiddleware)


def test_our_own_options_are_read(run: Callable[..., Any], packages: Path, tmp_path: Path) -> None:
    app = run(
        "run",
        packages,
        "--entitlements-repo",
        "acme/new",
        "--entitlements-create",
        "--entitlements-home",
        tmp_path / "other",
        "--entitlements-public",
        "--entitlements-upload-limit",
        77,
    )  # fmt: skip - a command line

    site_of(app).close()
    assert (tmp_path / "other" / "key").exists()
    assert site_of(app).index.repository == "acme/new"
    assert app.wsgi._public
    assert app.wsgi._uploads.limit == 77


def test_a_word_that_is_the_name_of_a_command_does_not_open_the_index(
    run: Callable[..., Any], packages: Path, tmp_path: Path
) -> None:
    passwords = tmp_path / "htpasswd"
    passwords.touch()

    app = run("run", "-a", "update", "-P", passwords, packages, "--entitlements-repo", REPOSITORY)

    site_of(app).close()
    assert isinstance(app.wsgi, PypiserverMiddleware)


def test_under_gevent_the_access_log_goes_through_a_filter(
    run: Callable[..., Any],
    served: Served,
    packages: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gevent, monkey = ModuleType("gevent"), ModuleType("gevent.monkey")
    vars(gevent)["monkey"] = monkey
    vars(monkey).update(patch_all=lambda: None, is_module_patched=lambda _: False)
    monkeypatch.setitem(sys.modules, "gevent", gevent)
    monkeypatch.setitem(sys.modules, "gevent.monkey", monkey)

    app = run("run", "--server", "gevent", packages, "--entitlements-repo", REPOSITORY)

    site_of(app).close()
    assert served[0]["server"] is RedactedGevent


def test_the_gevent_server_is_given_a_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []
    base = RedactedGevent.__mro__[1]
    monkeypatch.setattr(base, "run", lambda self, handler: ran.append((self.options, handler)))

    RedactedGevent(host="x", port=1).run("app")

    assert ran[0][0]["log"].name == "gevent.access"
    assert ran[0][1] == "app"


def test_version_shows_both(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["run", "--version"])

    shown = f"index-entitlements 0.1.0, pypiserver {version('pypiserver')}\n"
    assert capsys.readouterr().out == shown


@pytest.mark.parametrize("words", [["--help"], ["run", "-h"]])
def test_help_shows_both(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)

    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert "--log-frmt" in shown
    assert "--entitlements-repo OWNER/SLUG" in shown
    assert "autoload --install" in shown


def test_what_starts_no_server_needs_no_repository(
    monkeypatch: pytest.MonkeyPatch, packages: Path
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(pypiserver.__main__, "main", asked.append)

    cli.main(["update", str(packages)])
    cli.main(["-U", str(packages)])

    assert asked == [["update", str(packages)], ["-U", str(packages)]]
    assert is_patched(pypiserver)


def test_what_serves_after_all_ends_without_options(
    monkeypatch: pytest.MonkeyPatch, packages: Path
) -> None:
    monkeypatch.setattr(pypiserver.__main__, "main", lambda _: pypiserver.app(roots=[packages]))

    with pytest.raises(SystemExit, match="whose tokens open this index"):
        cli.main(["update", str(packages)])


def test_what_is_wrong_is_one_message_and_no_traceback(
    run: Callable[..., Any], packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="Error: It is not said whose tokens open this index"):
        run("run", packages)
    with pytest.raises(SystemExit, match="Add it with `entitlements repo add acme/none`"):
        run("run", packages, "--entitlements-repo", "acme/none")

    with pytest.raises(SystemExit, match=r"Error: nobody\.htpasswd: No such file .*\(-P\)"):
        run("run", "-P", "nobody.htpasswd", packages, "--entitlements-repo", REPOSITORY)

    with pytest.raises(SystemExit, match="Error: There is no port 99999"):
        run("run", "-p", "99999", packages, "--entitlements-repo", REPOSITORY)

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(requirement, "version", missing)
    with pytest.raises(SystemExit, match=r"pip install 'index-entitlements\[pypiserver\]'"):
        run("run", packages)


def test_the_seam_is_taken_once(run: Callable[..., Any], packages: Path) -> None:
    site_of(run("run", packages, "--entitlements-repo", REPOSITORY)).close()
    first = getattr(pypiserver, PATCHED)

    app = run("run", packages, "--entitlements-repo", REPOSITORY)

    site_of(app).close()
    assert getattr(pypiserver, PATCHED) is first
    assert not isinstance(app.wsgi._app, PypiserverMiddleware)


def test_without_pypiserver_the_command_ends_in_words() -> None:
    code = """
import sys
from importlib import metadata
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pypiserver":
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Missing())
found = metadata.version
def version(name):
    if name == "pypiserver":
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
from pypiserver_entitlements.cli import main
main(["run", "."])
"""
    command = [sys.executable, "-W", "ignore", "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert "index-entitlements[pypiserver]" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    command = [sys.executable, "-m", "pypiserver_entitlements", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert b"Traceback" not in running.stderr.read()
        assert running.wait(60) == 1
