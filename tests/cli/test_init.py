"""``entitlements init``."""

import stat

from tests.cli.conftest import CommandLine


def test_makes_home_key_and_store_and_says_so(empty: CommandLine) -> None:
    found = empty.done("init")
    assert found["made"] == ["home", "key", "database"]
    assert stat.S_IMODE(empty.home.stat().st_mode) == 0o700
    assert stat.S_IMODE((empty.home / "key").stat().st_mode) == 0o600
    assert (empty.home / "entitlements.db").exists()


def test_twice_changes_nothing(empty: CommandLine) -> None:
    empty.done("init")
    key = (empty.home / "key").read_bytes()
    assert empty.done("init")["made"] == []
    assert (empty.home / "key").read_bytes() == key


def test_tells_people_to_back_up_a_new_key(empty: CommandLine) -> None:
    ran = empty("init")
    assert "Made: home, key, database." in ran.out
    assert "Back up the key" in ran.err
    again = empty("init")
    assert "Everything was there already." in again.out
    assert not again.err


def test_a_store_without_its_key_is_left_alone(empty: CommandLine) -> None:
    empty.done("init")
    (empty.home / "key").unlink()
    assert empty.refused("init")["code"] == "key"
    assert not (empty.home / "key").exists()


def test_a_home_that_cannot_be_made(empty: CommandLine) -> None:
    empty.home.write_text("a file")
    assert empty.refused("init")["code"] == "configuration"


def test_an_old_schema_is_brought_up_to_date(empty: CommandLine) -> None:
    empty.done("init")
    core = empty.core()
    with core.database.begin() as unit:
        unit.session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    core.close()
    assert empty.refused("repo", "list")["code"] in {"store_older", "store_newer"}
