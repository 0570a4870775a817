"""Bases and orphaned grants on the command line."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from entitlements_core import hookimpl
from entitlements_core.plugins import Plugins
from entitlements_core.policy.bases import Base
from entitlements_core.policy.facts import FileFacts
from tests.cli.conftest import CommandLine
from tests.policy.query.facts import wheel

OWN, INHERITED = "demo-1.0-py3-none-any.whl", "base-1.0-py3-none-any.whl"


@dataclass(eq=False)  # pluggy keeps plugins by their hash
class Host:
    """A host with one index, which inherits from another one."""

    marks: dict[str, str] = field(default_factory=lambda: {"acme/prod": "1", "acme/base": "2"})
    inherits: bool = False

    @hookimpl
    def entitlements_mark(self, repository: str) -> str:
        return self.marks.get(repository, "")

    @hookimpl
    def entitlements_bases(self) -> Iterable[Base]:
        named_by = frozenset({"acme/prod"})
        base = Base(name="acme/base", mark="2", named_by=named_by, is_readable=True)
        return [base] if self.inherits else []

    @hookimpl
    def entitlements_files(self, repository: str, bases: frozenset[str] | None) -> list[FileFacts]:
        own = wheel(filename=OWN, name="demo", version="1.0", repository=repository)
        inherited = wheel(filename=INHERITED, name="base", version="1.0", repository=repository)
        return [own, inherited] if self.inherits and bases is None else [own]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    found = Host()
    monkeypatch.setattr(Plugins, "_discover", lambda self: self.register(found, "host"))
    return found


def status(cli: CommandLine, check: str) -> list[tuple[str, str, str]]:
    ran = cli("doctor", "--json")
    assert ran.out, ran.err
    return [
        (one["status"], one["detail"], one["remedy"])
        for one in ran.json["checks"]
        if one["check"] == check
    ]


def test_an_orphaned_token_is_listed_and_granted_anew(cli: CommandLine, host: Host) -> None:
    slug = cli.token()["slug_perm"]
    assert status(cli, "grants") == [("ok", "Every token opens what it was made for.", "")]
    host.marks["acme/prod"] = "another"
    [shown] = cli.done("token", "show", slug)["repositories"]
    assert shown["orphaned"] is True
    assert "made for another of this name" in cli("token", "show", slug).out
    assert "acme/prod (orphaned)" in cli("token", "list").out
    listed = cli.done("token", "list")
    assert [one["slug_perm"] for one in listed if one["repositories"][0]["orphaned"]] == [slug]
    [(health, detail, remedy)] = status(cli, "grants")
    assert health == "warning"
    assert slug in detail
    assert "entitlements token regrant " in remedy
    reasons = cli.done("explain", slug, OWN)["reasons"]
    assert reasons[0]["code"] == "unknown_token"
    assert "token regrant" in reasons[0]["detail"]
    [granted] = cli.done("token", "regrant", slug)
    assert granted["slug_perm"] == slug
    assert cli.done("token", "show", slug)["repositories"][0]["orphaned"] is False
    assert cli.done("audit", "--token", slug)[0]["action"] == "token.regranted"
    assert slug in cli("token", "regrant", "--repo", "acme/prod").out
    assert "slug_perm" in cli.refused("token", "regrant")["fields"]


def test_a_base_that_came_later_is_not_seen_until_it_is_recorded(
    cli: CommandLine, host: Host
) -> None:
    slug = cli.token()["slug_perm"]
    host.inherits = True
    where = ("--repo", "acme/prod")
    # A new token would see it, this one does not.
    assert cli.done("preview", "format:python", *where)["files"] == [OWN, INHERITED]
    preview = cli.done("preview", "format:python", *where, "--token", slug)
    assert preview["files"] == [OWN]
    warning = "The base acme/base is not seen: the grant was made without it."
    assert preview["warnings"] == [warning]
    explained = cli.done("explain", slug, INHERITED)
    assert (explained["allowed"], explained["warnings"]) == (False, [warning])
    [(health, detail, remedy)] = status(cli, "grants")
    assert health == "warning"
    assert warning in detail
    assert remedy.endswith("entitlements token regrant --repo acme/prod")
    assert len(cli.done("token", "regrant", *where)) == 2  # with the default token
    assert cli.done("preview", "format:python", *where, "--token", slug)["files"] == [
        OWN,
        INHERITED,
    ]
    assert cli.done("token", "show", slug)["repositories"][0]["bases"] == ["acme/base"]


def test_bases_are_named_and_taken_back(cli: CommandLine, host: Host) -> None:
    token = cli.token("--base", "acme/base")
    slug = token["slug_perm"]
    assert token["repositories"][0]["bases"] == ["acme/base"]
    assert "acme/base" in cli("token", "show", slug).out
    cleared = cli.done("token", "edit", slug, "--no-bases")
    assert cleared["repositories"][0]["bases"] == []
    edited = cli.done("token", "edit", slug, "--base", "acme/base")
    assert edited["repositories"][0]["bases"] == ["acme/base"]
    again = cli.done("token", "grant", slug, "acme/prod", "--base", "acme/prod")
    assert again["repositories"][0]["bases"] == ["acme/prod"]
    wrong = cli.refused("token", "edit", slug, "--base", "acme/none")
    assert wrong["fields"].keys() == {"base"}
    both = cli.refused("token", "edit", slug, "--base", "acme/base", "--no-bases")
    assert both["fields"].keys() == {"bases"}


def test_many_tokens_are_named_in_part(cli: CommandLine, host: Host, tmp_path: Path) -> None:
    for number in range(12):
        cli.token(name=f"Customer {number}")
    host.marks["acme/prod"] = "another"
    [(_, detail, _)] = status(cli, "grants")
    assert "and 2 more were made for another acme/prod" in detail
