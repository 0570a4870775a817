"""``entitlements token create``, ``list`` and ``show``."""

import json

import pytest

from tests.cli.conftest import CommandLine

MASK = "**********"


FRESH = {"bases": [], "orphaned": False}


def test_create_with_everything(cli: CommandLine) -> None:
    found = cli.token(
        "--query",
        "name:^demo$",
        "--secret",
        "a-secret-of-our-own-1",
        "--access",
        "rw",
        "--valid-from",
        "2026-01-01",
        "--valid-until",
        "2027-01-31T18:30:00+02:00",
        "--max-downloads",
        "0",
        "--max-clients",
        "3",
        "--max-bandwidth",
        "10GB",
        "--reset-period",
        "monthly",
        "--reset-at",
        "2026-01-31",
        "--metadata",
        '{"plan": ["gold"]}',
        "--tag",
        "b",
        "--tag",
        "a",
        "--allow",
        "10.0.0.0/8",
        "--allow",
        "2001:db8::/32",
        "--deny",
        "10.1.0.7",
        "--updates-until",
        "2026-06-30T23:59:59Z",
        "--eula-required",
        "--owner",
        "sales",
        "--disabled",
    )  # fmt: skip - one pair after the other
    wanted = {
        "name": "Customer",
        "token": "a-secret-of-our-own-1",
        "limit_package_query": "name:^demo$",
        "access": "rw",
        "limit_date_range_from": "2026-01-01T00:00:00Z",
        "limit_date_range_to": "2027-01-31T16:30:00Z",
        "limit_num_downloads": 0,
        "limit_num_clients": 3,
        "limit_bandwidth": 10,
        "limit_bandwidth_unit": "Gigabyte",
        "scheduled_reset_period": "Monthly",
        "scheduled_reset_at": "2026-01-31T00:00:00Z",
        "metadata": {"plan": ["gold"]},
        "tags": ["a", "b"],
        "allow_networks": ["10.0.0.0/8", "2001:db8::/32"],
        "deny_networks": ["10.1.0.7/32"],
        "updates_until": "2026-06-30T23:59:59Z",
        "eula_required": True,
        "owner": "sales",
        "is_active": False,
        "status": "disabled",
        "has_limits": True,
        "is_limited": True,
        "limits_reached": ["limit_num_downloads"],
        "downloads": 0,
        "clients": 0,
        "bandwidth": 0,
        "usage": "0 B",
        "user": None,
        "default": False,
        "warnings": [],
    }
    assert {key: found[key] for key in wanted} == wanted
    assert len(found["slug_perm"]) == 12


def test_create_in_several_repositories(cli: CommandLine) -> None:
    found = cli.token("--repo", "acme/beta", "--query", "name:^demo$")
    assert found["repositories"] == [
        {"repository": name, "access": "r", "limit_package_query": "name:^demo$", **FRESH}
        for name in ("acme/beta", "acme/prod")
    ]
    assert found["limit_package_query"] is None


def test_a_generated_secret_is_shown_once(cli: CommandLine) -> None:
    found = cli.token()
    assert found["token"].startswith("ent_")
    slug = found["slug_perm"]
    assert cli.done("token", "show", slug)["token"] == MASK
    assert cli.done("token", "show", slug, "--show-secret")["token"] == found["token"]
    assert {one["token"] for one in cli.done("token", "list")} == {MASK}
    shown = {one["slug_perm"]: one["token"] for one in cli.done("token", "list", "--show-secret")}
    assert shown[slug] == found["token"]
    for command in (["show", slug], ["list"]):
        ran = cli("token", *command)
        assert found["token"] not in ran.out + ran.err
        assert found["token"] in cli("token", *command, "--show-secret").out
    revealed = [one for one in cli.done("audit") if one["action"] == "token.revealed"]
    assert {one["token"] for one in revealed} >= {slug}


def test_a_secret_from_stdin(cli: CommandLine) -> None:
    words = ("token", "create", "--repo", "acme/prod", "--name", "X", "--secret", "-", "--json")
    assert cli(*words, stdin="from-standard-input\n").json["token"] == "from-standard-input"
    refused = cli(*words, stdin="short\n")
    assert (refused.status, refused.detail["fields"].keys()) == (1, {"token"})
    assert "short\n" not in refused.err


def test_warnings_stand_in_the_document_or_on_stderr(cli: CommandLine) -> None:
    assert "not anchored" in cli.token("--query", "name:demo")["warnings"][0]
    assert "might be guessed" in cli.token("--secret", "short123")["warnings"][0]
    ran = cli("token", "create", "--repo", "acme/prod", "--name", "X", "--query", "name:demo")
    assert "Warning: name:demo is not anchored" in ran.err
    assert "Warning" not in ran.out
    assert "name:demo" in ran.out


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
    monkeypatch.setattr("entitlements_core.services.pages._AT_ONCE", 2)
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
    core.repositories.ensure([f"acme/r{number:02}" for number in range(12)], actor="test")
    core.close()
    assert "acme/r08, acme/r09 and 2 more." in empty.refused(*create)["detail"]
