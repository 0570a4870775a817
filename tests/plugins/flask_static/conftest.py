"""Real wheels, a real store, and apps over them that are closed at the end."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import pytest
from flask import Flask, Response, send_from_directory
from werkzeug.test import TestResponse

from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.token_changes import TermChanges
from flask_static_entitlements import Entitlements, Options
from flask_static_entitlements.testing import EntitlementsClient
from tests.actors import person
from tests.wheelhouse import build_sdist, build_wheel

REPOSITORY = "acme/prod"
TOOL = "acme_tool-1.0-py3-none-any.whl"
LIBRARY = "acme_lib-2.0-py3-none-any.whl"
HIDDEN = "secret_sauce-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's settings, and no home but the test's."""
    monkeypatch.setenv("ENTITLEMENTS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ENTITLEMENTS_DATABASE_URL", raising=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree as static generators write it: files in a directory for each project."""
    root = tmp_path / "simple"
    build_wheel(root / "acme-tool", "acme-tool", "1.0", requires=["acme-lib"])
    build_wheel(root / "acme-lib", "acme-lib", "2.0", padding=600_000)
    build_sdist(root / "acme-lib", "acme-lib", "1.0")
    build_wheel(root / "secret-sauce", "secret-sauce", "1.0")
    (root / "index.html").write_text("everything: secret-sauce")
    (root / "secret-sauce" / "index.html").write_text("secret-sauce")
    (root / "packages.json").write_text('{"secret-sauce": "1.0"}')
    return root


@pytest.fixture
def flat(tmp_path: Path, tree: Path) -> Path:
    """The same files side by side."""
    root = tmp_path / "packages"
    root.mkdir()
    for path in tree.rglob("*.*"):
        if path.suffix in {".whl", ".gz"}:
            path.rename(root / path.name)
    return root


def issue(
    core: Core,
    query: str | None = "name:^acme-tool$ OR name:^acme-lib$",
    *,
    repository: str = REPOSITORY,
    enabled: bool = True,
    **terms: Unpack[TermChanges],
) -> str:
    """A token's secret; by default it covers all but one project."""
    grant = TokenGrant(repository=repository, limit_package_query=query)
    issued = core.lifecycle.create(
        "Customer", [grant], actor=person("test"), enabled=enabled, **terms
    )
    assert issued.secret is not None
    return issued.secret


def counted(core: Core) -> int:
    """The downloads of all tokens that count now."""
    return sum(token.usage.downloads for token in core.lifecycle.list().items)


def wait(ready: Callable[[], bool]) -> None:
    """Until `ready`, at most a minute."""
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Client(EntitlementsClient):
    """Reads each answer whole, so that the files behind it are closed."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:  # noqa: ANN401 - as Werkzeug's
        return super().open(*args, **{"buffered": True, **kwargs})


@dataclass
class Served:
    """An app with its extension, and a token."""

    app: Flask
    extension: Entitlements
    secret: str

    @property
    def core(self) -> Core:
        return self.extension.core

    def client(self, token: str | None = None) -> EntitlementsClient:
        """A client with a token, by default the usual one; empty is none."""
        secret = self.secret if token is None else token
        client = self.app.test_client(token=secret or None)
        assert isinstance(client, EntitlementsClient)
        return client

    def path(self, rest: str) -> str:
        """The address with the token in it."""
        return f"/+t/{self.secret}{rest}"


Start = Callable[..., Served]


@pytest.fixture
def start() -> Iterator[Start]:
    """Sets up apps, and closes them at the end."""
    opened: list[Entitlements] = []

    def start(app: Flask, **options: Unpack[Options]) -> Served:
        app.test_client_class = Client
        options.setdefault("create_repositories", True)
        extension = Entitlements(**options)
        opened.append(extension)
        extension.init_app(app)
        client = app.test_client()
        wait(lambda: client.get("/+health").status_code == 200)
        return Served(app, extension, issue(extension.core))

    yield start
    for extension in opened:
        extension.close()


@pytest.fixture
def served(start: Start, tree: Path) -> Served:
    """An app with a page of its own that serves a repository."""
    app = Flask("vendor")
    app.add_url_rule("/about", "about", lambda: "about us")
    return start(app, repository=REPOSITORY, directories=[tree])


def vendor(tree: Path, url: str) -> Flask:
    """An app that shows a tree of files below `url` to everybody."""
    app = Flask("vendor")

    @app.get(f"{url}/")
    @app.get(f"{url}/<path:path>")
    def files(path: str = "") -> Response:
        if path == "" or path.endswith("/"):
            path += "index.html"
        return send_from_directory(tree, path, max_age=600)

    app.add_url_rule("/about", "about", lambda: "about us")
    return app


@pytest.fixture
def guarded(start: Start, tree: Path) -> Served:
    """An app whose own views below /simple are guarded."""
    return start(
        vendor(tree, "/simple"), repository=REPOSITORY, directories=[tree], protect=["/simple"]
    )
