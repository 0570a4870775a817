"""The command line over a fresh home, and a directory of real distributions."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.main import get_command
from typer.testing import CliRunner

from entitlements_core.cli.program import app
from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from tests.wheelhouse import build_sdist, build_wheel


@pytest.fixture(scope="session", autouse=True)
def one_command() -> Iterator[None]:
    """Typer puts all commands together once, as in a process, and not for each that is run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """The document on stdout."""
        return json.loads(self.out)

    @property
    def detail(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """The document on stderr."""
        return json.loads(self.err)


@dataclass(frozen=True)
class CommandLine:
    """Runs commands in this process, on one home."""

    home: Path

    def __call__(self, *words: str, stdin: str | None = None, **environment: str) -> Ran:
        result = CliRunner().invoke(
            app,
            ["--home", str(self.home), *words],
            input=stdin,
            env={"ENTITLEMENTS_DATABASE_URL": "", "TERMINAL_WIDTH": "200", **environment},
        )
        return Ran(result.exit_code, result.stdout, result.stderr)

    def done(self, *words: str, **environment: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """The document of a command that has to succeed."""
        ran = self(*words, "--json", **environment)
        assert ran.status == 0, ran.err
        assert not ran.err
        return ran.json

    def refused(self, *words: str, status: int = 1) -> Any:  # noqa: ANN401 - whatever JSON holds
        """The document on stderr of a command that has to be refused."""
        ran = self(*words, "--json")
        assert (ran.status, ran.out) == (status, ""), ran
        assert "Traceback" not in ran.err
        return ran.detail

    def token(self, *options: str, name: str = "Customer", repo: str = "acme/prod") -> Any:  # noqa: ANN401 - see done
        """A new token."""
        return self.done("token", "create", "--repo", repo, "--name", name, *options)

    def core(self) -> Core:
        """The services over the same home."""
        return Core.open(Settings.load(home=self.home))

    def use(self, slug_perm: str, filename: str = "demo-1.0-py3-none-any.whl") -> None:
        """Count one download, as the request path would."""
        core = self.core()
        now = int(datetime.now(UTC).timestamp() * 1_000_000)  # noqa: TID251 - as it would count
        values = {"token": slug_perm, "now": now, "file": filename}
        with core.database.begin() as unit:
            unit.session.execute(
                text(
                    "INSERT INTO downloads (at, token_id, repository_id, project, version,"
                    " filename, client, user_agent, requests, bandwidth)"
                    " SELECT :now, t.id, g.repository_id, 'demo', '1.0', :file, '192.0.2.1',"
                    " '=pip', 1, 1500 FROM tokens t JOIN grants g ON g.token_id = t.id"
                    " WHERE t.identifier = :token"
                ),
                values,
            )
            unit.session.execute(
                text(
                    "UPDATE usage SET downloads = downloads + 1, clients = 1,"
                    " bandwidth = bandwidth + 1500, last_used_at = :now"
                    " WHERE token_id = (SELECT id FROM tokens WHERE identifier = :token)"
                ),
                values,
            )
            unit.session.execute(
                text(
                    "INSERT INTO clients SELECT t.id, '192.0.2.1', u.since, :now, :now"
                    " FROM tokens t JOIN usage u ON u.token_id = t.id"
                    " WHERE t.identifier = :token ON CONFLICT DO NOTHING"
                ),
                values,
            )
        core.close()


@pytest.fixture(scope="session")
def home_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a key, a store and the repository ``acme/prod``."""
    home = tmp_path_factory.mktemp("template") / "home"
    cli = CommandLine(home)
    assert cli("init").status == 0
    assert cli("repo", "add", "acme/prod").status == 0
    assert cli("repo", "add", "acme/beta", "--no-default-token").status == 0
    return home


@pytest.fixture
def cli(home_template: Path, tmp_path: Path) -> CommandLine:
    """The command line over a home of its own."""
    return CommandLine(Path(shutil.copytree(home_template, tmp_path / "home")))


@pytest.fixture
def empty(tmp_path: Path) -> CommandLine:
    """The command line over a home that is not there."""
    return CommandLine(tmp_path / "home")


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A directory with three files of two projects, and a broken one."""
    directory = tmp_path / "packages"
    build_wheel(directory, "demo", "1.0")
    build_wheel(directory, "demo", "2.0")
    build_sdist(directory, "other", "0.1")
    return directory


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes the command line believe that somebody sits there."""

    def sit_down() -> None:
        monkeypatch.setattr("entitlements_core.cli.console.is_attended", lambda: True)

    return sit_down
