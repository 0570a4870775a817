"""The settings, as arguments and the environment give them."""

from pathlib import Path

import pytest

from entitlements_core.errors import ConfigurationError
from entitlements_core.services import settings
from entitlements_core.services.settings import Settings


def test_an_upstream_is_a_plain_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().upstream == ""
    monkeypatch.setenv("ENTITLEMENTS_UPSTREAM", " https://index.example/simple ")
    assert Settings.load().upstream == "https://index.example/simple/"
    assert Settings.load(upstream="").upstream == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("index.example", "ENTITLEMENTS_UPSTREAM: .*no address of an index"),
        ("https://user:hunter2@index.example/simple", "Credentials"),
    ],
)
def test_an_upstream_that_is_none(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        Settings.load(upstream=text)
    assert "hunter2" not in str(raised.value)


def test_the_former_name_of_the_repository_is_read_with_a_notice(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings._say_renamed.cache_clear()
    monkeypatch.setenv("ENTITLEMENTS_REPO", "acme/prod")

    assert Settings.load().repository == "acme/prod"
    assert Settings.load(repository="acme/given").repository == "acme/given"
    assert Settings.load_usable()[0].repository == "acme/prod"
    [said] = caplog.records
    assert said.getMessage() == (
        "ENTITLEMENTS_REPO is read, but is called ENTITLEMENTS_REPOSITORY now; set that one"
    )


def test_two_names_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    settings._say_renamed.cache_clear()
    monkeypatch.setenv("ENTITLEMENTS_REPOSITORY", "acme/prod")
    monkeypatch.setenv("ENTITLEMENTS_REPO", "acme/prod")
    assert Settings.load().repository == "acme/prod"
    monkeypatch.setenv("ENTITLEMENTS_REPO", "acme/other")

    with pytest.raises(ConfigurationError, match=r"acme/other\) and .* \(acme/prod\) differ"):
        Settings.load()
    assert Settings.load(repository="acme/given").repository == "acme/given"
    found, unusable = Settings.load_usable()
    assert found.repository == "acme/prod"
    assert unusable.keys() == {"ENTITLEMENTS_REPO"}


@pytest.mark.parametrize("name", ["relative.db", "var/lib/entitlements.db", "./a%20b.db?x=1"])
def test_a_store_in_the_working_directory_is_refused_with_its_whole_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=f"sqlite:///{tmp_path}/"):
        Settings.load(database_url=f"sqlite:///{name}")
    assert (
        Settings.load(database_url=f"sqlite:///{tmp_path}/x.db").url == f"sqlite:///{tmp_path}/x.db"
    )


def test_all_that_can_be_used_is_when_some_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"DOWNLOAD_WINDOW": "x", "TRUSTED_PROXIES": "nowhere", "WATCH": "", "DURABILITY": "no"}
    for name, value in {**wrong, "REPOSITORY": "acme/prod"}.items():
        monkeypatch.setenv(f"ENTITLEMENTS_{name}", value)

    found, unusable = Settings.load_usable(home=Path("/nowhere"), database_url="sqlite:///x.db")

    assert (found.repository, found.home) == ("acme/prod", Path("/nowhere"))
    assert (found.download_window, found.trusted_proxies, found.database_url) == (300, (), "")
    assert unusable.keys() == {
        "ENTITLEMENTS_DOWNLOAD_WINDOW",
        "ENTITLEMENTS_TRUSTED_PROXIES",
        "ENTITLEMENTS_DURABILITY",
        "ENTITLEMENTS_DATABASE_URL",
    }
