"""``entitlements index``, ``db`` and ``doctor``."""

import os
from pathlib import Path

import pytest
from rich.console import Console

from entitlements_core.cli import progress
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
    assert "the newest file lies in the future" in details


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


def test_doctor_of_nothing(empty: CommandLine, packages: Path) -> None:
    ran = empty("doctor", str(packages), "--repo", "acme/prod", "--json")
    assert ran.status == 1
    assert "Traceback" not in ran.err
    states = {one["check"]: one["status"] for one in ran.json["checks"]}
    assert (states["home"], states["key"], states["schema"]) == ("error", "error", "error")


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
