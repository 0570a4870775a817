"""``entitlements index``."""

import os
from pathlib import Path

import pytest
from rich.console import Console

from entitlements_core.engine import progress
from tests.cli.conftest import CommandLine
from tests.wheelhouse import build_wheel, core_metadata, truncate


def test_index(cli: CommandLine, packages: Path) -> None:
    truncate(build_wheel(packages, "broken", "1.0"))
    first = cli.done("index", str(packages), "--repo", "acme/prod")
    assert (first["files"], first["projects"], first["read"]) == (3, 2, 4)
    (problem,) = first["problems"]
    assert problem["path"].endswith("broken-1.0-py3-none-any.whl")
    second = cli("index", str(packages), "--repo", "acme/prod")
    assert "3 files of 2 projects: 0 read, 4 known" in second.out
    assert "broken-1.0" in second.err
    assert cli.refused("index", str(packages), "--repo", "acme/nope")["code"] == "not_found"


def test_index_and_doctor_name_what_is_odd_and_take_the_rest(
    cli: CommandLine, packages: Path
) -> None:
    (packages / os.fsdecode(b"caf\xe9-1.0.tar.gz")).write_bytes(b"x")
    late = build_wheel(packages, "late", "1.0")
    os.utime(late, ns=(2**63 + 5, 2**63 + 5))
    build_wheel(packages, "latin", "1.0", metadata=core_metadata("latin", "1.0") + b"\xe9")
    build_wheel(packages, "long", "1.0", metadata=core_metadata("long", "1.0") + b"x" * 70_000)
    limit = {"ENTITLEMENTS_METADATA_LIMIT": "65536"}
    found = cli.done("index", str(packages), "--repo", "acme/prod", **limit)
    assert found["files"] == 5
    reasons = {Path(one["path"]).name: one for one in found["problems"]}
    assert set(reasons) == {
        "caf\\xe9-1.0.tar.gz",
        "latin-1.0-py3-none-any.whl",
        "long-1.0-py3-none-any.whl",
    }
    assert "not UTF-8" in reasons["latin-1.0-py3-none-any.whl"]["reason"]
    assert "ENTITLEMENTS_METADATA_LIMIT" in reasons["long-1.0-py3-none-any.whl"]["remedy"]
    assert cli("index", str(packages), "--repo", "acme/prod").status == 0
    assert cli.done("index", str(packages), "--repo", "acme/prod")["files"] == 6
    told = cli.done("doctor", str(packages), "--repo", "acme/prod")["checks"]
    details = " ".join(one["detail"] for one in told)
    assert "caf\\xe9-1.0" in details
    assert "METADATA is not UTF-8" in details
    assert "the newest file is of 2" in details


def test_a_terminal_is_shown_how_far_it_is(
    cli: CommandLine, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "stderr", lambda: Console(stderr=True, force_terminal=True))
    found = cli("index", str(packages), "--repo", "acme/prod")
    assert found.status == 0
    assert "Reading distributions" in found.err
