"""``entitlements index``, ``db`` and ``doctor``."""

import gzip
import os
from pathlib import Path

import pytest
from rich.console import Console

from entitlements_core.engine import progress
from tests.cli.conftest import CommandLine
from tests.wheelhouse import build_wheel, core_metadata, truncate


def test_index(cli: CommandLine, packages: Path) -> None:
    truncate(build_wheel(packages, "broken", "1.0"))
    first = cli.done("index", str(packages), "--repo", "acme/prod")
    assert (first["files"], first["projects"], first["read"]) == (3, 2, 4)
    (problem,) = first["problems"]
    assert problem["path"].endswith("broken-1.0-py3-none-any.whl")
    second = cli("index", str(packages), "--repo", "acme/prod")
    assert "3 files of 2 projects: 0 read, 4 known" in second.out
    assert "broken-1.0" in second.err
    assert cli.refused("index", str(packages), "--repo", "acme/nope")["code"] == "not_found"


def test_index_and_doctor_name_what_is_odd_and_take_the_rest(
    cli: CommandLine, packages: Path
) -> None:
    (packages / os.fsdecode(b"caf\xe9-1.0.tar.gz")).write_bytes(b"x")
    late = build_wheel(packages, "late", "1.0")
    os.utime(late, ns=(2**63 + 5, 2**63 + 5))
    build_wheel(packages, "latin", "1.0", metadata=core_metadata("latin", "1.0") + b"\xe9")
    build_wheel(packages, "long", "1.0", metadata=core_metadata("long", "1.0") + b"x" * 70_000)
    limit = {"ENTITLEMENTS_METADATA_LIMIT": "65536"}
    found = cli.done("index", str(packages), "--repo", "acme/prod", **limit)
    assert found["files"] == 5
    reasons = {Path(one["path"]).name: one for one in found["problems"]}
    assert set(reasons) == {
        "caf\\xe9-1.0.tar.gz",
        "latin-1.0-py3-none-any.whl",
        "long-1.0-py3-none-any.whl",
    }
    assert "not UTF-8" in reasons["latin-1.0-py3-none-any.whl"]["reason"]
    assert "ENTITLEMENTS_METADATA_LIMIT" in reasons["long-1.0-py3-none-any.whl"]["remedy"]
    assert cli("index", str(packages), "--repo", "acme/prod").status == 0
    assert cli.done("index", str(packages), "--repo", "acme/prod")["files"] == 6
    told = cli.done("doctor", str(packages), "--repo", "acme/prod")["checks"]
    details = " ".join(one["detail"] for one in told)
    assert "caf\\xe9-1.0" in details
    assert "METADATA is not UTF-8" in details
    assert "the newest file is of 2" in details


def test_db(cli: CommandLine) -> None:
    revision = cli.done("db", "current")["current"]
    assert revision
    assert cli.done("db", "upgrade") == {"before": revision, "current": revision, "upgraded": False}
    assert "already" in cli("db", "upgrade").out
    assert cli.done("db", "check") == {"ok": True, "problems": []}
    assert revision in cli("db", "current").out


def test_db_without_a_store(empty: CommandLine) -> None:
    for command in ("current", "check", "upgrade"):
        assert empty.refused("db", command)["code"] == "store_missing"
    assert not empty.home.exists()


def test_db_makes_the_tables_of_an_empty_database(cli: CommandLine) -> None:
    database = cli.home / "entitlements.db"
    for path in cli.home.glob("entitlements.db*"):
        path.unlink()
    database.touch()
    found = cli("db", "upgrade")
    assert "Brought from nothing to" in found.out


def test_db_check_finds_damage(cli: CommandLine) -> None:
    core = cli.core()
    with core.database.begin() as unit:
        unit.session.connection().exec_driver_sql("DROP TABLE eula_acceptances")
    core.close()
    ran = cli("db", "check", "--json")
    assert ran.status == 1
    assert ran.json["ok"] is False
    assert cli("db", "check").status == 1


