"""``entitlements repo``."""

from collections.abc import Callable

from tests.cli.conftest import CommandLine


def test_add_makes_a_default_token_whose_secret_is_masked(cli: CommandLine) -> None:
    found = cli.done("repo", "add", "acme/new", "--description", "New", "--contact", "a@b.example")
    assert (found["name"], found["owner"], found["contact"]) == ("acme/new", "acme", "a@b.example")
    assert found["default_token"]["default"] is True
    assert found["default_token"]["token"] == "**********"
    ran = cli("repo", "add", "acme/shown", "--show-secret")
    assert "ent_" in ran.err
    assert "ent_" not in ran.out
    assert "Added acme/shown." in ran.out


def test_add_without_a_default_token(cli: CommandLine) -> None:
    assert cli.done("repo", "add", "acme/bare", "--no-default-token")["default_token"] is None
    assert cli("repo", "add", "acme/other", "--no-default-token").err == ""


def test_list_and_show(cli: CommandLine) -> None:
    assert [one["name"] for one in cli.done("repo", "list")] == ["acme/beta", "acme/prod"]
    assert "acme/beta" in cli("repo", "list").out
    assert cli.done("repo", "show", "acme/prod")["enforce_eula"] is False
    assert "acme/prod" in cli("repo", "show", "acme/prod").out


def test_edit_changes_what_is_named(cli: CommandLine) -> None:
    cli.done("repo", "edit", "acme/prod", "--description", "Main", "--user-tokens")
    found = cli.done("repo", "edit", "acme/prod", "--contact", "help@acme.example")
    assert (found["description"], found["contact"]) == ("Main", "help@acme.example")
    assert found["user_entitlements_enabled"] is True
    assert "user tokens" in cli("repo", "show", "acme/prod").out


def test_a_licence_is_enforced_only_where_there_is_a_text(cli: CommandLine) -> None:
    refused = cli.refused("repo", "edit", "acme/prod", "--enforce-eula")
    assert refused["code"] == "refused"


def test_remove(cli: CommandLine) -> None:
    token = cli.token()
    assert cli.refused("repo", "remove", "acme/prod")["code"] == "refused"
    found = cli.done("repo", "remove", "acme/prod", "--force")
    assert token["slug_perm"] in found["deleted_tokens"]
    assert cli.refused("repo", "show", "acme/prod")["code"] == "not_found"


def test_remove_asks_for_the_name_at_a_terminal(
    cli: CommandLine, terminal: Callable[[], None]
) -> None:
    terminal()
    ran = cli("repo", "remove", "acme/beta", stdin="acme/prod\n")
    assert ran.status == 1
    assert "Nothing was changed." in ran.err
    assert cli("repo", "remove", "acme/beta", stdin="acme/beta\n").status == 0
    assert cli("repo", "remove", "acme/prod", "--yes").status == 0


def test_a_prompt_that_is_broken_off_changes_nothing(
    cli: CommandLine, terminal: Callable[[], None]
) -> None:
    terminal()
    assert cli("repo", "remove", "acme/beta", stdin="").status == 130
    assert cli("repo", "show", "acme/beta").status == 0


def test_refusals(cli: CommandLine) -> None:
    assert cli.refused("repo", "add", "acme/prod")["code"] == "conflict"
    assert cli.refused("repo", "add", "acme")["fields"].keys() == {"repository"}
    assert cli.refused("repo", "show", "acme/nope")["code"] == "not_found"


def test_names_are_reserved(cli: CommandLine) -> None:
    assert "no names but those of its files" in cli("repo", "reserved", "acme/prod").out
    found = cli.done("repo", "reserve", "acme/prod", "acme-*", "Tool")
    assert found == {"name": "acme/prod", "reserved": ["acme-*", "tool"]}
    assert cli("repo", "reserved", "acme/prod").out.split() == ["acme-*", "tool"]
    assert cli.done("repo", "unreserve", "acme/prod", "tool")["reserved"] == ["acme-*"]
    assert cli.refused("repo", "unreserve", "acme/prod", "tool")["code"] == "not_found"
    assert cli.refused("repo", "reserve", "acme/prod", "*")["code"] == "invalid"


def test_people_read_what_a_repository_is(cli: CommandLine) -> None:
    cli.done(
        "repo", "edit", "acme/prod", "--description", "Tools", "--contact", "help@acme.example"
    )
    for words in (("repo", "list"), ("repo", "show", "acme/prod")):
        shown = " ".join(cli(*words).out.split())
        assert "Description" in shown, shown
        assert "Contact" in shown, shown
        assert "Option" not in shown
