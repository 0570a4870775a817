"""``entitlements usage``."""

import csv
import io

import pytest
from sqlalchemy import text

from tests.cli.conftest import CommandLine


@pytest.fixture
def slug(cli: CommandLine) -> str:
    """A token with one download."""
    token: str = cli.token()["slug_perm"]
    cli.use(token)
    return token


def test_usage_by_token(cli: CommandLine, slug: str) -> None:
    (line,) = cli.done("usage")
    assert (line["token"], line["name"], line["downloads"]) == (slug, "Customer", 1)
    assert (line["bandwidth"], line["clients"], line["requests"]) == (1500, 1, 1)
    assert line["last_at"].endswith("Z")
    out = cli("usage").out
    assert "Customer" in out
    assert "1.5 kB" in out


def test_usage_by_other_things(cli: CommandLine, slug: str) -> None:
    (line,) = cli.done("usage", "--by", "package,version", "--by", "client", "--token", slug)
    assert [line[key] for key in ("package", "version", "client")] == ["demo", "1.0", "192.0.2.1"]
    assert "name" not in line
    assert len(cli.done("usage", "--by", "day", "--repo", "acme/prod", "--limit", "1")) == 1
    assert cli.done("usage", "--until", "2020-01-01") == []
    assert cli.done("usage", "--from", "2999-01-01") == []


def test_usage_as_csv(cli: CommandLine, slug: str) -> None:
    ran = cli("usage", "--csv", "--by", "token,user_agent")
    (row,) = csv.DictReader(io.StringIO(ran.out))
    assert (row["token"], row["name"], row["downloads"]) == (slug, "Customer", "1")
    # A spreadsheet would take it for a formula.
    assert row["user_agent"] == "'=pip"
    assert cli("usage", "--csv", "--by", "day", "--from", "2999-01-01").out.startswith("day,")


def test_usage_refuses(cli: CommandLine) -> None:
    assert cli.refused("usage", "--by", "moon")["fields"].keys() == {"by"}
    assert cli.refused("usage", "--csv")["fields"].keys() == {"csv"}
    assert cli.refused("usage", "--token", "nobody")["code"] == "not_found"
    assert cli.refused("usage", "--repo", "acme/nope")["code"] == "not_found"
    assert cli.refused("audit", "--repo", "acme/nope")["code"] == "not_found"
    assert cli.refused("usage", "--by", "token,token")["fields"].keys() == {"by"}
    assert (
        cli.refused("usage", "--from", "2026-01-02", "--until", "2026-01-01")["code"] == "invalid"
    )


def test_the_columns_of_csv_do_not_depend_on_what_is_found(cli: CommandLine) -> None:
    token = cli.token()["slug_perm"]
    cli.use(token)
    found, nothing = cli("usage", "--csv"), cli("usage", "--csv", "--from", "2999-01-01")
    assert found.out.splitlines()[0] == nothing.out.splitlines()[0]
    assert len(nothing.out.splitlines()) == 1


def test_long_names_of_clients_are_cut_in_tables_alone(cli: CommandLine, slug: str) -> None:
    agent = "pip/25.0 " + "x" * 300
    core = cli.core()
    with core.database.begin() as unit:
        unit.session.execute(text("UPDATE downloads SET user_agent = :agent"), {"agent": agent})
    core.close()
    shown = cli("usage", "--by", "user_agent").out
    assert f"{agent[:59]}…" in shown
    assert agent[:60] not in shown
    (line,) = cli.done("usage", "--by", "user_agent", "--token", slug)
    assert line["user_agent"] == agent
    assert agent in cli("usage", "--by", "user_agent", "--csv").out
