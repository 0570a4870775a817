"""``entitlements eula``."""

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine


@pytest.fixture
def licence(cli: CommandLine, tmp_path: Path) -> Path:
    """A text that is in force for ``acme/prod``."""
    path = tmp_path / "licence.txt"
    path.write_text("Use it [gently].\n", encoding="utf-8")
    cli.done("eula", "add", "acme/prod", str(path))
    return path


def test_add_list_show(cli: CommandLine, licence: Path) -> None:
    ran = cli("eula", "add", "acme/prod", "-", stdin="Second.")
    assert "Revision 2 is in force." in ran.out
    assert [one["number"] for one in cli.done("eula", "list", "acme/prod")] == [2, 1]
    assert cli.done("eula", "show", "acme/prod")["content"] == "Second."
    first = cli("eula", "show", "acme/prod", "--number", "1").out
    assert first == licence.read_text(encoding="utf-8")
    assert "Revision" in cli("eula", "list", "acme/prod").out


@pytest.mark.usefixtures("licence")
def test_accept_and_withdraw(cli: CommandLine) -> None:
    cli.done("repo", "edit", "acme/prod", "--enforce-eula")
    assert "enforces its licence" in cli("repo", "show", "acme/prod").out
    slug = cli.token("--eula-required")["slug_perm"]
    words = (slug, "--repo", "acme/prod")
    token = cli.done("eula", "accept", *words, "--number", "1", "--from", "192.0.2.1")
    assert token["eula_accepted"] == {"number": 1}
    assert token["eula_accepted_from"] == "192.0.2.1"
    assert cli.done("eula", "withdraw", *words)["eula_accepted"] is None
    assert cli.refused("eula", "accept", *words, "--number", "7")["code"] == "not_found"


def test_texts_that_cannot_be_kept(cli: CommandLine, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    odd.write_bytes(b"\xff\xfe")
    for path in (odd, tmp_path / "missing", tmp_path):
        assert cli.refused("eula", "add", "acme/prod", str(path))["fields"].keys() == {"content"}
    assert cli.refused("eula", "show", "acme/prod")["code"] == "not_found"
