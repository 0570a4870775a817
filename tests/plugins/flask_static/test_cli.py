"""``flask entitlements …`` on the store of the app."""

import json
import os
from pathlib import Path

import pytest
from flask import Flask

from flask_static_entitlements import Entitlements
from flask_static_entitlements.cli import environment
from tests.actors import person
from tests.plugins.flask_static.conftest import LIBRARY, REPOSITORY, TOOL, Start


@pytest.fixture
def app(tmp_path: Path, tree: Path) -> Flask:
    """An app as a factory makes it below the ``flask`` command: nothing is opened yet."""
    app = Flask("vendor")
    app.config["ENTITLEMENTS_HOME"] = str(tmp_path / "other-home")
    return app


def run(app: Flask, *words: str) -> str:
    result = app.test_cli_runner().invoke(args=["entitlements", *words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_commands_work_on_the_store_of_the_app(start: Start, app: Flask, tree: Path) -> None:
    start(app, repository=REPOSITORY, directories=[tree])
    found = json.loads(run(app, "repo", "list", "--json"))
    assert REPOSITORY in json.dumps(found)
    assert "token" in run(app, "--help")
    assert "create" in run(app, "token", "--help")


def test_a_missing_repository_can_be_added(
    app: Flask, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_static_entitlements.extension._runs_flask_command", lambda: True)
    extension = Entitlements(app, repository=REPOSITORY, directories=[tree])
    assert app.test_client().get("/simple/").status == "503 The index is not set up"
    run(app, "init")
    run(app, "repo", "add", REPOSITORY)
    assert (tmp_path / "other-home" / "key").exists()
    assert app.test_client().get("/simple/").status_code in {401, 503}
    assert extension.core.repositories.show(REPOSITORY).name == REPOSITORY
    extension.close()


def test_commands_know_the_directories_of_the_app(start: Start, app: Flask, tree: Path) -> None:
    start(app, repository=REPOSITORY, directories=[tree])
    listed = json.loads(run(app, "package", "list", "--repo", REPOSITORY, "--json"))
    assert {one["filename"] for one in listed} >= {TOOL, LIBRARY}


@pytest.mark.parametrize("several", [False, True])
def test_commands_know_the_repository_of_the_app(
    start: Start, app: Flask, tree: Path, *, several: bool
) -> None:
    if several:
        served = start(app, repositories={REPOSITORY: {"directories": [tree]}})
    else:
        served = start(app, repository=REPOSITORY, directories=[tree])
    served.core.repositories.add("acme/beta", actor=person("test"))
    made = json.loads(run(app, "token", "create", "--name", "One", "--json"))
    both = ("--repo", REPOSITORY, "--repo", "acme/beta", "--name", "Both", "--json")
    of_both = json.loads(run(app, "token", "create", *both))["slug_perm"]
    assert [one["repository"] for one in made["repositories"]] == [REPOSITORY]
    assert TOOL in json.loads(run(app, "preview", "name:*", "--json"))["files"]
    assert TOOL in run(app, "package", "list", "--json")
    explained = json.loads(run(app, "explain", of_both, TOOL, "--json"))
    assert (explained["repository"], explained["allowed"]) == (REPOSITORY, True)
    assert run(app, "snippets", of_both, "--url", "https://index.example")


def test_which_of_several_repositories_has_to_be_said(start: Start, app: Flask, tree: Path) -> None:
    own = {"directories": [tree]}
    start(app, repositories={REPOSITORY: own, "acme/beta": own}, create_repositories=True)
    result = app.test_cli_runner().invoke(args=["entitlements", "preview", "name:*"])
    assert result.exit_code == 2
    assert "--repo" in result.stderr
    assert TOOL in run(app, "preview", "name:*", "--repo", "acme/beta", "--dir", str(tree))


def test_a_failing_command_fails(start: Start, app: Flask, tree: Path) -> None:
    start(app, repository=REPOSITORY, directories=[tree])
    result = app.test_cli_runner().invoke(args=["entitlements", "repo", "show", "no/such"])
    assert result.exit_code == 1
    assert "no/such" in result.stderr


def test_settings_survive_the_way_through_the_environment(
    start: Start, app: Flask, tree: Path
) -> None:
    served = start(
        app,
        repository=REPOSITORY,
        directories=[tree, tree.parent],
        trusted_proxies=["fd00::/8", "10.0.0.0/8"],
        seal_secrets=False,
    )
    settings = served.core.settings
    before = dict(os.environ)
    with environment(settings):
        assert type(settings).load() == settings
    assert dict(os.environ) == before
