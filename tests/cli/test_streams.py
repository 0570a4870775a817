"""Standard streams that are closed or full, and words that are no text: real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine

ENTITLEMENTS = str(Path(sys.executable).with_name("entitlements"))


def run(
    cli: CommandLine, *words: str | bytes, redirected: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the installed command, its streams redirected as a shell does."""
    command: list[str | bytes] = [ENTITLEMENTS, "--home", str(cli.home), *words]
    if redirected:
        command = ["sh", "-c", f'"$@" {redirected}', "sh", *command]
    return subprocess.run(
        command,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [("repo", "list"), ("repo", "list", "--json"), ("--version",)])
def test_a_full_output_is_said(cli: CommandLine, words: tuple[str, ...]) -> None:
    ran = run(cli, *words, redirected=">/dev/full")
    assert ran.returncode == 1
    assert "No space left on device" in ran.stderr
    assert "should not happen" not in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    if "--json" in words:
        assert json.loads(ran.stderr)["code"] == "system"


def test_nothing_is_done_whose_result_could_be_told_to_nobody(cli: CommandLine) -> None:
    create = ("token", "create", "--repo", "acme/prod", "--name", "Lost")
    ran = run(cli, *create, redirected=">&-")
    assert (ran.returncode, ran.stderr) == (1, "Error: Standard output: It is closed.\n")
    assert "Lost" not in [token["name"] for token in cli.done("token", "list")]


def test_without_stderr_the_status_tells(cli: CommandLine) -> None:
    for shell in ("2>&-", "2>/dev/full"):
        ran = run(cli, "token", "show", "nobody", redirected=shell)
        assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", "")
        assert run(cli, "repo", "list", redirected=shell).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ("token", "create", "--repo", "acme/prod", "--name", "X", "--secret", "-"),
        ("eula", "add", "acme/prod", "-"),
    ],
)
def test_without_stdin_there_is_nothing_to_read(cli: CommandLine, words: tuple[str, ...]) -> None:
    ran = run(cli, *words, "--json", redirected="<&-")
    assert ran.returncode == 1
    assert json.loads(ran.stderr)["code"] == "invalid"


def test_what_is_read_is_bounded(cli: CommandLine) -> None:
    for words in (
        ("eula", "add", "acme/prod", "/dev/zero"),
        ("eula", "add", "acme/prod", "-"),
        ("token", "create", "--repo", "acme/prod", "--name", "X", "--secret", "-"),
    ):
        ran = run(cli, *words, "--json", redirected="</dev/zero")
        assert ran.returncode == 1, words
        assert json.loads(ran.stderr)["code"] == "invalid"


@pytest.mark.parametrize("locale", ["C", "en_US.UTF-8"])
def test_a_word_that_is_no_text_names_nothing(cli: CommandLine, locale: str) -> None:
    for words in (
        (b"repo", b"show", b"acme/\xff"),
        (b"token", b"show", b"\xff"),
        (b"token", b"create", b"--repo", b"acme/prod", b"--name", b"a\xffb"),
        (b"--database-url", b"sqlite:////tmp/\xff/x", b"repo", b"list"),
    ):
        ran = run(cli, *words, b"--json", LC_ALL=locale, LANG=locale)
        assert ran.returncode == 1
        found: dict[str, Any] = json.loads(ran.stderr)
        assert found["code"] in {"invalid", "not_found", "store_missing"}
        assert "should not happen" not in found["detail"]


def test_a_file_of_any_name_can_be_named(cli: CommandLine, tmp_path: Path) -> None:
    copy = os.fsencode(tmp_path) + b"/copy-\xff.db"
    for locale in ("C", "en_US.UTF-8"):
        made = run(cli, b"backup", copy, LC_ALL=locale, PYTHONUTF8="1")
        assert made.returncode == 0, made.stderr
        assert "copy-" in made.stdout
        Path(os.fsdecode(copy)).unlink()


@pytest.mark.parametrize(("asked", "is_shown"), [([], False), (["-W", "default"], True)])
def test_what_packages_warn_of_is_shown_on_request(asked: list[str], *, is_shown: bool) -> None:
    code = (
        "import warnings; from entitlements_core.cli import main, program;"
        "program.app = lambda **_: warnings.warn('pkg_resources is deprecated'); main()"
    )
    ran = subprocess.run(
        [sys.executable, *asked, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ("pkg_resources" in ran.stderr) is is_shown
