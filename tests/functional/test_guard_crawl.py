"""No spelling of an address leads past a guard: thousands of them, against each server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from tests.functional.guarded_apps import PREFIXES
from tests.functional.launching import launched
from tests.functional.spellings import RawConnection, spellings
from tests.plugins.flask_static.conftest import HIDDEN, TOOL, issue
from tests.wheelhouse import build_wheel

pytestmark = pytest.mark.functional

COUNT: Final = 5_000
FILES: Final = {
    "/simple": f"secret-sauce/{HIDDEN}",
    "/packages": f"secret-sauce/{HIDDEN}",
    "/files": HIDDEN,
}
NO_DISTRIBUTION: Final = ("keys.txt", "secret-sauce/keys.txt", "index.html")
MARKS: Final = (b"PK\x03\x04", b"the key is under the mat")
"""Of what no stranger may read: a wheel begins with the first, `keys.txt` holds the other."""

APP: Final = "tests.functional.guarded_apps:create_app"
SERVERS: Final = {
    "gunicorn": ["gunicorn", "--threads", "4", "-b", "127.0.0.1:{port}", f"{APP}()"],
    "waitress": ["waitress-serve", "--listen=127.0.0.1:{port}", "--call", APP],
    "granian": ["granian", "--interface", "wsgi", "--factory", "--port", "{port}", APP],
    "werkzeug": [
        "python",
        "-c",
        (
            "from werkzeug.serving import WSGIRequestHandler, run_simple;"
            "from tests.functional.guarded_apps import create_app;"
            "WSGIRequestHandler.protocol_version = 'HTTP/1.1';"
            "run_simple('127.0.0.1', {port}, create_app(), threaded=True)"
        ),
    ],
    "uvicorn": [
        *("uvicorn", "--factory", "--port", "{port}"),
        "tests.functional.guarded_apps:create_asgi_app",
    ],
}
WITH_FLASK: Final = [name for name in SERVERS if name != "uvicorn"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    build_wheel(root / "acme-tool", "acme-tool", "1.0")
    build_wheel(root / "secret-sauce", "secret-sauce", "1.0")
    for name in NO_DISTRIBUTION:
        (root / name).write_text("the key is under the mat")
    return root


@contextmanager
def running(server: str, tmp_path: Path, tree: Path) -> Iterator[int]:
    """A server of the apps; the port that it listens on."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "ENTITLEMENTS_HOME": str(tmp_path / "home"),
        "GUARDED_TREE": str(tree),
    }
    with launched(SERVERS[server], tmp_path, environment, host="lenient") as url:
        yield int(url.rpartition(":")[2])


def crawl(port: int, host: str, paths: list[str], secret: str = "") -> list[tuple[str, int]]:
    """What was answered with something that only a customer of the hidden file may read."""
    headers = {"Host": host, **({"Authorization": f"Bearer {secret}"} if secret else {})}

    def part(start: int) -> list[tuple[str, int]]:
        connection = RawConnection(port, headers)
        found = []
        for path in paths[start::4]:
            status, body = connection.fetch(path)
            if any(mark in body for mark in MARKS):
                found.append((path, status))
        connection.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        return [hit for found in pool.map(part, range(4)) for hit in found]


@pytest.mark.parametrize(
    "whole",
    [False, pytest.param(True, marks=pytest.mark.clients)],
    ids=["in turn", "whole"],
)
@pytest.mark.parametrize("server", SERVERS)
def test_no_spelling_leads_past_the_guard(
    server: str, tmp_path: Path, tree: Path, *, whole: bool
) -> None:
    """Every spelling on every server, and in every form of view.

    Every one on every server in every form is ``make clients``.
    """
    with running(server, tmp_path, tree) as port:
        core = Core.open(Settings.load(home=tmp_path / "home"))
        some, every = issue(core, "name:^acme-tool$"), issue(core, None)
        core.close()
        # The lenient one takes every spelling for every form of view.
        crawls = [("lenient", "/simple")]
        if server in WITH_FLASK:
            crawls += [("flask", prefix) for prefix in PREFIXES]
        for host, prefix in crawls:
            paths = spellings(prefix, FILES[prefix], NO_DISTRIBUTION, COUNT)
            if host == "flask" and not whole:
                paths = paths[WITH_FLASK.index(server) :: len(WITH_FLASK)]
            assert crawl(port, host, paths) == []
            assert crawl(port, host, paths[::10], some) == []
        for host, _ in crawls:  # the guard lets through who may, and the way is open at all
            assert crawl(port, host, [f"/simple/{FILES['/simple']}"], every) != []
            assert crawl(port, host, [f"/simple/acme-tool/{TOOL}"], some) != []
        open_paths = spellings("/simple", FILES["/simple"], NO_DISTRIBUTION, COUNT)[::5]
        assert len(crawl(port, "bare", open_paths)) > 100
