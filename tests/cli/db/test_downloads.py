"""``entitlements db rollups`` and ``prune``."""

import gzip
from pathlib import Path

from tests.cli.conftest import CommandLine


def test_db_rollups(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    cli.use(slug)
    before(cli, days=3)
    found = cli.done("db", "rollups")
    assert (found["ok"], found["days"], found["stale"], found["summed_up"]) == (True, 1, 0, 1)
    assert found["frozen_until"] == "1970-01-01T00:00:00Z"
    assert cli.done("db", "rollups")["summed_up"] == 0
    assert cli.done("db", "rollups", "--check")["ok"] is True
    assert "They agree: 1 day up to" in cli("db", "rollups", "--check").out
    assert [line["downloads"] for line in cli.done("usage", "--by", "day")] == [1]
    tell(cli, "UPDATE rollups SET bandwidth = 1, body = (SELECT body FROM rollups LIMIT 1)")
    tell(cli, "DELETE FROM rollups WHERE kind = 'daily'")
    ran = cli("db", "rollups", "--check", "--json")
    assert (ran.status, ran.json["ok"]) == (1, False)
    assert "is not the sum of its downloads" in cli("db", "rollups", "--check").out
    (wrong,) = (one for one in cli("doctor", "--json").json["checks"] if one["check"] == "rollups")
    assert wrong["status"] == "error"
    assert "--rebuild" in wrong["remedy"]
    assert cli.done("db", "rollups", "--rebuild")["summed_up"] == 1
    assert "0 summed up: 1 day up to" in cli("db", "rollups").out
    assert cli.done("db", "rollups", "--check")["ok"] is True
    assert cli.refused("db", "rollups", "--check", "--rebuild")["fields"].keys() == {"check"}
    assert "rollups.rebuilt" in cli("audit").out


def test_a_report_sums_up_for_the_next(cli: CommandLine) -> None:
    cli.use(cli.token()["slug_perm"])
    before(cli, days=3)
    assert len(cli.done("usage")) == 1
    assert cli.done("db", "rollups")["summed_up"] == 0
    assert len(cli.done("usage")) == 1
    before(cli, days=3)
    core = cli.core()
    with core.database.begin():  # somebody writes without an end
        assert len(cli.done("usage", "--by", "day")) == 1
    core.close()
    assert cli.done("db", "rollups")["summed_up"] == 2


def test_db_prune(cli: CommandLine, tmp_path: Path) -> None:
    slug = cli.token()["slug_perm"]
    cli.use(slug)
    before(cli, days=500)
    cli.use(slug)
    asked = ("db", "prune", "--downloads-older-than", "400d")
    preview = cli.done(*asked, "--dry-run")
    assert (preview["dry_run"], preview["found"], preview["removed"]) == (True, 1, 0)
    assert "1 download from before" in cli(*asked, "--dry-run").out
    known = cli.done("usage", "--by", "day,filename,client,user_agent")
    path = tmp_path / "old.csv.gz"
    found = cli.done(*asked, "--export", str(path))
    assert (found["removed"], found["export"]) == (1, str(path))
    assert gzip.decompress(path.read_bytes()).count(b"\n") == 2
    assert cli.done("usage", "--by", "day,filename,client,user_agent") == known
    assert len(known) == 2
    assert f"0 downloads from before {found['before'][:10]} were removed. They are in" in (
        cli(*asked, "--export", str(path)).out
    )
    refused = cli.refused("usage", "--from", f"{known[0]['day']}T01:00:00Z")
    assert refused["code"] == "refused"
    assert "downloads.pruned" in cli("audit").out
    assert cli.done("doctor")["ok"] is True


def test_db_prune_refuses(cli: CommandLine) -> None:
    for age in ("31d", "0d", "soon"):
        found = cli.refused("db", "prune", "--downloads-older-than", age)
        assert found["fields"].keys() == {"downloads_older_than"}
    assert cli("db", "prune").status == 2


def test_db_upgrade_sums_up(cli: CommandLine) -> None:
    cli.use(cli.token()["slug_perm"])
    before(cli, days=3)
    cli.done("db", "upgrade")
    assert cli.done("db", "rollups")["summed_up"] == 0
    assert cli.done("db", "rollups")["days"] == 1


def before(cli: CommandLine, *, days: int) -> None:
    """Let all downloads so far have been some days earlier."""
    tell(cli, f"UPDATE downloads SET at = at - {days * 86_400_000_000}")  # noqa: S608 - a number


def tell(cli: CommandLine, statement: str) -> None:
    core = cli.core()
    with core.database.begin() as unit:
        unit.session.connection().exec_driver_sql(statement)
    core.close()
