"""``entitlements token sync`` and ``cleanup``."""

from tests.cli.conftest import CommandLine


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
