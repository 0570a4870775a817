"""``entitlements doctor``."""

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.wheelhouse import build_wheel, truncate


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
    assert "1 download in the future stays." in out
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
    assert "`doctor DIR --repo OWNER/SLUG` looks at some" in cli("doctor").out


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
