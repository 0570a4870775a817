"""The documentation's example plugin, installed with pip: in a server, on the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.functional.vendors import Client, Vendor, clean_environment
from tests.wheelhouse import build_wheel

EXAMPLE: Final = Path(__file__).parents[2] / "docs" / "examples" / "entitlements-embargo"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the installed example, for PYTHONPATH."""
    target = tmp_path_factory.mktemp("plugin")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run(
        [*command, str(target), "--no-build-isolation", str(EXAMPLE)],
        check=True,
        env=clean_environment(),
        capture_output=True,
        timeout=120,
    )
    return target


@pytest.fixture
def embargo(installed: Path, tmp_path: Path) -> dict[str, str]:
    """The environment in which the plugin works, with one release on its list."""
    listed = tmp_path / "embargo.txt"
    listed.write_text("lab-foo==2.0\n")
    return {"PYTHONPATH": str(installed), "EMBARGO_FILE": str(listed)}


def test_a_veto_refuses_what_the_token_covers(
    vendor: Vendor, embargo: dict[str, str], pip: Client, tmp_path: Path
) -> None:
    for version in ("1.0", "2.0"):
        build_wheel(vendor.packages, "lab-foo", version)
    url_of = vendor.token("customer").secret or ""

    with vendor.serving("--server", "waitress", environment=embargo) as server:
        old = pip.install("lab-foo==1.0", server.with_token(url_of), tmp_path / "old")
        new = pip.install("lab-foo==2.0", server.with_token(url_of), tmp_path / "new")

    assert old.status == 0, old.text
    assert new.status == 1
    assert "403 Client Error: This release is under embargo" in new.text


def test_a_veto_that_cannot_tell_refuses(
    vendor: Vendor, embargo: dict[str, str], pip: Client, tmp_path: Path
) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    secret = vendor.token("customer").secret or ""

    with vendor.serving(environment=embargo | {"EMBARGO_FILE": "/does/not/exist"}) as server:
        ended = pip.install("lab-foo", server.with_token(secret), tmp_path / "x")

    assert ended.status == 1
    assert "403 Client Error" in ended.text


def test_a_command_and_a_query_field_are_there(vendor: Vendor, embargo: dict[str, str]) -> None:
    vendor.token("customer")
    own = [sys.executable, "-m", "entitlements_core.cli", "--home", str(vendor.home)]
    create = ["token", "create", "--repo", "acme/prod", "--name", "x", "--query", "embargo:no"]

    listed = run([*own, "embargo"], embargo)
    created = run([*own, *create], embargo)
    without = run([*own, *create], {})

    assert "lab-foo==2.0" in listed.stdout
    assert created.returncode == 0, created.stderr
    assert without.returncode == 1
    assert "embargo" in without.stderr


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
