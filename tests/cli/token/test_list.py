"""``entitlements token list`` and ``show``."""

import json

import pytest

from tests.actors import person
from tests.cli.conftest import CommandLine


def test_list_views_search_and_pages(cli: CommandLine) -> None:
    ann, bob, eve = (cli.token(name=name) for name in ("Ann", "Bob", "Eve"))
    cli.done("token", "disable", bob["slug_perm"])
    cli.done("token", "delete", eve["slug_perm"])

    def names(*options: str) -> list[str]:
        return [one["name"] for one in cli.done("token", "list", "--repo", "acme/prod", *options)]

    assert names() == ["Ann", "Default"]
    assert names("--disabled", "--sort", "-name") == ["Default", "Bob", "Ann"]
    assert names("--disabled", "--deleted") == ["Ann", "Bob", "Default", "Eve"]
    assert names("--search", "name:ann") == ["Ann"]
    assert names("--search", "state:deleted", "--show-secret") == ["Eve"]
    assert names("--all-users", "--page", "2", "--page-size", "1") == ["Default"]
    assert cli.done("token", "list", "--repo", "acme/beta") == []
    ran = cli("token", "list", "--page", "1", "--page-size", "1")
    assert ann["slug_perm"] in ran.out
    assert "1 of 2." in ran.err
    assert "Nothing found." in cli("token", "list", "--repo", "acme/beta").out


def test_more_tokens_than_a_page_holds(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entitlements_core.services.pagination._AT_ONCE", 2)
    made = {cli.token(name=f"C{number}")["slug_perm"] for number in range(4)}
    assert {one["slug_perm"] for one in cli.done("token", "list")} > made


def test_show_tells_people_everything(cli: CommandLine) -> None:
    found = cli.token(
        "--max-downloads",
        "5",
        "--max-bandwidth",
        "2MB",
        "--reset-period",
        "Daily",
        "--tag",
        "gold",
        "--metadata",
        '{"a": 1}',
        "--allow",
        "10.0.0.0/8",
    )  # fmt: skip - one pair after the other
    cli.use(found["slug_perm"])
    out = cli("token", "show", found["slug_perm"], "--repo", "acme/prod").out
    for words in ("Customer", "1/5 downloads", "1.5 kB/2 Megabyte", "Daily", "gold", "10.0.0.0/8"):
        assert words in out
    assert "1/5 downloads" in cli("token", "list").out


def test_a_token_elsewhere_is_not_found(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    assert cli.refused("token", "show", slug, "--repo", "acme/beta")["code"] == "not_found"
    assert cli.refused("token", "show", "nothing")["code"] == "not_found"


def test_names_are_printed_as_they_are(cli: CommandLine) -> None:
    name = "[bold]Ümlaut[/bold] :smile: <x>"
    slug = cli.token(name=name)["slug_perm"]
    assert name in cli("token", "show", slug).out
    assert name in cli("token", "list").out
    assert json.dumps(name, ensure_ascii=False) in cli("token", "list", "--json").out


def test_an_unknown_repository_is_answered_with_those_there_are(cli: CommandLine) -> None:
    problem = "There is no repository 'acme/nope'; there is acme/beta, acme/prod."
    refused = cli.refused("token", "create", "--repo", "acme/nope", "--name", "Customer")
    assert refused["code"] == "not_found"
    assert refused["detail"].startswith(problem)
    assert "entitlements repo add" in refused["detail"]
    assert "devpi-server" in refused["detail"]
    found = cli.token()
    refused = cli.refused("token", "grant", found["slug_perm"], "acme/nope")
    assert refused["detail"].startswith(problem)


def test_only_some_of_many_repositories_are_named(empty: CommandLine) -> None:
    empty.done("init")
    create = ("token", "create", "--repo", "acme/nope", "--name", "Customer")
    assert "there is none yet" in empty.refused(*create)["detail"]
    core = empty.core()
    core.repositories.ensure([f"acme/r{number:02}" for number in range(12)], actor=person("test"))
    core.close()
    assert "acme/r08, acme/r09 and 2 more." in empty.refused(*create)["detail"]
