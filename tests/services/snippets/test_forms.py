"""Configuration for clients."""

import configparser
import tomllib

import pytest

from entitlements_core.errors import InvalidValue
from entitlements_core.services.snippets import CLIENTS, Index, Snippet, make_snippets

INDEX = Index.parse("https://packages.example:8443/acme/prod/", package="lab-foo")
OPENED = Index.parse("https://packages.example", secret="ent_secret")


def of(client: str, index: Index = INDEX) -> list[Snippet]:
    return list(make_snippets(index, [client]))


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_something(client: str) -> None:
    for snippet in of(client):
        assert snippet.client == client
        assert snippet.title
        assert snippet.text.endswith("\n")


def test_basic_authentication_first_and_the_path_last() -> None:
    found = make_snippets(INDEX)
    assert found[0].client == "netrc"
    assert found[-1].client == "path"
    assert found[-1].warning
    assert not any("/+t/" in snippet.text for snippet in found[:-1])


def test_uploads_only_for_those_who_may() -> None:
    assert "twine" not in {one.client for one in make_snippets(INDEX)}
    assert "twine" in {one.client for one in make_snippets(INDEX, writes=True)}


def test_variables_only_where_they_are_expanded() -> None:
    for snippet in make_snippets(INDEX, CLIENTS):
        expands = snippet.place not in {"~/.netrc", "~/.config/pip/pip.conf", "Dockerfile"}
        assert expands or "${" not in snippet.text
    assert "password YOUR_TOKEN" in of("netrc")[0].text


def test_the_secret_where_it_was_given() -> None:
    shown = [one.client for one in make_snippets(OPENED, CLIENTS) if "ent_secret" in one.text]
    assert set(shown) == set(CLIENTS) - {"keyring", "docker"}
    assert "VENDOR_TOKEN" not in str(make_snippets(OPENED, CLIENTS))


def test_netrc_knows_no_port_and_a_keyring_does() -> None:
    assert of("netrc")[0].text.startswith("machine packages.example\n")
    assert "keyring set packages.example:8443 token" in of("keyring")[0].text


@pytest.mark.parametrize("client", ["uv", "poetry", "pdm", "pipenv"])
def test_what_is_toml_can_be_read(client: str) -> None:
    files = [one for one in of(client) if one.place in {"pyproject.toml", "Pipfile"}]
    assert files
    for snippet in files:
        assert "packages.example:8443/acme/prod/simple" in str(tomllib.loads(snippet.text))


@pytest.mark.parametrize("client", ["pip", "keyring"])
def test_what_is_ini_can_be_read(client: str) -> None:
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(of(client)[0].text)
    assert config["global"]["index-url"].endswith("packages.example:8443/acme/prod/simple/")


def test_addresses() -> None:
    assert INDEX.simple == "https://packages.example:8443/acme/prod/simple/"
    assert INDEX.with_path("S") == "https://packages.example:8443/+t/S/acme/prod/simple/"
    assert Index.parse("https://h/simple/").simple == "https://h/simple/"
    assert not INDEX.is_open
    assert Index.parse("http://h").is_open
    assert not Index.parse("http://127.0.0.1:8080").is_open


@pytest.mark.parametrize(
    "url",
    [
        "",
        "packages.example",
        "ftp://h",
        "https://",
        "https://u:p@h",
        "https://h?a=b",
        "https://h#f",
        "https://h/a b",
        "https://h/$(id)",
        "https://h:port",
        "https://[::1",
        'https://h/"',
    ],
)  # fmt: skip - a list of words
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InvalidValue):
        Index.parse(url)


def test_an_unknown_client_is_named() -> None:
    with pytest.raises(InvalidValue, match="apt"):
        make_snippets(INDEX, ["apt"])
