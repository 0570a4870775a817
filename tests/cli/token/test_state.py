"""``entitlements token enable``, ``disable``, ``reset`` and ``delete``."""

from tests.cli.conftest import CommandLine


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


def test_the_default_token_is_never_deleted(cli: CommandLine) -> None:
    (default,) = cli.done("token", "list")
    assert cli.refused("token", "delete", default["slug_perm"])["code"] == "refused"
