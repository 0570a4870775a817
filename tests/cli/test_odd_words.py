"""Every option and argument of every command is given words that nobody expects."""

import re
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.test_every_command import COMMANDS

ODD: Final = ("9" * 20, "\udcff", "x" * 300, "/dev/full")
WELL: Final = {
    "repo": "acme/prod",
    "repository": "acme/prod",
    "source": "acme/prod",
    "target": "acme/beta",
    "user": "somebody",
    "name": "Somebody",
    "query": "name:demo",
}
"""What a command needs besides the odd word, by the name of the parameter."""
LONG: Final = frozenset({"serve", "demo"})
"""They run until they are ended."""


def given(command: Any, odd: Any, word: str) -> list[str]:  # noqa: ANN401 - Typer's own kinds
    """The words of a command line on which one parameter is odd, and the others are not."""
    options, arguments = [], []
    for one in command.params:
        value = word if one is odd else WELL.get(one.name, "x")
        if one.param_type_name == "argument":
            arguments.append(value)
        elif one is odd or one.required:
            options += [one.opts[0], value]
    return [*options, "--", *arguments] if arguments else options


@pytest.mark.parametrize("words", sorted(COMMANDS.keys() - LONG))
def test_no_word_is_met_by_surprise(
    cli: CommandLine, tmp_path: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = COMMANDS[words]
    for one in command.params:
        if getattr(one, "is_flag", False):
            continue
        for word in ODD:
            ran = cli(*words.split(), *given(command, one, word), stdin="")
            told = (one.name, word[:9], ran)
            assert ran.status in {0, 1, 2}, told
            assert not re.search("should not happen|Traceback", ran.err + ran.out), told
            assert ran.out or ran.err, told
