"""The Python examples of the page on Flask, each by itself and as it stands, asked over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from entitlements_core.plugins import Plugins
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from tests.actors import person
from tests.pages import Block, take_all
from tests.plugins.flask_static.conftest import wait
from tests.wheelhouse import build_wheel

EXAMPLES: Final = take_all("docs/flask.md", "python")
WHEEL: Final = "acme_core-1.0-py3-none-any.whl"
PACKAGE: Final = f"/packages/{WHEEL}"

EXPECTED: Final = {
    "def create_app": {"/simple/": 200, PACKAGE: 200, "/other": 404},
    "repositories=": {
        "/acme/prod/simple/acme-core/": 200,
        f"/beta{PACKAGE}": 200,
        "/simple/": 404,
    },
    "def files": {
        "/simple/": 200,
        f"/simple/acme-core/{WHEEL}": 200,
        "/simple/acme-core/index.html": 404,
    },
    "def notes": {"/notes": 200, f"/get/{WHEEL}": 200, "/get/other-1.0.tar.gz": 404},
    "connect_via": {PACKAGE: 200},
    "EntitlementsMiddleware": {"/simple/": 200, PACKAGE: 200, "/other": 200},
    "EntitlementsASGI": {
        "/simple/": 200,
        f"/simple/{WHEEL}": 200,
        "/simple/acme-core/index.html": 404,
    },
}
"""What the example with a word is answered, with a token."""

Ask = Callable[[str, str | None], httpx.Response]


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a customer, in the store that the examples find, with packages where they look."""
    for name in ("prod", "beta", "packages", "simple", "simple/acme-core"):
        build_wheel(tmp_path / "srv" / name, "acme-core", "1.0")
    (tmp_path / "srv/simple/index.html").write_text("everything")
    monkeypatch.setenv("ENTITLEMENTS_HOME", str(tmp_path / "home"))
    core = Core.open(Settings.load(home=tmp_path / "home"), create=True, plugins=Plugins())
    for name in ("acme/prod", "acme/beta"):
        core.repositories.add(name, actor=person("docs"))
    grants = [TokenGrant(repository=name) for name in ("acme/prod", "acme/beta")]
    issued = core.lifecycle.create("Customer 1", grants, actor=person("docs"))
    core.close()
    assert issued.secret is not None
    return issued.secret


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def run(block: Block, srv: Path) -> dict[str, Any]:
    """What an example has defined, when only the place of /srv is another one."""
    names: dict[str, Any] = {"__name__": "vendor"}
    text = block.text.replace("/srv/", f"{srv}/")
    exec(compile(text, str(block), "exec"), names)  # noqa: S102 - that is the test
    return names


def client(names: dict[str, Any], stack: ExitStack) -> Ask:
    """Asks the application of an example over HTTP."""
    if "files" in names and "EntitlementsASGI" in names:
        stack.callback(names["app"].close)
        transport = httpx.ASGITransport(names["app"])

        def ask(path: str, token: str | None) -> httpx.Response:
            async def get() -> httpx.Response:
                async with httpx.AsyncClient(transport=transport, base_url="http://host") as one:
                    return await one.get(path, auth=("token", token) if token else None)

            return asyncio.run(get())

        return ask
    app = names.get("application") or names.get("app") or names["create_app"]()
    closing = app if "application" in names else app.extensions["entitlements"]
    stack.callback(closing.close)
    one = stack.enter_context(
        httpx.Client(transport=httpx.WSGITransport(app), base_url="http://host")
    )
    return lambda path, token: one.get(path, auth=("token", token) if token else None)


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_an_example_answers(
    block: Block, secret: str, tmp_path: Path, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    names = run(block, tmp_path / "srv")
    tests = [value for name, value in names.items() if name.startswith("test_")]
    if tests:
        tests[0]()
        return
    [expected] = [EXPECTED[word] for word in EXPECTED if word in block.text]
    ask = client(names, stack)
    wait(lambda: ask("/+health", None).status_code == 200)
    answers = {path: ask(path, secret).status_code for path in expected}
    strangers = {path: ask(path, None).status_code for path in expected if expected[path] == 200}

    assert answers == expected
    assert {path: status for path, status in strangers.items() if path != "/other"} == {
        path: 401 for path in strangers if path != "/other"
    }
    if "connect_via" in block.text:
        assert f"took {WHEEL}" in caplog.text
