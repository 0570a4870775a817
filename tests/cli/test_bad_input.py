"""Whatever is given, the answer is a sentence and an exit status."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import typer

from entitlements_core.cli.program import app
from entitlements_core.store.database import Database
from tests.cli.conftest import CommandLine

CREATE = ("token", "create", "--repo", "acme/prod", "--name", "X")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (("--query", "colour:red"), "query"),
        (("--query", 'name:"a'), "query"),
        (("--query", "(" * 500), "query"),
        (("--query", "x" * 1025), "limit_package_query"),
        (("--secret", "short"), "token"),
        (("--secret", "x" * 49), "token"),
        (("--secret", "-starts-badly"), "token"),
        (("--secret", "packages"), "token"),
        (("--secret", "${VENDOR_TOKEN}"), "token"),
        (("--valid-from", "2027-01-01", "--valid-until", "2026-01-01"), "limit_date_range_to"),
        (("--valid-from", "2027-01-01T00:00:00"), "limit_date_range_from"),
        (("--valid-until", "soon"), "limit_date_range_to"),
        (("--valid-until", "2026-02-30"), "limit_date_range_to"),
        (("--valid-until", "0001-01-01T00:00:00+12:00"), "limit_date_range_to"),
        (("--updates-until", "01/02/2026"), "updates_until"),
        (("--max-downloads", "-1"), "limit_num_downloads"),
        (("--max-clients", "-1"), "limit_num_clients"),
        (("--max-clients", "9" * 30), "limit_num_clients"),
        (("--max-bandwidth", "-1"), "limit_bandwidth"),
        (("--max-bandwidth", "10 Parsec"), "limit_bandwidth_unit"),
        (("--max-bandwidth", "99999999YB"), "limit_bandwidth"),
        (("--reset-period", "Hourly"), "scheduled_reset_period"),
        (("--metadata", "[]"), "metadata"),
        (("--metadata", "1"), "metadata"),
        (("--metadata", "{"), "metadata"),
        (("--metadata", '{"a": NaN}'), "metadata"),
        (("--metadata", "[" * 100_000), "metadata"),
        (("--metadata", '{"a":' * 60 + "1" + "}" * 60), "metadata"),
        (("--metadata", '{"a": "' + "x" * 17_000 + '"}'), "metadata"),
        (("--allow", "193.5.0.1/92"), "networks"),
        (("--deny", "everybody"), "networks"),
        (("--access", "w"), "access"),
        (("--tag", "two words"), "tags"),
        (("--name", ""), "name"),
        (("--name", "a\x00b"), "name"),
        (("--name", "x" * 256), "name"),
    ],
)
def test_values_that_do_not_fit(cli: CommandLine, options: tuple[str, ...], field: str) -> None:
    refused = cli.refused(*CREATE, *options)
    assert refused["code"] in {"invalid", "query_syntax"}
    assert refused["fields"].keys() == {field}
    assert len(cli.done("token", "list")) == 1
    ran = cli(*CREATE, *options)
    assert ran.status == 1
    assert ran.err.startswith("Error:")


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--max-downloads", "-1", "--max-downloads cannot be -1."),
        ("--max-clients", "-1", "--max-clients cannot be -1."),
        ("--max-bandwidth", "-1", "--max-bandwidth cannot be -1."),
        ("--max-bandwidth", "1Parsec", "--max-bandwidth: 'Parsec' is not a unit of bandwidth."),
        ("--valid-from", "soon", "--valid-from: 'soon' is no time."),
        ("--valid-until", "soon", "--valid-until: 'soon' is no time."),
        ("--updates-until", "soon", "--updates-until: 'soon' is no time."),
        ("--reset-at", "soon", "--reset-at: 'soon' is no time."),
        ("--reset-period", "Hourly", "--reset-period: 'Hourly' is not a reset period."),
        ("--metadata", "1", "--metadata: The metadata is "),
        ("--allow", "x", "--allow: 'x' is not a network."),
        ("--deny", "x", "--deny: 'x' is not a network."),
        ("--tag", "two words", "--tag: The tag 'two words' holds a space."),
        ("--owner", "a\x00b", "--owner: The owner holds a control character."),
        ("--access", "w", "--access: 'w' is no access."),
        ("--query", "", "--query: The package query is blank"),
    ],
)
def test_an_error_names_the_option(cli: CommandLine, option: str, value: str, problem: str) -> None:
    slug = cli.token()["slug_perm"]
    for command in (CREATE, ("token", "edit", slug)):
        ran = cli(*command, option, value)
        assert ran.status == 1
        assert ran.err.startswith(f"Error: {problem}")
        assert cli.refused(*command, option, value)["detail"].startswith(problem)


def test_an_error_of_two_options_names_both_once(cli: CommandLine) -> None:
    ran = cli(*CREATE, "--allow", "x", "--deny", "192.0.2.0/24")
    assert ran.err.startswith("Error: --allow or --deny: 'x' is not a network.")
    edit = ("token", "edit", cli.token()["slug_perm"])
    ran = cli(*edit, "--max-downloads", "1", "--no-max-downloads")
    assert ran.err.startswith("Error: --max-downloads and --no-max-downloads contradict.")


def test_addresses_are_repeated_unless_they_hold_a_secret(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    serve = ("serve", ".", "--repo", "acme/prod", "--port", "0", "--upstream")
    snippets = ("snippets", slug, "--url")
    for words, option, what in ((serve, "--upstream", "an index"), (snippets, "--url", "a server")):
        assert (
            f"{option}: 'acme.example' is no address of {what}." in cli(*words, "acme.example").err
        )
        assert "hush" not in cli(*words, "https://user:hush@acme.example").err
    assert "--upstream: 'x' is no address of an index." in cli("doctor", "--upstream", "x").err


def test_a_word_that_is_no_number_is_repeated(cli: CommandLine) -> None:
    refused = cli.refused(*CREATE, "--max-downloads", "many", status=2)
    assert "'--max-downloads': 'many'" in refused["detail"]
    secret = cli.token()["token"]
    assert secret not in str(cli.refused(*CREATE, "--max-downloads", secret, status=2))


def test_a_query_is_shown_with_a_caret(cli: CommandLine) -> None:
    ran = cli(*CREATE, "--query", "name:^a$ AND colour:red")
    assert "name:^a$ AND colour:red\n" in ran.err
    assert ran.err.rstrip().endswith("^")
    refused = cli.refused(*CREATE, "--query", "name:^a$ AND colour:red")
    assert (refused["query"], refused["span"][0]) == ("name:^a$ AND colour:red", 13)
    assert "known" in refused["detail"] or "fields" in refused["detail"]


def test_a_custom_secret_is_never_repeated(cli: CommandLine) -> None:
    for secret in ("under_score secret!", "x" * 60):
        ran = cli(*CREATE, "--secret", secret)
        assert secret not in ran.out + ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("token", "create", "--name", "X"),
        ("token", "create", "--repo", "acme/prod"),
        ("token", "create", "--repo", "acme/prod", "--name", "X", "--max-downloads", "many"),
        ("token", "creat"),
        ("token", "list", "--page", "0"),
        ("token", "show"),
        ("token", "sync", "acme/prod", "acme/beta", "--mode", "mix"),
        ("serve", "--repo", "acme/prod"),
        ("nothing",),
        ("repo", "list", "--what"),
    ],
)
def test_wrong_use(cli: CommandLine, words: tuple[str, ...]) -> None:
    assert cli.refused(*words, status=2)["code"] == "usage"
    ran = cli(*words)
    assert (ran.status, ran.out) == (2, "")
    assert "Traceback" not in ran.err


def test_no_words_are_a_wrong_use_that_shows_help(cli: CommandLine) -> None:
    for words in ((), ("token",), ("db",)):
        ran = cli(*words)
        assert ran.status == 2
        assert "Usage:" in ran.out + ran.err


@pytest.mark.parametrize("words", [("token", "list"), ("repo", "list"), ("audit",), ("usage",)])
def test_no_store(empty: CommandLine, words: tuple[str, ...]) -> None:
    refused = empty.refused(*words)
    assert refused["code"] in {"store_missing", "key"}
    assert "entitlements init" in refused["detail"]
    assert not empty.home.exists()


def test_another_key(cli: CommandLine, tmp_path: Path) -> None:
    other = CommandLine(tmp_path / "other")
    other.done("init")
    shutil.copy(other.home / "key", cli.home / "key")
    assert cli.refused("token", "list")["code"] == "key"


def test_a_key_that_is_none(cli: CommandLine) -> None:
    (cli.home / "key").write_text("nothing")
    assert cli.refused("token", "list")["code"] == "key"


def test_a_store_that_is_none(cli: CommandLine) -> None:
    (cli.home / "entitlements.db").write_bytes(b"no database" * 100)
    assert cli.refused("token", "list")["code"] == "store_corrupt"


def test_a_store_of_the_future(cli: CommandLine) -> None:
    with sqlite3.connect(cli.home / "entitlements.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for words in (("token", "list"), ("db", "upgrade"), ("db", "check"), ("init",)):
        assert cli.refused(*words)["code"] == "store_newer"


def test_a_locked_store(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Database.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "lock_timeout_ms", 50)
    connection = sqlite3.connect(cli.home / "entitlements.db", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        assert cli.refused("repo", "add", "acme/more")["code"] == "store_locked"
    finally:
        connection.close()


def test_an_address_of_a_database_that_is_none(cli: CommandLine) -> None:
    ran = cli("--database-url", "mysql://u:hunter2@h/x", "token", "list", "--json")
    assert (ran.status, ran.detail["code"]) == (1, "configuration")
    assert "hunter2" not in ran.err


def test_settings_that_cannot_be_used(cli: CommandLine) -> None:
    ran = cli("token", "list", "--json", ENTITLEMENTS_IPV6_PREFIX="many")
    assert (ran.status, ran.detail["code"]) == (1, "configuration")


def test_what_nobody_foresaw(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "ent_" + "a" * 38

    def fail(*_: object, **__: object) -> None:
        raise LookupError(f"no {secret}\nmore")

    monkeypatch.setattr("entitlements_core.services.core.Core.open", fail)
    refused = cli.refused("token", "list")
    assert refused["code"] == "internal"
    assert refused["detail"].startswith("LookupError: no ***")
    ran = cli("token", "list")
    assert (ran.status, ran.out) == (1, "")
    assert "Traceback" not in ran.err
    for shown in (cli("--debug", "token", "list"), cli("token", "list", ENTITLEMENTS_DEBUG="1")):
        assert "Traceback" in shown.err
        assert secret not in shown.err


def test_interrupted(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("entitlements_core.services.core.Core.open", interrupt)
    ran = cli("token", "list")
    assert (ran.status, ran.out) == (130, "")


def test_an_error_without_words(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError

    monkeypatch.setattr("entitlements_core.services.core.Core.open", fail)
    assert cli.refused("token", "list")["detail"].startswith("ValueError This should not happen")


RESTRICTING = {"Restriction", "Validity", "Limits"}


def restricting_options(*command: str) -> list[str]:
    """The options of a command of which each, left out, restricts nothing."""
    found: Any = typer.main.get_command(app)
    for word in command:
        found = found.commands[word]
    return [
        option.opts[0]
        for option in found.params
        if getattr(option, "rich_help_panel", None) in RESTRICTING and not option.is_flag
    ]


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0"])
@pytest.mark.parametrize("command", ["create", "edit", "grant"])
def test_a_blank_value_never_stands_for_no_restriction(
    cli: CommandLine, command: str, blank: str
) -> None:
    made = cli.done(*CREATE, "--query", "name:^demo$", "--valid-until", "2027-01-01")
    slug = made["slug_perm"]
    words = {
        "create": CREATE,
        "edit": ("token", "edit", slug),
        "grant": ("token", "grant", slug, "acme/prod"),
    }[command]
    options = restricting_options("token", command)
    assert "--query" in options
    for option in options:
        assert cli(*words, option, blank).status in {1, 2}, option
    assert cli.done("token", "show", slug)["limit_package_query"] == "name:^demo$"
    assert len(cli.done("token", "list")) == 2


def test_what_opens_everything_says_so(cli: CommandLine) -> None:
    made = cli.done(*CREATE, "--no-query")
    slug = made["slug_perm"]
    assert made["limit_package_query"] is None
    grant = ("token", "grant", slug, "acme/prod")
    assert cli.done(*grant, "--query", "name:^a$")["limit_package_query"] == "name:^a$"
    # A query stays where nothing is said of it.
    kept = cli.done(*grant, "--access", "rw")
    assert (kept["limit_package_query"], kept["access"]) == ("name:^a$", "rw")
    assert cli.done(*grant, "--no-query")["limit_package_query"] is None
    for words in (CREATE, grant, ("token", "edit", slug)):
        refused = cli.refused(*words, "--query", "name:^a$", "--no-query")
        assert refused["fields"].keys() == {"limit_package_query"}


def test_no_secret_is_kept_where_it_would_be_shown(cli: CommandLine) -> None:
    made = cli.token()
    secret, slug = made["token"], made["slug_perm"]
    for words in (
        ("token", "edit", slug, "--name", f"of {secret}"),
        ("token", "edit", slug, "--owner", secret),
        ("token", "edit", slug, "--tag", secret),
        ("token", "edit", slug, "--metadata", f'{{"a": [{{"{secret}": 1}}]}}'),
        ("token", "edit", slug, "--metadata", f'{{"a": ["x {secret} y"]}}'),
        ("repo", "edit", "acme/prod", "--contact", f"https://token:{secret}@acme.example/"),
        ("repo", "edit", "acme/prod", "--description", secret),
        (*CREATE[:-1], secret),
    ):
        refused = cli.refused(*words)
        assert "holds a secret" in refused["detail"], words
        assert secret not in str(refused)
    assert secret not in cli("audit", "--json").out
    cli.done("token", "edit", slug, "--name", "ent_ is what secrets begin with")
