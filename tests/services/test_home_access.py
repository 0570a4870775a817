"""What keeps a user from a home; the rights of a user without any are played here.

`tests/functional/test_home_faults.py` asks the system itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from entitlements_core.errors import EntitlementsError
from entitlements_core.services import home_access
from entitlements_core.services.home_access import require_access, require_home, require_store
from entitlements_core.services.initialization import initialize
from entitlements_core.services.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Settings.load(home=tmp_path / "above" / "home")
    initialize(found)
    return found


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> Mapping[Path, int]:
    """The rights that this user lacks, by path."""
    rights: dict[Path, int] = {}

    def may(path: Path, mode: int) -> bool:
        return not rights.get(path, 0) & mode

    monkeypatch.setattr(home_access, "_may", may)
    return rights


def refusal(ask: Callable[..., None], *words: object, **options: bool) -> str:
    with pytest.raises(EntitlementsError) as caught:
        ask(*words, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "right", "options", "said"),
    [
        ("", os.R_OK, {}, "may not be read"),
        ("", os.X_OK, {}, "may not be read"),
        ("..", os.X_OK, {}, "cannot be reached"),
        ("key", os.R_OK, {}, "The key file {home}/key may not be read"),
        ("entitlements.db", os.R_OK, {}, "The store {home}/entitlements.db may not be read"),
        ("entitlements.db", os.W_OK, {"serves": True}, "may not be written to"),
        ("", os.W_OK, {"serves": True}, "may not be written to"),
        ("", os.W_OK, {}, "may not be written to"),
    ],
)
def test_a_right_that_is_missing(
    settings: Settings,
    denied: dict[Path, int],
    name: str,
    right: int,
    options: dict[str, bool],
    said: str,
) -> None:
    home = settings.home
    require_access(settings, **options)
    denied[home.parent if name == ".." else home / name] = right
    text = refusal(require_access, settings, **options)
    assert said.format(home=home) in text
    assert f"(uid {os.geteuid()})" in text
    assert "belongs to " in text
    assert text == refusal(require_access, settings, **options)


def test_reading_needs_no_right_to_write_while_somebody_has_the_store_open(
    settings: Settings, denied: dict[Path, int]
) -> None:
    log = settings.home / "entitlements.db-shm"
    log.touch()
    denied[settings.home] = denied[settings.home / "entitlements.db"] = os.W_OK
    require_access(settings)
    denied[log] = os.R_OK
    assert "may not be read" in refusal(require_access, settings)


def test_what_cannot_be_made(settings: Settings, denied: dict[Path, int]) -> None:
    home = settings.home
    denied[home] = os.W_OK
    (home / "entitlements.db").unlink()
    assert "cannot be made" in refusal(require_access, settings, makes=True)
    (home / "key").unlink()
    assert "key cannot be made" in refusal(require_access, settings, makes=True)
    home.rename(home.with_name("gone"))
    require_access(settings, makes=True)
    denied[home.parent] = os.W_OK
    text = refusal(require_access, settings, makes=True)
    assert "may not make it" in text
    assert f"install -d -m 700 -o {home_access._login()} {home}" in text


@pytest.mark.parametrize(
    ("name", "rights"), [("", "rwx"), ("key", "rw"), ("entitlements.db", "rw")]
)
def test_what_is_ours_is_not_given_away(
    settings: Settings, denied: dict[Path, int], name: str, rights: str
) -> None:
    path = settings.home / name
    denied[path] = os.R_OK
    assert refusal(require_access, settings).endswith(f"(getfacl {path}).")
    mode = path.stat().st_mode
    path.chmod(0o500 if path.is_dir() else 0o400)
    text = refusal(require_access, settings)
    path.chmod(mode)
    assert text.endswith(f"Run: chmod u+{rights} {path}")
    assert "chown" not in text


STRANGER = 54_321_987


@pytest.mark.parametrize("given", [("",), ("key",), ("key", "entitlements.db"), ("", "key")])
def test_files_of_another_user_are_named_one_by_one(
    settings: Settings,
    denied: dict[Path, int],
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[str, ...],
) -> None:
    """Of a home of which some belong to another user; beside them lies what is none of ours."""
    home = settings.home
    (home / "wheels").mkdir()
    strange = [home / name for name in given]
    owners = {path.stat().st_ino: STRANGER for path in strange}
    true_stat = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        found = true_stat(path, **options)
        owner = owners.get(found.st_ino, found.st_uid)
        return os.stat_result((*found[:4], owner, *found[5:]))

    monkeypatch.setattr(Path, "stat", stat)
    denied[strange[0]] = os.R_OK
    text = refusal(require_access, settings)
    assert f"belongs to {STRANGER}" in text
    order = [path for path in (home, *sorted(home.iterdir())) if path in strange]
    assert text.endswith(f": chown {home_access._login()} {' '.join(map(str, order))}")
    assert "-R" not in text
    assert ("stop every server" in text) == ("" in given)


def test_a_store_elsewhere_is_given_alone(
    settings: Settings,
    denied: dict[Path, int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    shared = tmp_path / "shared.db"
    shared.write_bytes(b"")
    elsewhere = settings.model_copy(update={"database_url": f"sqlite:///{shared}"})
    denied[shared] = os.R_OK
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    text = refusal(require_store, elsewhere)
    assert text.endswith(f"chown {STRANGER} {shared}")


def test_what_is_no_directory_or_no_file(settings: Settings) -> None:
    home = settings.home
    inside = Settings.load(home=home / "key" / "home")
    assert f"{home}/key is no directory" in refusal(require_home, inside.home)
    assert "is no directory" in refusal(require_home, home / "key")
    assert "File name too long" in refusal(require_home, home / ("x" * 300))
    (home / "loop").symlink_to(home / "loop")
    assert "symbolic links" in refusal(require_home, home / "loop" / "home")
    for name in ("key", "entitlements.db"):
        (home / name).rename(home / "kept")
        (home / name).mkdir()
        assert f"{home}/{name} is no file" in refusal(require_access, settings)
        (home / name).rmdir()
        (home / "kept").rename(home / name)


def test_nothing_is_looked_at_on_a_server(settings: Settings, tmp_path: Path) -> None:
    there = settings.model_copy(update={"database_url": "postgresql://shop@127.0.0.1:1/shop"})
    require_access(there)
    require_store(there.model_copy(update={"home": tmp_path / "none"}))
    (settings.home / "key").unlink()
    assert "copy it from another one" in refusal(require_access, there)
    require_access(there, makes=True)


def test_a_user_without_a_name_is_a_number(
    settings: Settings, denied: dict[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    denied[settings.home] = os.R_OK
    monkeypatch.setattr(os, "geteuid", lambda: 54_321_987)
    assert "by 54321987 (uid 54321987)" in refusal(require_access, settings)
