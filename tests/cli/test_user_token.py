"""``entitlements user-token``, and the cleanup of user tokens."""

import pytest

from entitlements_core import hookimpl
from entitlements_core.plugins import Plugins
from tests.cli.conftest import CommandLine

MASK = "**********"
ANN = ("user-token", "get", "ann", "--repo", "acme/prod")


@pytest.fixture
def users(cli: CommandLine) -> CommandLine:
    """A command line over a repository with user tokens."""
    found = cli.done("repo", "edit", "acme/prod", "--user-tokens")
    assert found["user_entitlements_enabled"] is True
    return cli


class Host:
    """A host that knows whether its users may read, or fails."""

    def __init__(self, *, answer: bool | None) -> None:
        self.answer = answer

    @hookimpl
    def entitlements_user_may_read(self) -> bool:
        if self.answer is None:
            raise ZeroDivisionError
        return self.answer


def hosted(monkeypatch: pytest.MonkeyPatch, *, answer: bool | None) -> None:
    host = Host(answer=answer)
    monkeypatch.setattr(Plugins, "_discover", lambda self: self.register(host))


def test_a_users_token_is_made_once_and_shown(users: CommandLine) -> None:
    made = users.done(*ANN)
    assert (made["user"], made["token"]) == ("ann", MASK)
    assert made["repositories"][0]["repository"] == "acme/prod"
    shown = users.done(*ANN, "--show-secret")
    assert shown["slug_perm"] == made["slug_perm"]
    assert shown["token"].startswith("ent_")
    assert "token.revealed" in [one["action"] for one in users.done("audit")]
    assert "ann" in users(*ANN).out


def test_a_secret_that_is_not_kept_is_shown_once(
    users: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_SEAL_SECRETS", "false")
    assert users.done(*ANN)["token"].startswith("ent_")
    assert users.done(*ANN)["token"] == MASK
    assert "was not kept" in users.refused(*ANN, "--show-secret")["detail"]


def test_who_gets_none(users: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = ("user-token", "get", "ann", "--repo")
    assert "no user tokens" in users.refused(*elsewhere, "acme/beta")["detail"]
    assert users.refused(*elsewhere, "acme/nope")["code"] == "not_found"
    hosted(monkeypatch, answer=False)
    assert "may not read" in users.refused(*ANN)["detail"]
    hosted(monkeypatch, answer=True)
    assert users.done(*ANN)["user"] == "ann"


@pytest.mark.parametrize("answer", [True, None])
def test_cleanup_keeps_what_the_host_does_not_deny(
    users: CommandLine,
    answer: bool | None,  # noqa: FBT001 - the answer
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    users.done(*ANN)
    hosted(monkeypatch, answer=answer)
    assert users.done("token", "cleanup")["tokens"] == []


def test_cleanup_where_no_host_can_be_asked_keeps_all(users: CommandLine) -> None:
    made = users.done(*ANN)
    assert users.done("token", "cleanup")["tokens"] == []
    assert users.done("token", "show", made["slug_perm"])["status"] == made["status"]


def test_cleanup_deletes_what_the_host_denies(
    users: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = users.done(*ANN)
    hosted(monkeypatch, answer=False)
    (gone,) = users.done("token", "cleanup")["tokens"]
    assert gone["slug_perm"] == made["slug_perm"]
