"""The commands that change tokens."""

from collections.abc import Callable

import pytest

from tests.cli.conftest import CommandLine

FULL = (
    "--query",
    "name:^demo$",
    "--valid-from",
    "2026-01-01",
    "--valid-until",
    "2099-01-01",
    "--max-downloads",
    "1",
    "--max-clients",
    "2",
    "--max-bandwidth",
    "3GB",
    "--reset-period",
    "Daily",
    "--metadata",
    '{"a": 1}',
    "--tag",
    "t",
    "--allow",
    "10.0.0.0/8",
    "--deny",
    "10.0.0.1",
    "--updates-until",
    "2098-01-01",
    "--reset-at",
    "2026-02-01",
    "--owner",
    "sales",
)  # fmt: skip - one pair after the other


def test_edit_changes_only_what_is_named(cli: CommandLine) -> None:
    before = cli.token(*FULL)
    after = cli.done("token", "edit", before["slug_perm"], "--name", "New", "--max-downloads", "9")
    moved = {key for key in after if after[key] != before[key]}
    assert moved == {"name", "limit_num_downloads", "token", "updated_at", "updated_by"}


@pytest.mark.parametrize(
    ("option", "field", "cleared"),
    [
        ("--no-query", "limit_package_query", None),
        ("--no-valid-from", "limit_date_range_from", None),
        ("--no-valid-until", "limit_date_range_to", None),
        ("--no-updates-until", "updates_until", None),
        ("--no-max-downloads", "limit_num_downloads", None),
        ("--no-max-clients", "limit_num_clients", None),
        ("--no-max-bandwidth", "limit_bandwidth", None),
        ("--no-max-bandwidth", "limit_bandwidth_unit", "Byte"),
        ("--no-reset-period", "scheduled_reset_period", "Never Reset"),
        ("--no-metadata", "metadata", {}),
        ("--no-tags", "tags", []),
        ("--no-networks", "allow_networks", []),
        ("--no-networks", "deny_networks", []),
        ("--no-allow", "allow_networks", []),
        ("--no-deny", "deny_networks", []),
        ("--no-owner", "owner", "acme"),
    ],
)
def test_everything_can_be_cleared(
    cli: CommandLine, option: str, field: str, cleared: object
) -> None:
    before = cli.token(*FULL)
    assert before[field] != cleared
    assert cli.done("token", "edit", before["slug_perm"], option)[field] == cleared


