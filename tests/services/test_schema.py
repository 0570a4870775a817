"""The care of the tables."""

from pathlib import Path

import pytest

from entitlements_core.services.initialization import initialize
from entitlements_core.services.schema import Schema
from entitlements_core.services.settings import Settings
from entitlements_core.store.failures import DatabaseMissing


def test_a_store(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path / "home")
    schema = Schema(settings)
    with pytest.raises(DatabaseMissing):
        schema.current()
    initialize(settings)
    assert schema.check() == ()
    assert schema.upgrade() == (schema.current(), schema.current())


def test_made_is_what_was_not_there(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path / "home")
    assert initialize(settings).made == ("home", "key", "database")
    assert initialize(settings).made == ()
    settings.home.joinpath("entitlements.db").unlink()
    assert initialize(settings).made == ("database",)
