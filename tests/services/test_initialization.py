"""Several first starts at once: one of them makes each thing, and says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from entitlements_core.errors import KeyFileError
from entitlements_core.services.initialization import initialize
from entitlements_core.services.settings import Settings

ENTITLEMENTS = str(Path(sys.executable).with_name("entitlements"))


def test_of_first_starts_at_once_each_thing_is_made_by_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = os.environ | {"ENTITLEMENTS_DATABASE_URL": ""}
    starts = [
        subprocess.Popen(
            [ENTITLEMENTS, "--home", str(home), "init", "--json"],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(4)
    ]
    said = [json.loads(one.communicate(timeout=120)[0]) for one in starts]
    assert sorted(name for one in said for name in one["made"]) == ["database", "home", "key"]
    assert {one["schema"] for one in said} != {None}


def test_a_second_node_with_a_key_of_its_own_is_told_where_the_key_is(
    tmp_path: Path, empty_url: str
) -> None:
    first = Settings.load(home=tmp_path / "first", database_url=empty_url)
    assert initialize(first).made == ("home", "key", "database")
    second = Settings.load(home=tmp_path / "second", database_url=empty_url)
    with pytest.raises(KeyFileError) as refused:
        initialize(second)
    assert "key" in str(refused.value)
    (tmp_path / "second").mkdir(exist_ok=True)
    (tmp_path / "other").mkdir()
    initialize(Settings.load(home=tmp_path / "other", database_url=""))
    (tmp_path / "other" / "key").replace(tmp_path / "second" / "key")
    with pytest.raises(KeyFileError, match="copy that of the node which made it"):
        initialize(second)
