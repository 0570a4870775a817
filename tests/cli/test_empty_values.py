"""An option or variable that is empty counts as unset, or is refused; it is never the directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.test_every_command import COMMANDS
from tests.cli.test_run_as_root import WORDS

PLACES = (
    "DIR",
    "FILE",
    "URL",
    "FILE|DIR",
    "FILE.csv.gz",
    "[DIR...]",
    "DIR...",
    "file",
    "directory",
)
UNSET = {("doctor", "upstream"), ("serve", "upstream"), ("devpi leave", "storage")}
"""Where an empty value is that of the settings, or none."""


def taking() -> list[tuple[str, str]]:
    """Commands, and the parameters of theirs that are a path or an address."""
    return [
        (words, param.name)
        for words, command in COMMANDS.items()
        for param in command.params
        if (param.metavar or param.name) in PLACES
        and (words, param.name) not in UNSET | {("package uploaded", "file"), ("explain", "file")}
    ]


def test_there_are_some() -> None:
    assert len(taking()) >= 13


@pytest.mark.parametrize(("words", "name"), taking())
def test_an_empty_path_or_address_is_refused(
    cli: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "packages").mkdir()
    before = sorted(tmp_path.rglob("*"))
    param = next(one for one in COMMANDS[words].params if one.name == name)
    rest = (
        WORDS.get(words, "--repo acme/prod")
        .format(token=cli.token()["slug_perm"], packages="packages", home=cli.home)
        .split()
    )
    if words == "demo":
        rest = []
    if param.param_type_name == "option":
        while param.opts[0] in rest:
            place = rest.index(param.opts[0])
            del rest[place : place + 2]
        given = [*rest, param.opts[0], ""]
    elif words == "eula add":
        given = ["acme/prod", ""]
    else:
        given = ["", *[word for word in rest if word.startswith("-") or word == "acme/prod"]]
    ran = cli(*words.split(), *given)
    assert ran.status in {1, 2}, ran
    assert "Traceback" not in ran.err
    assert any(said in ran.err.lower() for said in ("empty", "needs", "no public address", "http"))
    new = [path for path in tmp_path.rglob("*") if path not in before]
    assert all(cli.home in path.parents for path in new)


@pytest.mark.parametrize("variable", ["ENTITLEMENTS_HOME", "ENTITLEMENTS_DATABASE_URL"])
def test_an_empty_global_setting_is_unset(
    empty: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    done = CommandLine.done
    made = done(_Without(Path()), "init", **{variable: ""})
    assert made["home"] == str(tmp_path / "me" / ".entitlements")
    assert [path.name for path in tmp_path.iterdir()] == ["me"]
    assert not empty.home.exists()


class _Without(CommandLine):
    """The command line with ``--home ''`` and ``--database-url ''``."""

    def __call__(self, *words: str, **more: str) -> object:  # type: ignore[override] # as there
        from typer.testing import CliRunner

        from entitlements_core.cli.program import app
        from tests.cli.conftest import Ran

        ended = CliRunner().invoke(app, ["--home", "", "--database-url", "", *words], env={**more})
        return Ran(ended.exit_code, ended.stdout, ended.stderr)


FILTERS = [
    (words, option)
    for words, command in sorted(COMMANDS.items())
    for param in command.params
    if param.param_type_name == "option" and param.default == ""
    for option in param.opts[:1]
]


@pytest.mark.parametrize(("words", "option"), FILTERS)
def test_an_empty_option_is_not_one_that_was_left_out(
    cli: CommandLine, words: str, option: str
) -> None:
    arguments = {"SLUG_PERM": "x" * 12, "OWNER/SLUG": "acme/prod", "Q": "name:x"}
    given = words.split()
    for param in COMMANDS[words].params:
        if param.required and param.param_type_name == "argument":
            given.append(arguments.get(str(param.metavar).strip("[]"), "x"))
        elif param.required:
            given += [param.opts[0], "1" if param.opts[0] == "--number" else "acme/prod"]
    ran = cli(*given, option, "")
    assert ran.status == 2, ran.err
    assert "it is empty" in " ".join(ran.err.replace("│", " ").split())


def test_there_are_such_options() -> None:
    assert {("audit", "--actor"), ("usage", "--repo"), ("doctor", "--upstream")} <= set(FILTERS)
