"""``entitlements package``: tags on packages, and what they open."""

import hashlib
import os
from pathlib import Path

import pytest

from entitlements_core import hookimpl
from entitlements_core.policy.facts import FileFacts
from tests.cli.conftest import CommandLine
from tests.policy.query.facts import wheel

IN_PROD = ("--repo", "acme/prod")
OLD, NEW = "demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"


def test_tag_and_untag(cli: CommandLine) -> None:
    found = cli.done("package", "tag", "Demo==1.0", "Stable", "lts", *IN_PROD)
    assert found == {"name": "demo", "version": "1.0", "tags": ["lts", "stable"]}
    found = cli.done("package", "tag", "demo", "supported", *IN_PROD)
    assert found == {"name": "demo", "version": None, "tags": ["supported"]}
    found = cli.done("package", "untag", "demo==1.0", "stable", *IN_PROD)
    assert found["tags"] == ["lts"]
    assert cli.done("package", "tags", *IN_PROD) == [
        {"name": "demo", "version": None, "tags": ["supported"]},
        {"name": "demo", "version": "1.0", "tags": ["lts"]},
    ]
    assert cli.done("package", "tags", "other", *IN_PROD) == []
    assert cli.done("package", "tags", "--repo", "acme/beta") == []
    actions = [entry["action"] for entry in cli.done("audit", *IN_PROD)]
    assert actions.count("package.tagged") == 2
    assert actions.count("package.untagged") == 1


def test_for_people(cli: CommandLine) -> None:
    ran = cli("package", "tag", "demo==1.0", "stable", "lts", *IN_PROD)
    assert (ran.status, ran.out) == (0, "demo==1.0 has the tags lts, stable.\n")
    assert "demo==1.0" in cli("package", "tags", "demo", *IN_PROD).out
    ran = cli("package", "untag", "demo==1.0", "stable", "lts", *IN_PROD)
    assert ran.out == "demo==1.0 has no tags.\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("tag", "demo==one", "stable", *IN_PROD), "invalid"),
        (("tag", "demo", "latest", *IN_PROD), "invalid"),
        (("tag", "demo", "stable", "--repo", "acme/nope"), "not_found"),
        (("untag", "demo", "stable", *IN_PROD), "not_found"),
        (("tags", "demo[x]", *IN_PROD), "invalid"),
        (("tags", "--repo", "acme/nope"), "not_found"),
        (("list", *IN_PROD), "invalid"),
        (("list", "--repo", "acme/nope"), "not_found"),
    ],
)
def test_what_is_refused(cli: CommandLine, words: tuple[str, ...], code: str) -> None:
    assert cli.refused("package", *words)["code"] == code


def test_list_of_directories(cli: CommandLine, packages: Path) -> None:
    cli.done("package", "tag", "demo==1.0", "lts", *IN_PROD)
    where = (*IN_PROD, "--dir", str(packages))
    found = cli.done("package", "list", *where)
    assert {one["filename"]: one["tags"] for one in found} == {
        OLD: ["lts"],
        NEW: ["latest"],
        "other-0.1.tar.gz": ["latest"],
    }
    only = cli.done("package", "list", "Other", *where)
    assert [(one["name"], one["version"]) for one in only] == [("other", "0.1")]
    assert only[0]["size"] > 0
    contents = (packages / "other-0.1.tar.gz").read_bytes()
    assert only[0]["sha256"] == hashlib.sha256(contents).hexdigest()
    assert "lts" in cli("package", "list", *where).out


def test_list_of_the_directories_of_the_settings(cli: CommandLine, packages: Path) -> None:
    cli.done("repo", "add", "acme/other")
    settings = {"ENTITLEMENTS_REPOSITORY": "acme/prod", "ENTITLEMENTS_DIRECTORIES": str(packages)}
    listed = cli("package", "list", "demo", *IN_PROD, "--json", **settings)
    assert [one["filename"] for one in listed.json] == [OLD, NEW]
    other = cli("package", "list", "demo", "--repo", "acme/other", "--json", **settings)
    assert "Nobody here knows the files of acme/other" in other.detail["detail"]


