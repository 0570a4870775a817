"""Configuration for clients: what holds of all, without running them (tests/functional does)."""

from __future__ import annotations

import configparser
import json
import tomllib
from itertools import product
from typing import Any

import pytest
import yaml

from entitlements_core.errors import InvalidValue
from entitlements_core.services.snippets import (
    CLIENTS,
    USUAL,
    IndexAccess,
    Snippet,
    Unfit,
    make_snippets,
)

URL = "https://packages.example:8443"
OWN: Any = {"packages": ["acme-app"], "own": ["acme-util", "acme-*"]}
PLACES = [
    IndexAccess.parse(f"{URL}{path}", host=host, secret=secret, upstream=upstream, **OWN)
    for path, host, secret, upstream in product(
        ("", "/acme/prod"), ("", "pypiserver", "flask"), ("", "ent_secret"), (True, False)
    )
] + [IndexAccess.parse(f"{URL}/acme/prod", host="devpi", **OWN)]
ALONE = IndexAccess.parse(URL, **OWN)
ONE = IndexAccess.parse(URL, upstream=True, **OWN)


def of(client: str, access: IndexAccess) -> tuple[Snippet, ...]:
    return tuple(one for one in make_snippets(access, [client])[0] if one.client == client)


@pytest.mark.parametrize("access", PLACES)
@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_something_or_is_told_why_not(client: str, access: IndexAccess) -> None:
    snippets, unfit = of(client, access), make_snippets(access, [client])[1]
    assert snippets or unfit
    for snippet in snippets:
        assert snippet.client == client
        assert snippet.title
        assert snippet.text.endswith("\n")
    for one in unfit:
        assert (one.client, bool(one.reason), bool(one.remedy)) == (client, True, True)


@pytest.mark.parametrize("access", PLACES)
def test_variables_only_where_they_are_expanded(access: IndexAccess) -> None:
    for snippet in make_snippets(access)[0]:
        expands = snippet.file not in {"~/.netrc", "$VIRTUAL_ENV/pip.conf", "Dockerfile", "browser"}
        assert expands or "${" not in snippet.text.replace("$HOME", "")


@pytest.mark.parametrize("access", PLACES)
def test_a_secret_only_where_it_was_given_and_in_no_file_that_is_shared(
    access: IndexAccess,
) -> None:
    with_it = [one for one in make_snippets(access)[0] if "ent_secret" in one.text]
    assert bool(with_it) == bool(access.secret)
    assert {one.file for one in with_it} <= {"~/.netrc", "shell", "browser"}
    for one in make_snippets(access)[0] if access.secret else ():
        assert "YOUR_TOKEN" not in str(one)


def test_basic_authentication_first_and_the_path_last() -> None:
    found = make_snippets(ALONE)[0]
    assert found[0].client == "netrc"
    assert [one.client for one in found if "/+t/" in one.text] == ["path", "link"]
    assert all(one.warning for one in found[-2:])
    assert set(USUAL) <= set(CLIENTS)


def test_no_second_index_where_it_would_replace_packages() -> None:
    for access in PLACES:
        for snippet in make_snippets(access)[0]:
            assert "extra-index" not in snippet.text
    assert any("second index" in one.reason for one in make_snippets(ALONE, ["pip"])[1])
    assert not make_snippets(ONE, ["pip"])[1]


@pytest.mark.parametrize("client", ["uv", "poetry", "pdm", "pipenv", "dependabot", "renovate"])
def test_what_two_indexes_do_not_protect_from_is_said(client: str) -> None:
    assert any("public" in one.warning for one in of(client, ALONE))
    assert not any("public" in one.warning for one in of(client, ONE))


@pytest.mark.parametrize("access", PLACES)
def test_what_has_a_grammar_can_be_read(access: IndexAccess) -> None:
    index = access.simple.removeprefix("https://").rstrip("/")
    for snippet in make_snippets(access)[0]:
        read: Any = None
        if snippet.language == "toml":
            read = tomllib.loads(snippet.text)
        elif snippet.language == "ini":
            config = configparser.ConfigParser(interpolation=None)
            config.read_string(snippet.text)
            read = dict(config["global"])
        elif snippet.language == "yaml":
            read = yaml.safe_load(snippet.text)
        elif snippet.language == "json":
            read = json.loads(snippet.text)
        assert read is None or index in str(read)


def test_netrc_knows_no_port_and_a_keyring_does() -> None:
    assert of("netrc", ONE)[0].text.startswith("machine packages.example\n")
    assert "keyring set packages.example:8443 token" in of("keyring", ONE)[0].text


def test_the_vendors_names_are_listed_where_a_client_needs_them() -> None:
    (pdm, *_), (pipenv, *_) = of("pdm", ALONE), of("pipenv", ALONE)
    sources = tomllib.loads(pdm.text)["tool"]["pdm"]["source"]
    assert sources[0]["include_packages"] == sources[1]["exclude_packages"]
    assert sources[0]["include_packages"] == ["acme-app", "acme-util", "acme-*"]
    assert set(tomllib.loads(pipenv.text)["packages"]) == {"acme-app", "acme-util"}
    assert set(tomllib.loads(of("pipenv", ONE)[0].text)["packages"]) == {"acme-app"}


def test_uploads_only_where_a_server_takes_them() -> None:
    snippets, unfit = make_snippets(ONE, ["twine"])
    assert not snippets
    assert isinstance(unfit[0], Unfit)
    assert of("twine", IndexAccess.parse(URL, host="pypiserver"))


def test_credentials_come_with_what_leaves_them_to_a_file() -> None:
    for client in ("pip", "docker", "curl"):
        assert make_snippets(ONE, [client])[0][0].client == "netrc"
    assert {one.client for one in make_snippets(ONE, ["uv"])[0]} == {"uv"}


def test_an_unknown_client_is_named() -> None:
    with pytest.raises(InvalidValue, match="apt"):
        make_snippets(ONE, ["apt"])
