"""The composition root: what it makes, when, and how it lets go."""

import subprocess
import sys
from pathlib import Path

import pytest

from entitlements_core.errors import StoreError
from entitlements_core.plugins import Plugins
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.keyring import Keyring
from entitlements_core.services.settings import Settings
from entitlements_core.store.database_url import DatabaseURL
from entitlements_core.store.failures import DatabaseMissing
from entitlements_core.store.schema_revisions import stored_revision
from tests.actors import person

IMPORTED = """
import sys
import entitlements_core.engine.serving
print(*sys.modules)
"""


def test_a_server_loads_no_use_case_of_administration() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    services = {name for name in loaded if name.startswith("entitlements_core.services.")}
    assert {"entitlements_core.services.core", "entitlements_core.services.gate"} <= services
    for name in ("token_lifecycle", "operations", "repositories", "sync", "rollups", "eulas"):
        assert f"entitlements_core.services.{name}" not in services
    assert loaded.isdisjoint({"sqlalchemy", "sqlmodel", "alembic"})


@pytest.mark.parametrize("missing", ["home", "store"])
def test_a_store_that_would_stay_empty_is_not_made(tmp_path: Path, missing: str) -> None:
    settings = Settings.load(home=tmp_path / "home")
    if missing == "store":
        settings.home.mkdir(mode=0o700)
        Keyring.make(settings.key_file)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DatabaseMissing, match=f"There is no {missing} "):
        Core.open(settings, create=True, empty=False)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_database_without_tables_is_left_as_it_is(empty_url: str, tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path / "home", database_url=empty_url)
    settings.home.mkdir(mode=0o700)
    Keyring.make(settings.key_file)
    url = DatabaseURL.parse(settings.url)
    if url.is_sqlite:
        url.path.touch(mode=0o600)
    with pytest.raises(StoreError):
        Core.open(settings, create=True, empty=False)
    assert stored_revision(url) is None


def test_each_part_is_made_once_and_all_share_their_transactions(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path)
    core = Core.open(settings, create=True, plugins=Plugins(discover=False))
    assert core.lifecycle is core.lifecycle
    assert core.operations is core.operations
    assert core.gate is core.gate
    core.close()


def test_it_leaves_no_log_behind_and_can_be_used_again(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path)
    core = Core.open(settings, create=True, plugins=Plugins(discover=False))
    for name in ("acme/prod", "acme/beta"):
        core.repositories.add(name, actor=person("admin"), default_token=False)
        assert core.reader.has_repository(name)
        assert (tmp_path / "entitlements.db-wal").exists()
        core.close()
        assert not (tmp_path / "entitlements.db-wal").exists()
    issued = core.lifecycle.create(
        "Acme", [TokenGrant(repository="acme/prod")], actor=person("admin")
    )
    assert core.lifecycle.read(issued.token.identifier) == issued.token
    core.close()
