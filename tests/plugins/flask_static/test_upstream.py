"""An upstream in serve mode, for all repositories or for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from flask import Flask

from entitlements_core.errors import ConfigurationError, InvalidValue
from flask_static_entitlements import Entitlements
from tests.plugins.flask_static.conftest import REPOSITORY, Start, issue, wait

UPSTREAM: Final = "https://index.example/simple/"


def location(app: Flask, path: str, secret: str) -> tuple[int, str | None]:
    answer = app.test_client().get(path, headers={"Authorization": f"Bearer {secret}"})
    return answer.status_code, answer.location


def opened(tree: Path, **options: Any) -> tuple[Flask, Entitlements]:  # noqa: ANN401 - of the extension
    app = Flask("vendor")
    extension = Entitlements(app, create_repositories=True, **options)
    client = app.test_client()
    wait(lambda: client.get("/+health").status_code == 200)
    return app, extension


def test_of_several_repositories_each_has_its_own(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENTITLEMENTS_UPSTREAM", UPSTREAM)
    other = "https://other.example/simple"
    app, extension = opened(
        tree,
        repositories={
            "acme/usual": {"directories": [tree]},
            "acme/other": {"directories": [tree], "upstream": other},
            "acme/alone": {"directories": [tree], "upstream": ""},
        },
    )
    expected = {
        "acme/usual": (307, f"{UPSTREAM}numpy/"),
        "acme/other": (307, f"{other}/numpy/"),
        "acme/alone": (404, None),
    }
    for name, answer in expected.items():
        secret = issue(extension.core, "name:^acme-tool$", repository=name)
        assert location(app, f"/{name}/simple/numpy/", secret) == answer
        assert location(app, f"/{name}/simple/secret-sauce/", secret) == (404, None)
        assert location(app, f"/{name}/simple/acme-tool/", secret)[0] == 200
    extension.close()


def test_a_view_of_the_app_is_not_left_for_it(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENTITLEMENTS_UPSTREAM", UPSTREAM)
    app, extension = opened(tree, repository=REPOSITORY, directories=[tree], protect=["/simple"])
    secret = issue(extension.core)
    assert location(app, "/simple/numpy/", secret) == (404, None)
    extension.close()
    with pytest.raises(ConfigurationError, match="the app's own views"):
        opened(
            tree,
            repositories={
                REPOSITORY: {"directories": [tree], "protect": ["/files"], "upstream": UPSTREAM}
            },
        )


def test_an_upstream_that_is_none(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_HOME", str(tmp_path / "home"))
    own = {"directories": [tree], "upstream": "nowhere"}
    with pytest.raises(ConfigurationError, match="no address of an index"):
        opened(tree, repository=REPOSITORY, **own)
    with pytest.raises(InvalidValue, match="no address of an index"):
        opened(tree, repositories={REPOSITORY: own})


def test_it_is_read_from_the_apps_configuration(start: Start, tree: Path) -> None:
    app = Flask("vendor")
    app.config["ENTITLEMENTS_UPSTREAM"] = UPSTREAM
    served = start(app, repository=REPOSITORY, directories=[tree])
    answer = served.client().get("/simple/numpy/")
    assert (answer.status_code, answer.location) == (307, f"{UPSTREAM}numpy/")
