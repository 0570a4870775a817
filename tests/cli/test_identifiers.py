"""Whoever names a token by its secret is told so, and the secret is not said again."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.test_every_command import COMMANDS
from tests.cli.test_run_as_root import WORDS

EXTRA = {
    "explain": "{token} demo-1.0-py3-none-any.whl",
    "token regrant": "{token}",
    "token show": "{token} --show-secret",
    "usage": "--token {token}",
    "audit": "--token {token}",
    "preview": "name:demo --repo acme/prod --token {token}",
}
TAKING = {
    words: EXTRA.get(words) or WORDS.get(words, "{token}")
    for words, command in COMMANDS.items()
    if any("SLUG_PERM" in str(param.metavar) for param in command.params)
}
GENERATED = "ent_" + "0" * 38
CUSTOM = "acme-license-2026"
LIKE_AN_IDENTIFIER = "abcdefABCDEF"


def test_there_are_commands_that_take_an_identifier() -> None:
    assert len(TAKING) > 14


@pytest.mark.parametrize("words", sorted(TAKING))
def test_a_secret_in_the_place_of_an_identifier(cli: CommandLine, words: str) -> None:
    generated = cli.token()
    custom = cli.token("--secret", CUSTOM)
    short = cli.token("--secret", LIKE_AN_IDENTIFIER)
    for token, secret in (
        (generated, generated["token"]),
        (custom, CUSTOM),
        (short, LIKE_AN_IDENTIFIER),
    ):
        given = [*words.split(), *TAKING[words].format(token=secret).split()]
        refused = cli.refused(*given)
        assert refused["code"] == "not_found"
        assert "is the secret of a token" in refused["detail"]
        assert token["slug_perm"] in refused["detail"]
        ran = cli(*given)
        assert ran.status == 1
        assert secret not in ran.out + ran.err + str(refused)
    for secret in (GENERATED, CUSTOM + "x"):
        refused = cli.refused(*words.split(), *TAKING[words].format(token=secret).split())
        assert refused["code"] == "not_found"
        assert secret not in str(refused)
        assert ("is a secret" in refused["detail"]) == (secret == GENERATED)


def test_an_identifier_that_is_not_there_is_said(cli: CommandLine) -> None:
    assert "'abcdefABCDEF'" in cli.refused("token", "show", "abcdefABCDEF")["detail"]


EDITING = {"token edit": "{token}", "repo edit": "acme/prod"}


@pytest.mark.parametrize(
    ("words", "more"), [("token edit", ""), ("token edit", "--repo acme/prod"), ("repo edit", "")]
)
def test_an_edit_of_nothing_changes_nothing(cli: CommandLine, words: str, more: str) -> None:
    token = cli.token()["slug_perm"]
    before = cli.done("audit"), cli.done("token", "show", token)
    given = [*words.split(), *EDITING[words].format(token=token).split(), *more.split()]
    refused = cli.refused(*given, status=2)
    assert refused["code"] == "usage"
    ran = cli(*given)
    assert ran.status == 2
    options = {name for param in COMMANDS[words].params for name in param.opts}
    for name in options - {"--repo", "--json", "--help", "-h"}:
        if name.startswith("--"):
            assert name in refused["detail"]
    assert (cli.done("audit"), cli.done("token", "show", token)) == before


def test_every_command_that_edits_is_here() -> None:
    assert {words for words in COMMANDS if words.split()[-1] == "edit"} == EDITING.keys()
