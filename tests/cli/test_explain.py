"""``entitlements explain``."""

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

OLD, NEW = "demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"


def test_explain(cli: CommandLine, packages: Path) -> None:
    slug = cli.token("--query", "name:^demo$ version:<2")["slug_perm"]
    where = ("--dir", str(packages))
    allowed = cli.done("explain", slug, OLD, *where)
    assert (allowed["allowed"], allowed["reasons"]) == (True, [])
    assert {clause["matched"] for clause in allowed["query"]} == {True}
    refused = cli.done("explain", slug, f"dist/{NEW}", *where)
    assert refused["allowed"] is False
    assert [reason["code"] for reason in refused["reasons"]] == ["not_found"]
    assert refused["query"] == [
        {"text": "version:<2", "matched": False, "sentence": "version 2.0 is not <2"}
    ]
    out = cli("explain", slug, NEW, *where).out
    assert "may not download" in out
    assert "version 2.0 is not <2" in out
    assert "may download" in cli("explain", slug, OLD, *where).out


def test_explain_at_a_time_from_an_address(cli: CommandLine, packages: Path) -> None:
    slug = cli.token("--valid-until", "2030-01-01", "--allow", "10.0.0.0/8")["slug_perm"]
    words = ("explain", slug, OLD, "--dir", str(packages))
    found = cli.done(*words, "--at", "2031-01-01T00:00:00+01:00", "--from", "192.0.2.1")
    assert [one["code"] for one in found["reasons"]] == ["address_denied", "token_expired"]
    assert found["at"] == "2030-12-31T23:00:00Z"
    assert cli.done(*words, "--from", "10.2.3.4")["allowed"] is True
    assert "address rules" in cli.done(*words)["warnings"][0]
    assert "address rules" in cli(*words).err
    assert cli.refused(*words, "--from", "somewhere")["fields"].keys() == {"from"}
    assert cli.refused(*words, "--at", "2031-01-01T00:00")["fields"].keys() == {"at"}


def test_explain_says_when_a_limit_is_reached(cli: CommandLine, packages: Path) -> None:
    slug = cli.token("--max-downloads", "1", "--max-clients", "1")["slug_perm"]
    cli.use(slug)
    words = ("explain", slug, OLD, "--dir", str(packages))
    assert cli.done(*words)["reasons"][0]["code"] == "download_limit"
    cli.done("token", "edit", slug, "--no-max-downloads")
    assert cli.done(*words, "--from", "192.0.2.1")["allowed"] is True
    assert cli.done(*words, "--from", "192.0.2.2")["reasons"][0]["code"] == "client_limit"


def test_explain_what_is_not_there(cli: CommandLine, packages: Path) -> None:
    slug = cli.token()["slug_perm"]
    where = ("--dir", str(packages))
    found = cli.done("explain", slug, "nothing-1.0.tar.gz", *where)
    assert found["allowed"] is False
    assert found["reasons"][0]["code"] == "not_found"
    assert "no such file" in found["reasons"][0]["detail"]
    assert cli.refused("explain", "nobody", OLD, *where)["code"] == "not_found"
    elsewhere = cli.refused("explain", slug, OLD, "--repo", "acme/beta", *where)
    assert elsewhere["code"] == "not_found"


def test_explain_for_several_repositories(cli: CommandLine, packages: Path) -> None:
    slug = cli.token("--repo", "acme/beta")["slug_perm"]
    words = ("explain", slug, OLD, "--dir", str(packages))
    assert cli.refused(*words)["fields"].keys() == {"repository"}
    assert cli.done(*words, "--repo", "acme/beta")["allowed"] is True


def test_explain_a_deleted_and_a_disabled_token(cli: CommandLine, packages: Path) -> None:
    slug = cli.token()["slug_perm"]
    words = ("explain", slug, OLD, "--dir", str(packages))
    cli.done("token", "disable", slug)
    assert cli.done(*words)["reasons"][0]["code"] == "token_disabled"
    cli.done("token", "delete", slug)
    assert cli.done(*words)["reasons"][0]["code"] == "unknown_token"


UPSTREAM = "https://index.example/simple/"
ELSEWHERE = f"foreign is not yours: who may see pages is sent on to {UPSTREAM} for it,"


@pytest.mark.parametrize(
    "asked",
    ["foreign-1.0-py3-none-any.whl", "foreign-1.0.tar.gz", "Foreign-1.0.TAR.GZ", "Foreign"],
)
def test_explain_what_is_left_to_an_upstream(
    cli: CommandLine, packages: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_UPSTREAM", UPSTREAM)
    slug = cli.token("--query", "name:^demo$", "--allow", "10.0.0.0/8")["slug_perm"]
    words = ("explain", slug, asked, "--dir", str(packages))
    found = cli.done(*words)
    assert found["allowed"] is True
    assert found["origin"].startswith(ELSEWHERE)
    assert "nothing of it is filtered or counted" in found["origin"]
    out = cli(*words).out
    assert "is sent elsewhere for" in out
    assert ELSEWHERE in out
    outside = cli.done(*words, "--from", "192.0.2.1")
    assert [one["code"] for one in outside["reasons"]] == ["address_denied"]


@pytest.mark.parametrize("asked", ["demo-9.0-py3-none-any.whl", "kept-1.0.tar.gz", "demo"])
def test_explain_what_is_never_left_to_an_upstream(
    cli: CommandLine, packages: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_UPSTREAM", UPSTREAM)
    cli.done("repo", "reserve", "acme/prod", "kept")
    slug = cli.token()["slug_perm"]
    found = cli.done("explain", slug, asked, "--dir", str(packages))
    assert [one["code"] for one in found["reasons"]] == ["not_found"]
    assert found["origin"].endswith("is yours, so nobody else is asked for it.")
