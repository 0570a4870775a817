"""Repositories that a host has had for a moment, and the store not yet."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from entitlements_core import hookimpl, plugins
from entitlements_core.policy.facts import FileFacts
from tests.actors import person
from tests.cli.conftest import CommandLine
from tests.cli.test_every_command import COMMANDS

NEW = "acme/new"


class Host:
    """Serves an index that was made just now."""

    @hookimpl
    def entitlements_host(self) -> str:
        return "devpi-server 6"

    @hookimpl
    def entitlements_repositories(self) -> Iterable[str]:
        return [NEW]

    @hookimpl
    def entitlements_files(
        self, repository: str, project: str | None, bases: frozenset[str] | None
    ) -> Iterable[FileFacts] | None:
        return () if repository == NEW else None

    @hookimpl
    def entitlements_user_may_read(self, user: str, repository: str) -> bool:
        return (user, repository) == ("alice", NEW)


class Adding(Host):
    """Its server adds the index to the store while the command asks."""

    def __init__(self, cli: CommandLine) -> None:
        self._cli = cli

    @hookimpl
    def entitlements_repositories(self) -> Iterable[str]:
        core = self._cli.core()
        core.repositories.ensure([NEW], actor=person("host"))
        core.close()
        return [NEW]


def loaded(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    monkeypatch.setattr(plugins.Plugins, "_discover", lambda self: self.register(host))


NAMING = {
    "repo show": NEW,
    "repo edit": f"{NEW} --description x",
    "repo reserve": f"{NEW} x-*",
    "repo unreserve": f"{NEW} x-*",
    "repo reserved": NEW,
    "token create": f"--repo {NEW} --name x",
    "token grant": f"TOKEN {NEW} --query name:^x$",
    "token list": f"--repo {NEW}",
    "eula add": f"{NEW} FILE",
    "eula list": NEW,
    "eula show": NEW,
    "package tag": f"x y --repo {NEW}",
    "package untag": f"x y --repo {NEW}",
    "package tags": f"--repo {NEW}",
    "package list": f"--repo {NEW}",
    "package uploaded": f"x-1-py3-none-any.whl 2020-01-01 --repo {NEW}",
    "preview": f"name:x --repo {NEW}",
    "index": f"DIR --repo {NEW}",
    "doctor": f"DIR --repo {NEW}",
    "user-token get": f"alice --repo {NEW}",
}
OTHERS = {
    "repo add": "makes it",
    "repo remove": "what nobody added has nothing to remove",
    "serve": "serves directories, and no host's index",
    "usage": "of repositories that were removed, too",
    "audit": "of repositories that were removed, too",
}
"""Beside those of a token, which opens nothing but what is known."""
OF_TOKENS = {
    *("token show", "token edit", "token set", "token refresh", "token reset", "token enable"),
    *("token disable", "token delete", "token cleanup", "token revoke", "token regrant"),
    *("eula accept", "eula withdraw", "explain", "snippets"),
}


def test_every_command_on_a_repository_is_here() -> None:
    words = {"--repo", "owner/slug"}
    asked = {
        name
        for name, command in COMMANDS.items()
        for param in command.params
        if words & {*param.opts, str(param.metavar).lower()} and not name.startswith("devpi")
    }
    assert asked - OTHERS.keys() - OF_TOKENS == NAMING.keys()


@pytest.mark.parametrize("words", NAMING)
def test_a_command_knows_an_index_of_this_moment(
    words: str, cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = cli.token()["slug_perm"] if "TOKEN" in NAMING[words] else ""
    (tmp_path / "dir").mkdir()
    (tmp_path / "licence").write_text("Be kind.")
    loaded(monkeypatch, Host())
    places = {"TOKEN": token, "DIR": str(tmp_path / "dir"), "FILE": str(tmp_path / "licence")}
    said = cli(*words.split(), *(places.get(one, one) for one in NAMING[words].split()), "--json")
    assert "There is no repository" not in said.out + said.err
    monkeypatch.undo()
    assert NEW in {one["name"] for one in cli.done("repo", "list")}


def test_a_server_may_add_it_at_the_same_moment(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(monkeypatch, Adding(cli))
    assert cli.token(repo=NEW)["name"] == "Customer"


def test_a_secret_is_no_name_and_is_not_repeated(cli: CommandLine) -> None:
    secret = cli.token()["token"]
    assert cli.refused("repo", "add", f"acme/{secret}")["fields"].keys() == {"repository"}
    for words in (["repo", "add", secret], ["repo", "show", f"acme/{secret}"]):
        ran = cli(*words)
        assert ran.status == 1
        assert secret not in ran.out + ran.err


@pytest.mark.parametrize(
    "words",
    [
        "usage --repo NAME",
        "audit --repo NAME",
        "serve . --repo NAME --port 0",
        "explain TOKEN x.whl --repo NAME",
        "repo remove NAME --yes",
        "token sync NAME acme/beta --yes",
        "token sync acme/prod NAME --yes",
        "token cleanup --repo NAME",
    ],
)
def test_a_name_that_was_mistyped_is_answered_with_what_there_is(
    cli: CommandLine, words: str
) -> None:
    token = cli.token()
    places = {"NAME": "acme/prd", "TOKEN": token["slug_perm"]}
    refused = cli.refused(*(places.get(one, one) for one in words.split()))
    assert refused["code"] == "not_found"
    assert "no repository 'acme/prd'; there is acme/beta, acme/prod." in refused["detail"]
    # Even if a secret is put where the name should be.
    places["NAME"] = f"acme/{token['token']}"
    ran = cli(*(places.get(one, one) for one in words.split()))
    assert ran.status == 1
    assert token["token"] not in ran.out + ran.err


def test_a_repository_that_was_removed_is_still_reported_on(cli: CommandLine) -> None:
    assert cli("repo", "remove", "acme/beta", "--yes", "--force").status == 0
    assert cli.done("usage", "--repo", "acme/beta") == []
    assert cli.done("audit", "--repo", "acme/beta")


def test_what_nobody_has_is_refused_with_what_there_is(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(monkeypatch, Host())
    assert "there is acme/beta, acme/prod" in cli.refused("repo", "show", "acme/nope")["detail"]
