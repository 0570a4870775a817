"""Real servers, real pip and real uv: the main job in each mode."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from tests.functional.launching import BIN, launched
from tests.plugins.flask_static.conftest import LIBRARY, REPOSITORY, TOOL, counted, issue

pytestmark = pytest.mark.functional

SERVE = """
from flask import Flask
from flask_static_entitlements import Entitlements

app = Flask("vendor")
Entitlements(app, repository={repository!r}, directories=[{tree!r}], create_repositories=True)
"""

GUARD = """
from flask import Flask, send_from_directory
from flask_static_entitlements import Entitlements

app = Flask("vendor")

@app.get("{url}/<path:path>")
def files(path):
    return send_from_directory({tree!r}, path)

@app.get("/simple/")
def everything():
    return "secret-sauce"

Entitlements(
    app,
    repository={repository!r},
    directories=[{tree!r}],
    protect={protect!r},
    create_repositories=True,
)
"""

ASGI = """
from flask_static_entitlements.asgi import EntitlementsASGI

async def nothing(scope, receive, send):
    assert scope["type"] == "lifespan", scope
    while True:
        event = (await receive())["type"]
        await send({{"type": event + ".complete"}})
        if event == "lifespan.shutdown":
            return

app = EntitlementsASGI(
    nothing, repository={repository!r}, directories=[{tree!r}], create_repositories=True
)
"""

SERVERS = {
    "waitress": ["waitress-serve", "--listen=127.0.0.1:{port}", "vendor_app:app"],
    "gunicorn": ["gunicorn", "-w", "2", "-b", "127.0.0.1:{port}", "vendor_app:app"],
    "preload": ["gunicorn", "--preload", "-w", "2", "-b", "127.0.0.1:{port}", "vendor_app:app"],
    "granian": ["granian", "--interface", "asgi", "--port", "{port}", "vendor_app:app"],
}


def clean_environment(tmp_path: Path) -> dict[str, str]:
    """No configuration, cache or home but the test's."""
    home = tmp_path / "client-home"
    home.mkdir(exist_ok=True)
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_CONFIG": "1",
        "UV_NO_CACHE": "1",
        "ENTITLEMENTS_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(tmp_path),
        "NO_PROXY": "*",
    }


@contextmanager
def running(server: str, tmp_path: Path, source: str) -> Iterator[int]:
    """A server of the app; the port it listens on."""
    (tmp_path / "vendor_app.py").write_text(source)
    command, environment = SERVERS[server], clean_environment(tmp_path)
    with launched(command, tmp_path, environment, directory=tmp_path) as url:
        yield int(url.rpartition(":")[2])


@contextmanager
def store(tmp_path: Path) -> Iterator[Core]:
    core = Core.open(Settings.load(home=tmp_path / "home"))
    yield core
    core.close()


def pip(tmp_path: Path, index: str, *wanted: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "download", "--no-cache-dir", "--no-input"]
    return subprocess.run(
        [*command, "--index-url", index, "-d", str(tmp_path / "got"), *wanted],
        env=clean_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


def uv(tmp_path: Path, index: str, *wanted: str) -> subprocess.CompletedProcess[str]:
    target = ["--target", str(tmp_path / "got"), "--python", sys.executable]
    return subprocess.run(
        [BIN / "uv", "pip", "install", *target, "--index-url", index, *wanted],
        env=clean_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("server", ["waitress", "preload"])
def test_serve_mode(server: str, tmp_path: Path, tree: Path) -> None:
    source = SERVE.format(repository=REPOSITORY, tree=str(tree))
    with running(server, tmp_path, source) as port, store(tmp_path) as core:
        secret = issue(core)
        done = pip(tmp_path, f"http://token:{secret}@127.0.0.1:{port}/simple/", "acme-tool")
        assert done.returncode == 0, done.stderr
        assert {path.name for path in (tmp_path / "got").iterdir()} == {TOOL, LIBRARY}
        assert counted(core) == 2
        shutil.rmtree(tmp_path / "got")
        index = f"http://127.0.0.1:{port}/+t/{secret}/simple/"
        assert uv(tmp_path, index, "acme-tool").returncode == 0
        assert (tmp_path / "got" / "acme_tool.py").exists()
        assert pip(tmp_path, index, "secret-sauce").returncode == 1
        expired = issue(core, limit_num_downloads=0)
        refused = pip(tmp_path, f"http://token:{expired}@127.0.0.1:{port}/simple/", "acme-tool")
        assert "Download limit 0/0 reached" in refused.stderr


@pytest.mark.parametrize(
    ("server", "layout"), [("gunicorn", "tree"), ("waitress", "flat"), ("preload", "tree")]
)
def test_guard_mode(
    server: str, layout: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    directory = request.getfixturevalue(layout)
    source = GUARD.format(
        repository=REPOSITORY,
        tree=str(directory),
        url="/simple" if layout == "tree" else "/packages",
        protect=["/simple"] if layout == "tree" else ["/simple", "/packages"],
    )
    with running(server, tmp_path, source) as port, store(tmp_path) as core:
        secret = issue(core)
        done = uv(tmp_path, f"http://token:{secret}@127.0.0.1:{port}/simple/", "acme-tool")
        assert done.returncode == 0, done.stderr
        assert counted(core) == 2
        index = f"http://127.0.0.1:{port}/+t/{secret}/simple/"
        shutil.rmtree(tmp_path / "got")
        done = pip(tmp_path, index, "acme-tool")
        assert done.returncode == 0, done.stderr
        assert {path.name for path in (tmp_path / "got").iterdir()} == {TOOL, LIBRARY}
        assert pip(tmp_path, index, "secret-sauce").returncode == 1
        spent = issue(core, limit_num_downloads=0)
        refused = uv(tmp_path, f"http://token:{spent}@127.0.0.1:{port}/simple/", "acme-tool")
        assert "Download limit 0/0 reached" in refused.stderr


def test_an_asgi_server(tmp_path: Path, tree: Path) -> None:
    source = ASGI.format(repository=REPOSITORY, tree=str(tree))
    with running("granian", tmp_path, source) as port, store(tmp_path) as core:
        secret = issue(core)
        done = pip(tmp_path, f"http://token:{secret}@127.0.0.1:{port}/simple/", "acme-tool")
        assert done.returncode == 0, done.stderr
        assert {path.name for path in (tmp_path / "got").iterdir()} == {TOOL, LIBRARY}
        assert counted(core) == 2


@pytest.mark.parametrize("module", ["wsgi", "asgi"])
def test_the_plain_wrappers_do_without_flask(module: str) -> None:
    program = f"import sys, flask_static_entitlements.{module}; sys.exit('flask' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
