"""``entitlements snippets``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from tests.wheelhouse import build_wheel

URL = ("--url", "https://packages.example")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An application, a library that it needs, and something else."""
    directory = tmp_path / "packages"
    build_wheel(directory, "acme-app", "1.0", requires=["acme-util", "numpy"])
    build_wheel(directory, "acme-util", "1.0")
    build_wheel(directory, "acme-secret", "1.0")
    return directory


def clients(document: Any) -> set[str]:  # noqa: ANN401 - whatever JSON holds
    return {one["client"] for one in document["snippets"]}


def test_the_secret_is_left_out_unless_asked_for(cli: CommandLine) -> None:
    token = cli.token()
    found = cli.done("snippets", token["slug_perm"], *URL)
    assert found["index_url"] == "https://packages.example/simple/"
    assert token["token"] not in str(found)
    assert token["token"] in str(cli.done("snippets", token["slug_perm"], *URL, "--show-secret"))
    assert clients(found) == {"netrc", "pip", "uv", "poetry", "pdm", "pipenv"}


def test_every_client(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    found = cli.done("snippets", slug, *URL, "--all-clients", "--host", "pypiserver")
    assert clients(found) >= {"path", "link", "twine", "renovate", "docker"}
    assert not [one for one in found["left_out"] if one["client"] != "pip"]


def test_a_token_that_uploads_gets_twine(cli: CommandLine) -> None:
    slug = cli.token("--access", "rw")["slug_perm"]
    assert "twine" in clients(cli.done("snippets", slug, *URL, "--host", "pypiserver"))
    left_out = cli.done("snippets", slug, *URL)["left_out"]
    assert "twine" in {one["client"] for one in left_out}


def test_packages_are_those_that_the_token_covers(cli: CommandLine, folder: Path) -> None:
    slug = cli.token("--query", "name:^acme-app$ OR name:^acme-util$")["slug_perm"]
    cli.done("repo", "reserve", "acme/prod", "acme-*", "acme-not-yet")
    words = ("snippets", slug, *URL, "--dir", str(folder), "--client", "pdm")
    found = cli.done(*words)
    assert found["packages"] == ["acme-app"]
    assert '["acme-app", "acme-util", "acme-*"]' in found["snippets"][0]["text"]
    # Neither what the customer does not see nor a name that nobody has yet.
    assert "acme-secret" not in str(found)
    assert "not-yet" not in str(found)
    chosen = cli.done(*words, "--package", "Acme_Util", "--package", "acme-app")
    assert chosen["packages"] == ["acme-util", "acme-app"]
    refused = cli.refused(*words, "--package", "acme-secret")
    assert refused["fields"].keys() == {"package"}


def test_many_packages_are_not_all_named(cli: CommandLine, tmp_path: Path) -> None:
    for number in range(10):
        build_wheel(tmp_path / "many", f"lab-{number}", "1.0")
    slug = cli.token()["slug_perm"]
    found = cli.done("snippets", slug, *URL, "--dir", str(tmp_path / "many"))
    assert len(found["packages"]) == 8
    assert any("covers 2 more" in text for text in found["warnings"])


def test_packages_that_nobody_knows(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    found = cli.done("snippets", slug, *URL)
    assert found["packages"] == ["your-package"]
    assert any("--package" in text for text in found["warnings"])
    assert cli.done("snippets", slug, *URL, "--package", "a", "--package", "b")["packages"] == [
        "a",
        "b",
    ]
    assert cli.refused("snippets", slug, *URL, "--dir", "/nowhere")["code"] == "configuration"


def test_which_repository(cli: CommandLine) -> None:
    slug = cli.done(
        "token", "create", "--name", "two", "--repo", "acme/prod", "--repo", "acme/beta"
    )
    words = ("snippets", slug["slug_perm"], *URL)
    assert cli.refused(*words)["code"] == "invalid"
    assert cli.done(*words, "--repo", "acme/beta", "--host", "devpi")["index_url"].endswith(
        "/acme/beta/+simple/"
    )
    assert cli.refused(*words, "--repo", "acme/other")["code"] == "not_found"


def test_the_upstream_of_the_settings_or_as_it_is_said(cli: CommandLine) -> None:
    words = ("snippets", cli.token()["slug_perm"], *URL, "--client", "uv")
    upstream = {"ENTITLEMENTS_UPSTREAM": "https://index.example/simple"}
    assert "default = true" not in str(cli.done(*words))
    assert "default = true" in str(cli.done(*words, **upstream))
    assert "default = true" in str(cli.done(*words, "--upstream"))
    assert "default = true" not in str(cli.done(*words, "--no-upstream", **upstream))


def test_for_an_email(cli: CommandLine) -> None:
    slug = cli.token()["slug_perm"]
    ran = cli("snippets", slug, *URL, "--all-clients", "--format", "markdown")
    assert ran.status == 0
    assert "## uv\n" in ran.out
    assert "```toml\n# Keep it before" in ran.out
    assert "## twine: not possible\n" in ran.out
    assert ran.out.count("```") % 2 == 0


def test_for_people(cli: CommandLine) -> None:
    ran = cli("snippets", cli.token()["slug_perm"], *URL)
    assert "# uv: The index (pyproject.toml)\n# A name" in ran.out
    assert "# pip: There is no safe configuration with a second index" in ran.out
    assert "Without an upstream" in ran.err


def test_without_a_store(empty: CommandLine) -> None:
    words = ("snippets", "--secret", "-", *URL, "--client", "pip", "--show-secret")
    ran = empty(*words, stdin="one-of-our-own-secrets\n")
    assert "export VENDOR_TOKEN=one-of-our-own-secrets\n" in ran.out
    hidden = empty(*words[:-1], stdin="one-of-our-own-secrets\n")
    assert "${VENDOR_TOKEN}" in hidden.out
    assert "own-secrets" not in hidden.out
    assert not empty.home.exists()


def test_an_open_address_is_warned_of(empty: CommandLine) -> None:
    ran = empty("snippets", "--secret", "x", "--url", "http://packages.example")
    assert "not encrypted" in ran.err


def test_refusals(cli: CommandLine) -> None:
    assert cli.refused("snippets", *URL)["code"] == "invalid"
    assert cli.refused("snippets", "abc", "--secret", "x", *URL)["code"] == "invalid"
    assert cli.refused("snippets", "--secret", "x", "--url", "nothing")["fields"].keys() == {"url"}
    for option, value in (("--client", "apt"), ("--mount", "../x")):
        refused = cli.refused("snippets", "--secret", "x", *URL, option, value)
        assert refused["fields"].keys() == {option[2:]}


def test_what_is_needed_and_not_covered_is_named(cli: CommandLine, tmp_path: Path) -> None:
    for name, needs in (("acme-app", ["acme-lib", "everybodys"]), ("acme-lib", [])):
        build_wheel(tmp_path / "own", name, "1.0", requires=needs)
    token = cli.token("--query", "name:^acme-app$")["slug_perm"]
    found = ("--dir", str(tmp_path / "own"))
    said = "acme-app 1.0 needs acme-lib, which is yours and not covered"
    printed = cli("snippets", token, "--url", "https://packages.acme.example", *found)
    assert said in printed.err
    assert said in cli("explain", token, "acme_app-1.0-py3-none-any.whl", *found).err
    assert said in cli("preview", "name:^acme-app$", "--repo", "acme/prod", *found).err
    assert "everybodys" not in printed.err
    cli.done("token", "edit", token, "--query", "name:^acme-*")
    assert said not in cli("explain", token, "acme_app-1.0-py3-none-any.whl", *found).err