class Host:
    """A plugin that has the files itself."""

    @hookimpl
    def entitlements_files(self, repository: str) -> list[FileFacts]:
        return [wheel("demo", version, repository=repository) for version in ("1.0", "2.0")]


def test_list_of_a_host_with_files(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    from entitlements_core import plugins

    monkeypatch.setattr(plugins.Plugins, "_discover", lambda self: self.register(Host()))
    cli.done("package", "tag", "demo", "supported", *IN_PROD)
    found = cli.done("package", "list", "demo", *IN_PROD)
    assert [one["tags"] for one in found] == [["latest", "supported"]] * 2


def test_preview_and_explain_know_the_tags(cli: CommandLine, packages: Path) -> None:
    where = ("--dir", str(packages))
    slug = cli.token("--query", "name:^demo$ tag:^lts$")["slug_perm"]
    assert cli.done("explain", slug, OLD, *where)["allowed"] is False
    cli.done("package", "tag", "demo==1.0", "lts", *IN_PROD)
    assert cli.done("preview", "tag:^lts$", *IN_PROD, *where)["files"] == [OLD]
    assert cli.done("explain", slug, OLD, *where)["allowed"] is True
    assert cli.done("explain", slug, NEW, *where)["allowed"] is False


def uploaded_at(cli: CommandLine, packages: Path) -> dict[str, str]:
    listed = cli.done("package", "list", "--dir", str(packages), *IN_PROD)
    return {one["filename"]: one["uploaded_at"] for one in listed}


def test_when_a_file_was_uploaded(cli: CommandLine, packages: Path) -> None:
    refused = cli.refused("package", "uploaded", OLD, "2025-01-31", *IN_PROD)
    assert "No server has seen" in refused["detail"]
    cli.done("index", str(packages), *IN_PROD)
    found = cli.done("package", "uploaded", OLD, "2025-01-31", *IN_PROD)
    assert (found["filename"], found["uploaded_at"]) == (OLD, "2025-01-31T00:00:00Z")
    assert uploaded_at(cli, packages)[OLD] == "2025-01-31T00:00:00Z"
    ran = cli("package", "uploaded", OLD, "2025-02-28T12:00:00+01:00", *IN_PROD)
    assert (ran.status, ran.out) == (0, f"{OLD} was uploaded 2025-02-28T11:00:00Z.\n")
    assert "2025-02-28T11:00:00Z" in cli("package", "list", "--dir", str(packages), *IN_PROD).out
    actions = [entry["action"] for entry in cli.done("audit", *IN_PROD)]
    assert actions.count("package.uploaded") == 2


def test_what_is_no_upload_time(cli: CommandLine, packages: Path) -> None:
    cli.done("index", str(packages), *IN_PROD)
    for moment, said in (("yesterday", "is no time"), ("2200-01-01", "in the future")):
        refused = cli.refused("package", "uploaded", OLD, moment, *IN_PROD)
        assert said in refused["detail"]


def test_commands_that_only_look_say_what_a_server_says(cli: CommandLine, packages: Path) -> None:
    os.utime(packages / OLD, (1_000_000_000, 1_000_000_000))
    os.utime(packages / NEW, (1_700_000_000, 1_700_000_000))
    frozen = cli.token("--updates-until", "2010-01-01", name="Frozen")["slug_perm"]

    def reasons(file: str) -> list[str]:
        words = ("explain", frozen, file, "--dir", str(packages), *IN_PROD)
        return [one["code"] for one in cli(*words, "--json").json["reasons"]]

    assert (reasons(OLD), reasons(NEW)) == ([], ["not_found"])
    before = uploaded_at(cli, packages)
    cli.done("index", str(packages), *IN_PROD)
    assert uploaded_at(cli, packages) == before
    for name in (OLD, NEW):
        os.utime(packages / name, (1_600_000_000, 1_600_000_000))
    assert uploaded_at(cli, packages) == before
    assert (reasons(OLD), reasons(NEW)) == ([], ["not_found"])
    words = ("preview", "name:^demo$", "--token", frozen, "--dir", str(packages), *IN_PROD)
    assert cli.done(*words)["files"] == [OLD]
