"""``entitlements demo`` does what a newcomer is promised."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.functional.vendors import clean_environment


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "entitlements_core.cli", "demo", *arguments],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_it_shows_the_main_job_and_leaves_a_transcript(tmp_path: Path) -> None:
    ended = demo("--directory", str(tmp_path))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    for text in (
        "$ entitlements init",
        "Successfully installed acme-core-1.1 acme-report-1.0",
        "+ acme-core==1.1",
        "No matching distribution found for acme-core==2.0",
        "403 Client Error: Download limit 1/1 reached",
        "Everything went as it should.",
    ):
        assert text in ended.stdout


def test_it_can_leave_the_server_running(tmp_path: Path) -> None:
    ended = demo("--directory", str(tmp_path), "--keep", "--json")

    assert ended.returncode == 0, ended.stderr
    outcome = json.loads(ended.stdout)
    try:
        assert "acme-report" in httpx.get(outcome["urls"]["one"]).text
    finally:
        os.kill(outcome["pid"], signal.SIGTERM)


@pytest.mark.parametrize("broken", ["packages", "home"])
def test_it_fails_when_a_step_fails(tmp_path: Path, broken: str) -> None:
    (tmp_path / broken).write_text("in the way")

    ended = demo("--directory", str(tmp_path))

    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