def test_setting_and_clearing_at_once_is_refused(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    words = ("token", "edit", slug, "--max-clients", "0", "--no-max-clients")
    assert "contradict" in cli.refused(*words)["detail"]


def test_zero_is_a_limit(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    found = cli.done(
        "token", "edit", slug, "--max-downloads", "0", "--max-clients", "0", "--max-bandwidth", "0"
    )
    limits = ("limit_num_downloads", "limit_num_clients", "limit_bandwidth")
    assert [found[name] for name in limits] == [0, 0, 0]


def test_edit_of_one_of_several_repositories(cli: CommandLine) -> None:
    slug = cli.token("--repo", "acme/beta")["slug_perm"]
    assert cli.refused("token", "edit", slug, "--query", "name:^a$")["code"] == "invalid"
    words = ("token", "edit", slug, "--repo", "acme/beta", "--query", "name:a", "--access", "rw")
    found = cli.done(*words)
    assert (found["limit_package_query"], found["access"]) == ("name:a", "rw")
    assert len(found["warnings"]) == 1
    assert found["repositories"][1]["limit_package_query"] is None


def test_disable_enable_reset_delete(cli: CommandLine) -> None:
    slug = cli.token("--max-downloads", "1")["slug_perm"]
    cli.use(slug)
    assert cli.done("token", "show", slug)["status"] == "limited"
    assert cli.done("token", "reset", slug)["downloads"] == 0
    assert cli.done("token", "disable", slug)["is_active"] is False
    assert cli.done("token", "enable", slug)["status"] == "enabled"
    assert cli.done("token", "delete", slug)["status"] == "deleted"
    assert cli.refused("token", "enable", slug)["code"] == "refused"
    assert "Deleted" in cli("token", "show", slug).out


def test_a_token_that_opens_nothing_is_not_said_to_open(cli: CommandLine) -> None:
    words = ("token", "create", "--repo", "acme/prod", "--name", "x")
    assert "it opens what stands here" in cli(*words).err
    assert (
        "opens nothing now: the token is expired" in cli(*words, "--valid-until", "2020-01-01").err
    )
    later = cli(*words, "--valid-from", "2999-01-01").err
    assert "opens nothing now: the token is not yet valid" in later
    assert "the token is disabled" in cli(*words, "--disabled").err


def test_a_secret_in_place_of_an_identifier_is_not_repeated(cli: CommandLine) -> None:
    secret = cli.token()["token"]
    refused = cli.refused("token", "show", secret)
    assert refused["code"] == "not_found"
    assert secret not in refused["detail"]
    assert "token list --deleted" in refused["detail"]


def test_the_default_token_is_never_deleted(cli: CommandLine) -> None:
    (default,) = cli.done("token", "list")
    assert cli.refused("token", "delete", default["slug_perm"])["code"] == "refused"


def test_refresh_and_set(cli: CommandLine) -> None:
    before = cli.token()
    slug = before["slug_perm"]
    after = cli.done("token", "refresh", slug, "--overlap", "7d", "--show-secret")
    assert after["token"].startswith("ent_")
    assert after["token"] != before["token"]
    assert cli.done("token", "set", slug, "--secret", "one-of-our-own-secrets")["token"] == (
        "one-of-our-own-secrets"
    )
    ran = cli("token", "refresh", slug)
    assert "ent_" in ran.out
    for wrong in ("7", "0d", "9999999w", "1000d", "999999999w"):
        assert cli.refused("token", "refresh", slug, "--overlap", wrong)["fields"].keys() == {
            "overlap"
        }
    assert (
        "The old secret goes on until 20"
        in cli("token", "refresh", slug, "--overlap", "7d", "--yes").err
    )


def test_a_secret_is_used_once_in_a_repository(cli: CommandLine) -> None:
    cli.token("--secret", "one-of-our-own-secrets")
    slug = cli.token()["slug_perm"]
    refused = cli.refused("token", "set", slug, "--secret", "one-of-our-own-secrets")
    assert refused["code"] == "conflict"
    assert "one-of-our-own-secrets" not in str(refused)


def test_what_ends_something_is_asked_for_at_a_terminal(
    cli: CommandLine, terminal: Callable[[], None]
) -> None:
    slug = cli.token()["slug_perm"]
    terminal()
    for words in (["delete", slug], ["refresh", slug], ["set", slug, "--secret", "12345678901"]):
        refused = cli("token", *words, stdin="no\n")
        assert refused.status == 1
    assert cli("token", "sync", "acme/prod", "acme/beta", stdin="no\n").status == 1
    assert cli("token", "refresh", slug, stdin=f"{slug}\n").status == 0
    assert cli("token", "delete", slug, "--yes").status == 0


def test_grant_revoke_and_clients(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    granted = cli.done("token", "grant", slug, "acme/beta", "--query", "name:^b$", "--access", "rw")
    assert (granted["access"], granted["limit_package_query"]) == ("rw", "name:^b$")
    assert len(granted["repositories"]) == 2
    assert len(cli.done("token", "revoke", slug, "acme/beta")["repositories"]) == 1
    assert cli.refused("token", "revoke", slug, "acme/prod")["code"] == "refused"
    assert cli.done("token", "clients", slug) == []
    cli.use(slug)
    (client,) = cli.done("token", "clients", slug)
    assert (client["client"], client["counts"]) == ("192.0.2.1", True)
    assert "192.0.2.1" in cli("token", "clients", slug).out


def test_sync_shows_what_it_would_do_and_does_it(cli: CommandLine) -> None:
    cli.token(name="Ann")
    gone = cli.token(name="Gone", repo="acme/beta")
    would = cli.done("token", "sync", "acme/prod", "acme/beta", "--dry-run")
    assert would["dry_run"] is True
    assert {one["name"] for one in would["added"]} == {"Ann", "Default"}
    assert would["removed"] == [{"slug_perm": gone["slug_perm"], "name": "Gone"}]
    merged = cli.done("token", "sync", "acme/prod", "acme/beta", "--mode", "merge")
    assert {one["name"] for one in merged["tokens"]} >= {"Ann", "Gone"}
    did = cli("token", "sync", "acme/prod", "acme/beta")
    assert did.status == 0
    assert "Gone" in did.out
    assert cli.refused("token", "sync", "acme/prod", "acme/prod")["code"] == "invalid"


def test_cleanup_without_a_host_that_knows_users_keeps_everything(cli: CommandLine) -> None:
    assert cli.done("token", "cleanup", "--dry-run") == {"dry_run": True, "tokens": []}
    assert "Nothing found." in cli("token", "cleanup", "--repo", "acme/prod").out
