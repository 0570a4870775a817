"""The command as a process of its own: what only a real one shows."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.cli.conftest import CommandLine

ENTITLEMENTS = str(Path(sys.executable).with_name("entitlements"))


def run(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    return subprocess.run(
        [ENTITLEMENTS, *words],
        env=os.environ | {"ENTITLEMENTS_HOME": str(home)} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_home_comes_from_the_environment(cli: CommandLine) -> None:
    ran = run(cli.home, "repo", "list", "--json")
    assert ran.returncode == 0
    assert [one["name"] for one in json.loads(ran.stdout)] == ["acme/beta", "acme/prod"]
    assert ran.stderr == ""


def test_ctrl_c_at_the_first_moment_is_silent(cli: CommandLine) -> None:
    """What a command is made of takes a while to import."""
    script = """if True:
        import os, signal, sys
        from entitlements_core.cli import main

        class Interrupting:
            @staticmethod
            def find_spec(name, *_):
                if name == sys.argv[1]:
                    os.kill(os.getpid(), signal.SIGINT)

        sys.meta_path.insert(0, Interrupting)
        sys.argv[0] = "entitlements"
        main()
    """
    for module in ("entitlements_core.cli.program", "typer.main", "rich.console"):
        ran = subprocess.run(
            [sys.executable, "-c", script, module],
            env=os.environ | {"ENTITLEMENTS_HOME": str(cli.home)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (130, ""), module


def test_scripts_are_never_asked(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    ran = run(cli.home, "token", "delete", slug)
    assert ran.returncode == 0
    assert "deleted" in ran.stdout


def test_errors_of_a_real_process(cli: CommandLine) -> None:
    refused = run(cli.home, "token", "show", "nobody", "--json")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert json.loads(refused.stderr)["code"] == "not_found"
    assert run(cli.home, "token", "show").returncode == 2


def test_nothing_is_cut_or_coloured_in_a_pipe(cli: CommandLine) -> None:
    name = "A customer with a name that is longer than any terminal is wide " * 3
    cli.token(name=name.strip())
    ran = run(cli.home, "token", "list", COLUMNS="40")
    assert name.strip() in ran.stdout
    assert "\x1b" not in ran.stdout
    ran = run(cli.home, "token", "list", "--search", "foo:bar", NO_COLOR="1")
    assert "\x1b" not in ran.stderr


def test_a_reader_that_goes_away_is_no_error(cli: CommandLine) -> None:
    for number in range(3):
        cli.token(name=f"C{number}", repo="acme/prod")
    command = [ENTITLEMENTS, "--home", str(cli.home), "audit", "--page-size", "500", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


HEAVY: Final = {
    *("sqlalchemy", "sqlmodel", "alembic", "pydantic", "pydantic_settings", "cryptography"),
    *("psycopg", "watchfiles", "granian", "waitress", "flask", "asyncio"),
    *("devpi_entitlements", "flask_static_entitlements", "pypiserver_entitlements"),
}
"""What takes longer to import than all that a command needs to begin."""


def imported(*words: str) -> set[str]:
    """The modules that a command has imported when it ends."""
    command = [sys.executable, "-X", "importtime", "-m", "entitlements_core.cli", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}


def test_a_command_begins_without_what_is_heavy() -> None:
    found = imported("--version")
    assert "entitlements_core.cli.program" in found
    assert HEAVY & found == set()


def test_a_command_on_a_store_loads_the_dialect_of_that_store_only(cli: CommandLine) -> None:
    found = imported("--home", str(cli.home), "token", "list")
    assert {name for name in found if re.fullmatch(r"sqlalchemy\.dialects\.[a-z]+", name)} == {
        "sqlalchemy.dialects.sqlite"
    }


def test_as_a_module(cli: CommandLine) -> None:
    command = [
        sys.executable,
        "-m",
        "entitlements_core.cli",
        "--home",
        str(cli.home),
        "repo",
        "list",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "acme/prod" in ran.stdout