def test_db_rollups(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    cli.use(slug)
    before(cli, days=3)
    found = cli.done("db", "rollups")
    assert (found["ok"], found["days"], found["stale"], found["summed_up"]) == (True, 1, 0, 1)
    assert found["frozen_until"] == "1970-01-01T00:00:00Z"
    assert cli.done("db", "rollups")["summed_up"] == 0
    assert cli.done("db", "rollups", "--check")["ok"] is True
    assert "They agree: 1 days" in cli("db", "rollups", "--check").out
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
    assert "0 summed up: 1 days" in cli("db", "rollups").out
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
    assert "1 downloads from before" in cli(*asked, "--dry-run").out
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


def test_a_doctor_mends_what_a_clock_left(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    cli.use(slug)
    assert cli.done("doctor", "--repair")["resets"] == []
    before(cli, days=-400)
    tell(cli, "UPDATE usage SET since = since + 400 * 86400000000")
    ill = {one["check"]: one for one in cli.done("doctor")["checks"] if one["status"] != "ok"}
    assert ill.keys() == {"moments"}
    shown = cli.done("doctor", "--repair", "--dry-run")
    assert slug in {one["token"] for one in shown["resets"]}
    assert shown["downloads"] == 1
    out = cli("doctor", "--repair").out
    assert f"{slug}: counts since" in out
    assert "1 downloads in the future stay." in out
    assert "There is nothing to mend." in cli("doctor", "--repair").out
    assert "token.reset_mended" in cli("audit", "--token", slug).out
    assert cli.refused("doctor", "--dry-run")["fields"].keys() == {"dry_run"}


def before(cli: CommandLine, *, days: int) -> None:
    """Let all downloads so far have been some days earlier."""
    tell(cli, f"UPDATE downloads SET at = at - {days * 86_400_000_000}")  # noqa: S608 - a number


def tell(cli: CommandLine, statement: str) -> None:
    core = cli.core()
    with core.database.begin() as unit:
        unit.session.connection().exec_driver_sql(statement)
    core.close()


def test_doctor_finds_nothing(cli: CommandLine, packages: Path) -> None:
    found = cli.done("doctor", str(packages), "--repo", "acme/prod")
    assert found["ok"] is True
    assert {one["status"] for one in found["checks"]} == {"ok"}
    assert "home" in cli("doctor").out


def test_doctor_finds_faults(cli: CommandLine, packages: Path) -> None:
    truncate(build_wheel(packages, "broken", "1.0"))
    (cli.home / "key").chmod(0o644)
    ran = cli("doctor", str(packages), "--repo", "acme/prod")
    assert ran.status == 1
    assert "error" in ran.out
    assert "chmod 600" in ran.out
    assert "broken-1.0" in ran.out


def test_doctor_says_what_it_did_not_look_at(cli: CommandLine, packages: Path) -> None:
    ran = cli("doctor", str(packages))
    assert ran.status == 0
    assert "were not looked at" in ran.out
    assert "--repo OWNER/SLUG" in ran.out


@pytest.mark.parametrize("directories", [True, False])
def test_doctor_knows_no_such_repository(
    cli: CommandLine, packages: Path, *, directories: bool
) -> None:
    ran = cli("doctor", *([str(packages)] * directories), "--repo", "acme/nope", "--json")
    assert ran.status == 1
    [found] = [one for one in ran.json["checks"] if one["status"] == "error"]
    assert found["check"] == "repository"
    assert "There is no repository 'acme/nope'" in found["detail"]


def test_doctor_of_nothing(empty: CommandLine, packages: Path) -> None:
    ran = empty("doctor", str(packages), "--repo", "acme/prod", "--json")
    assert ran.status == 1
    assert "Traceback" not in ran.err
    states = {one["check"]: one["status"] for one in ran.json["checks"]}
    assert states["home"] == "error"
    assert not {"key", "schema"} & states.keys()  # of one cause, it is said once


def test_doctor_looks_at_the_directories_of_the_settings(
    cli: CommandLine, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packages / "empty").mkdir()
    monkeypatch.setenv("ENTITLEMENTS_REPOSITORY", "acme/prod")
    monkeypatch.setenv("ENTITLEMENTS_DIRECTORIES", str(packages / "empty"))
    checks = {one["check"]: one for one in cli.done("doctor")["checks"]}
    assert "empty" in checks["directories"]["detail"]


def test_a_terminal_is_shown_how_far_it_is(
    cli: CommandLine, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "stderr", lambda: Console(stderr=True, force_terminal=True))
    found = cli("index", str(packages), "--repo", "acme/prod")
    assert found.status == 0
    assert "Reading distributions" in found.err


def test_the_doctor_goes_on_where_settings_cannot_be_used(cli: CommandLine) -> None:
    ran = cli(
        "doctor",
        "--json",
        ENTITLEMENTS_DOWNLOAD_WINDOW="soon",
        ENTITLEMENTS_TRUSTED_PROXIES="nowhere",
        ENTITLEMENTS_REPOSITORY="acme/none",
        ENTITLEMENTS_ACCEL_REDIRECT="files",
    )
    assert ran.status == 1
    found = {(one["check"], one["status"]): one["detail"] for one in ran.json["checks"]}
    assert {check for check, status in found if status == "error"} == {
        "settings",
        "repository",
        "offloading",
    }
    assert ("schema", "ok") in found
    told = [one["detail"] for one in ran.json["checks"] if one["check"] == "settings"]
    assert [detail.partition(" ")[0] for detail in told] == [
        "ENTITLEMENTS_DOWNLOAD_WINDOW",
        "ENTITLEMENTS_TRUSTED_PROXIES",
    ]
