"""Every command, run as root over the home of a service, leaves what the service can go on with."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.test_every_command import COMMANDS

SERVICE = 54_321
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
pytestmark = pytest.mark.skipif(not IS_ROOT, reason="root alone gives files away")

WORDS = {
    "db prune": "--downloads-older-than 400d --export {home}/old.csv.gz",
    "eula accept": "{token} --repo acme/prod --number 1 --from 192.0.2.1",
    "eula add": "acme/prod {packages}/eula.txt",
    "eula withdraw": "{token} --repo acme/prod",
    "explain": "{token} demo-1.0-py3-none-any.whl --dir {packages}",
    "index": "{packages} --repo acme/prod",
    "package list": "--repo acme/prod --dir {packages}",
    "package tag": "demo stable --repo acme/prod",
    "package tags": "demo --repo acme/prod",
    "package untag": "demo stable --repo acme/prod",
    "package uploaded": "demo-1.0-py3-none-any.whl 2024-01-01 --repo acme/prod",
    "preview": "name:demo --repo acme/prod --dir {packages}",
    "repo add": "acme/more",
    "repo edit": "acme/prod --user-tokens",
    "repo reserve": "acme/prod acme-*",
    "repo unreserve": "acme/prod acme-*",
    "restore": "{packages}/copy.db",
    "backup": "{home}/copy.db",
    "snippets": "{token} --url https://example.com/simple/",
    "token create": "--repo acme/prod --name X",
    "token edit": "{token} --name Y",
    "token grant": "{token} acme/beta",
    "token regrant": "acme/prod",
    "token revoke": "{token} acme/prod",
    "token set": "{token} --secret own-secret-1234 --yes",
    "token sync": "acme/prod acme/beta",
    "usage": "--repo acme/prod",
    "user-token get": "somebody --repo acme/prod",
}
"""Where a token's identifier, or a repository's name, alone would not do."""
NOT_RUN = {"serve", "demo"}
"""They go on until they are stopped; what `serve` opens is opened in the last test."""


def owners(home: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(home)): (path.stat().st_uid, path.stat().st_gid)
        for path in (home, *home.rglob("*"))
    }


def give(home: Path) -> None:
    for path in (home, *home.rglob("*")):
        os.chown(path, SERVICE, SERVICE)


def words_for(command: str, cli: CommandLine, packages: Path) -> list[str]:
    arguments = [one for one in COMMANDS[command].params if one.param_type_name == "argument"]
    token = cli.token()["slug_perm"]
    if command in WORDS:
        text = WORDS[command]
    elif not arguments:
        text = ""
    else:
        text = "acme/prod" if "OWNER" in str(arguments[0].metavar) else "{token}"
    return text.format(token=token, packages=packages, home=cli.home).split()


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - NOT_RUN))
def test_what_a_command_makes_belongs_to_whom_the_home_belongs(
    cli: CommandLine, packages: Path, command: str
) -> None:
    (packages / "eula.txt").write_text("Terms", encoding="utf-8")
    assert cli("backup", str(packages / "copy.db")).status == 0
    words = words_for(command, cli, packages)
    for path in cli.home.iterdir():
        if path.name not in {"key", "entitlements.db"}:
            path.unlink()
    give(cli.home)
    ran = cli(*command.split(), *words, stdin="y\n")
    assert ran.status in {0, 1}, ran.err  # it ran, though what it was asked may be refused
    assert set(owners(cli.home).values()) == {(SERVICE, SERVICE)}, owners(cli.home)


def test_a_home_that_root_makes_belongs_to_whom_its_directory_belongs(tmp_path: Path) -> None:
    os.chown(tmp_path, SERVICE, SERVICE)
    cli = CommandLine(tmp_path / "below" / "home")
    assert cli("init").status == 0
    assert set(owners(tmp_path).values()) == {(SERVICE, SERVICE)}


def test_a_server_that_root_starts(cli: CommandLine, packages: Path) -> None:
    from entitlements_core.engine.serving import create_app
    from entitlements_core.services.settings import Settings

    give(cli.home)
    settings = Settings.load(
        home=cli.home, repository="acme/prod", directories=(str(packages),), watch="polling"
    )
    create_app(settings)
    found = owners(cli.home)
    assert {"catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.db.lock"} <= found.keys()
    assert set(found.values()) == {(SERVICE, SERVICE)}, found


def test_a_copy_for_somebody_who_may_not_read_the_store_stays_with_root(
    cli: CommandLine, tmp_path: Path
) -> None:
    give(cli.home)
    for owner, expected in ((SERVICE, SERVICE), (SERVICE + 1, 0)):
        folder = tmp_path / str(owner)
        folder.mkdir()
        os.chown(folder, owner, owner)
        assert cli("backup", str(folder)).status == 0
        words = ("--downloads-older-than", "400d", "--export", str(folder / "downloads.csv.gz"))
        assert cli("db", "prune", *words).status == 0
        assert [path.stat().st_uid for path in folder.iterdir()] == [expected, expected]
