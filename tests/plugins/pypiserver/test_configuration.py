"""Options: what is given wins over the environment, and what cannot be read is said."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from entitlements_core.errors import ConfigurationError
from entitlements_core.store.failures import DatabaseMissing
from pypiserver_entitlements import requirement
from pypiserver_entitlements.configuration import UPLOAD_LIMIT, Options
from pypiserver_entitlements.factories import app
from pypiserver_entitlements.startup import site_of
from tests.plugins.pypiserver.conftest import REPOSITORY, Start


def test_everything_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {
        "HOME": str(tmp_path / "there"),
        "REPO": REPOSITORY,
        "PUBLIC": "yes",
        "CREATE_REPOSITORIES": "1",
        "UPLOAD_LIMIT": "1000",
    }.items():
        monkeypatch.setenv(f"ENTITLEMENTS_{name}", value)

    options = Options.load()

    assert options.settings.home == tmp_path / "there"
    assert options.settings.repository == REPOSITORY
    assert (options.public, options.create, options.upload_limit) == (True, True, 1000)


def test_what_is_given_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENTITLEMENTS_REPOSITORY", "acme/other")
    monkeypatch.setenv("ENTITLEMENTS_PUBLIC", "1")

    options = Options.load(home=tmp_path, repo=REPOSITORY, public=False)

    assert options.settings.home == tmp_path
    assert options.settings.repository == REPOSITORY
    assert not options.public
    assert options.upload_limit == UPLOAD_LIMIT


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PUBLIC", "perhaps", "ENTITLEMENTS_PUBLIC is 'perhaps', neither yes nor no"),
        ("CREATE_REPOSITORIES", "-", "neither yes nor no"),
        ("UPLOAD_LIMIT", "1GB", "not a number of bytes"),
        ("REPOSITORY", "", "whose tokens open this index"),
    ],
)
def test_what_cannot_be_read_is_said(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_REPOSITORY", REPOSITORY)
    monkeypatch.setenv(f"ENTITLEMENTS_{name}", value)

    with pytest.raises(ConfigurationError, match=problem):
        Options.load()


def test_a_missing_repository_is_named_with_what_adds_it(start: Start) -> None:
    with pytest.raises(ConfigurationError) as caught:
        start(entitlements_repo="acme/missing")

    assert "no repository acme/missing" in caught.value.problem
    assert "`entitlements repo add acme/missing`" in caught.value.remedy


def test_a_missing_home_is_made_only_for_a_repository_that_is_added(tmp_path: Path) -> None:
    home, roots = tmp_path / "mistyped", [tmp_path]
    with pytest.raises(DatabaseMissing, match="There is no home"):
        app(roots=roots, entitlements_home=home, entitlements_repo=REPOSITORY)
    assert not home.exists()

    made = app(
        roots=roots, entitlements_home=home, entitlements_repo=REPOSITORY, entitlements_create=True
    )
    assert site_of(made).core.repositories.show(REPOSITORY).name == REPOSITORY
    site_of(made).close()


def test_a_missing_repository_is_added_where_one_says_so(start: Start) -> None:
    shop = start(entitlements_repo="acme/missing", entitlements_create=True)

    assert shop.core.repositories.show("acme/missing").name == "acme/missing"


def test_a_missing_directory_is_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="none does not exist"):
        app(roots=[tmp_path / "none"], backend_arg="simple-dir", entitlements_repo=REPOSITORY)


def test_a_base_path_in_which_tokens_begin_is_refused(start: Start) -> None:
    with pytest.raises(ConfigurationError, match="where tokens begin"):
        start(server_base_url="/x/+t/")


@pytest.mark.parametrize(("found", "is_known"), [("2.3.2", False), ("2.4.0", True), ("3.0", False)])
def test_another_pypiserver_is_refused(
    monkeypatch: pytest.MonkeyPatch, found: str, *, is_known: bool
) -> None:
    monkeypatch.setattr(requirement, "version", lambda _: found)
    if is_known:
        assert requirement.require() == found
        return
    with pytest.raises(ConfigurationError, match=rf"pypiserver {found} is installed, and .*needed"):
        requirement.require()


def test_a_missing_pypiserver_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(requirement, "version", missing)

    with pytest.raises(ConfigurationError, match=r"index-entitlements\[pypiserver\]"):
        requirement.require()
