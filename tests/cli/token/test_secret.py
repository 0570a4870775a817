"""``entitlements token refresh`` and ``set``, and secrets where something else is asked for."""

from collections.abc import Callable

from tests.cli.conftest import CommandLine


def test_a_secret_in_place_of_an_identifier_is_not_repeated(cli: CommandLine) -> None:
    secret = cli.token()["token"]
    refused = cli.refused("token", "show", secret)
    assert refused["code"] == "not_found"
    assert secret not in refused["detail"]
    assert "token list --deleted" in refused["detail"]


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
