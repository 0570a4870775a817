"""``entitlements preview``."""

from pathlib import Path

import pytest

from entitlements_core import hookimpl
from entitlements_core.policy.facts import FileFacts
from tests.cli.conftest import CommandLine
from tests.policy.query.facts import wheel

OLD, NEW = "demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"


def test_preview(cli: CommandLine, packages: Path) -> None:
    words = ("--repo", "acme/prod", "--dir", str(packages))
    found = cli.done("preview", "name:demo", *words)
    assert (found["files"], found["projects"]) == ([OLD, NEW], ["demo"])
    assert "not anchored" in found["warnings"][0]
    everything = cli.done("preview", "name:*", *words)
    assert everything["projects"] == ["demo", "other"]
    ran = cli("preview", "name:demo", *words)
    assert ran.out.split()[0] == "File"
    assert OLD in ran.out
    assert "Warning:" in ran.err


def test_preview_of_a_change(cli: CommandLine, packages: Path) -> None:
    slug = cli.token("--query", "name:^demo$ version:1.0")["slug_perm"]
    words = ("--repo", "acme/prod", "--dir", str(packages), "--token", slug)
    found = cli.done("preview", "name:^demo$ version:>1", *words)
    assert (found["added"], found["removed"]) == ([NEW], [OLD])
    out = cli("preview", "name:^demo$ version:>1", *words).out
    assert out.split()[:2] == ["Change", "File"]
    assert "+" in out
    assert "-" in out
    # What nobody restricts is open already.
    free = cli.token()["slug_perm"]
    found = cli.done("preview", "downloads:>0", *words[:-1], free)
    assert found["added"] == []
    assert len(found["removed"]) == 3


def test_preview_counts_downloads(cli: CommandLine, packages: Path) -> None:
    cli.use(cli.token()["slug_perm"])
    words = ("--repo", "acme/prod", "--dir", str(packages))
    assert cli.done("preview", "downloads:>0", *words)["files"] == [OLD]


def test_preview_of_what_is_not_there(cli: CommandLine, packages: Path) -> None:
    words = ("preview", "name:^demo$", "--repo")
    assert cli.refused(*words, "acme/prod")["fields"].keys() == {"dir"}
    assert cli.refused(*words, "acme/nope", "--dir", str(packages))["code"] == "not_found"
    assert cli.refused(*words, "acme/nope")["code"] == "not_found"
    gone = str(packages / "gone")
    assert cli.refused(*words, "acme/prod", "--dir", gone)["code"] == "configuration"


class Host:
    """A plugin that has the files itself."""

    @hookimpl
    def entitlements_files(self, repository: str) -> list[FileFacts]:
        return [wheel(filename=OLD, name="demo", version="1.0", repository=repository)]


def test_preview_of_a_host_with_files(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    from entitlements_core import plugins

    monkeypatch.setattr(plugins.Plugins, "_discover", lambda self: self.register(Host()))
    found = cli.done("preview", "name:^demo$", "--repo", "acme/prod")
    assert found["files"] == [OLD]


UPSTREAM = "https://index.example/simple/"
ELSEWHERE = f"foreign is not yours: who may see pages is sent on to {UPSTREAM} for it,"


def test_preview_says_what_is_left_to_an_upstream(
    cli: CommandLine, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--repo", "acme/prod", "--dir", str(packages))
    assert cli.done("preview", "name:^foreign$", *words)["warnings"] == []
    monkeypatch.setenv("ENTITLEMENTS_UPSTREAM", UPSTREAM)
    [warning] = cli.done("preview", "name:^foreign$", *words)["warnings"]
    assert warning.startswith(ELSEWHERE)
    assert cli.done("preview", "name:^demo$", *words)["warnings"] == []
    assert UPSTREAM in cli.done("preview", "name:*", *words)["warnings"][-1]
