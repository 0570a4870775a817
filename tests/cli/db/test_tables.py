"""``entitlements db upgrade``, ``current`` and ``check``."""

from tests.cli.conftest import CommandLine


def test_db_current_upgrade_and_check(cli: CommandLine) -> None:
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
