"""What ``entitlements demo`` leaves behind; what it shows is in `tests.functional.test_demo`."""

import tempfile
from pathlib import Path

import pytest

from entitlements_core.cli.demo.steps import DemoFailed, Demonstration
from tests.cli.conftest import CommandLine


@pytest.mark.parametrize("failure", [DemoFailed("Flask is missing"), KeyboardInterrupt(), None])
@pytest.mark.parametrize("own", [True, False])
def test_its_temporary_directory_goes_with_it(
    empty: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException | None,
    *,
    own: bool,
) -> None:
    def run(story: Demonstration) -> None:
        (story._work / "app.py").touch()
        if failure is not None:
            raise failure

    monkeypatch.setattr(Demonstration, "run", run)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for folder in ("tmp", "own"):
        (tmp_path / folder).mkdir()
    empty("demo", *(["--directory", str(tmp_path / "own")] if own else []))
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [one.name for one in (tmp_path / "own").iterdir()] == ["app.py"] * own


def test_what_is_to_be_kept_stays(
    empty: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(_: Demonstration) -> None:
        raise DemoFailed("for a reason")

    monkeypatch.setattr(Demonstration, "run", run)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert "failed: for a reason" in empty("demo", "--keep").out
    assert len(list(tmp_path.glob("entitlements-demo-*"))) == 1
