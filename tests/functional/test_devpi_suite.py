"""devpi-server's own tests, with our plugin loaded, and with it configured.

They come with devpi-server itself (its wheel installs them), so that they are always those of the
version that is supported. What fails with our plugin is run again without it: only what passes
there is a deviation. Nothing is run bare that has passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import certifi
import pytest

from tests.functional.vendors import clean_environment

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import test_devpi_server

pytestmark = [pytest.mark.functional, pytest.mark.timeout(900)]

TESTS: Final = Path(test_devpi_server.__file__).parent
SECONDS: Final = 800

PARTS: Final = {"views": ("test_views.py",), "rest": ()}
"""Each part takes about as long as the other; the second is everything but the first."""
LEFT_OUT: Final = (
    "test_nginx.py",  # another nginx configuration than ours, which sends files to everybody
    "test_nginx_replica.py",
    "test_streaming_nginx.py",
    "test_streaming_replica_nginx.py",
    "test_streaming.py",  # real servers; test_devpi_mirror and test_devpi_replica start those
    "test_streaming_replica.py",
    "test_replica_functional.py",  # the classes of test_views once more, through a replica
)
FEWEST: Final = {"views": 280, "rest": 200}
"""Tests of each part, at least: a selection that finds nothing proves nothing."""

DEVIATIONS: Final = {
    "test_views_patch.py::test_index_patch": "compares all keys: there is acl_pkg_read",
    "test_views_patch.py::test_mirror_index_patch": "the same, of a mirror",
    "test_importexport.py::TestImportExport::test_mirror_settings_preserved": "the same, imported",
    "test_importexport.py::TestImportExport::test_no_mirror_releases_touched": "the same",
    "test_stage_customizer.py::test_sro_skip_plugin": "counts the calls of another plugin's hook;"
    " of a base that we leave out, devpi asks nobody else",
}
"""What fails where our plugin is configured, and why that is as it should be."""


def begin(folder: Path, name: str, *chosen: str, **environment: str) -> subprocess.Popen[bytes]:
    """Run tests; the report is `name`.xml."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-c", os.devnull]
    command += ["--rootdir", str(TESTS), "-p", "no:cacheprovider", "-p", "devpi_suite"]
    command += [f"--junit-xml={folder / name}.xml", f"--basetemp={folder / name}", *chosen]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    told = {"PYTHONPATH": str(Path(__file__).parent), "PATH": path, **environment}
    told["REQUESTS_CA_BUNDLE"] = str(_short_bundle(folder))
    kept = clean_environment(**told)
    settled = {key: value for key, value in kept.items() if not key.startswith("DEVPI")}
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, env=settled, stdout=log, stderr=log)


def _short_bundle(folder: Path) -> Path:
    """One authority in place of all: each application reads them, and asks none of their sites."""
    first, end, _ = certifi.contents().partition("-----END CERTIFICATE-----\n")
    bundle = folder / "authorities.pem"
    bundle.write_text(first + end)
    return bundle


def failures(folder: Path, name: str) -> tuple[int, set[str]]:
    """How many tests ran, and which of them failed, as ``module.py::class::test``."""
    cases = list(ET.parse(folder / f"{name}.xml").iter("testcase"))  # noqa: S314 - our own
    failed = {
        _node(case)
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    return len(cases), failed


def _node(case: ET.Element) -> str:
    words = case.attrib["classname"].removeprefix("test_devpi_server.").split(".")
    return "::".join((f"{words[0]}.py", *words[1:], case.attrib["name"]))


def chosen(part: str) -> list[str]:
    """The tests of a part."""
    if PARTS[part]:
        return [str(TESTS / name) for name in PARTS[part]]
    others = [name for names in PARTS.values() for name in names]
    return [str(TESTS), *(f"--ignore={TESTS / name}" for name in (*LEFT_OUT, *others))]


@pytest.mark.parametrize(
    ("part", "configured"),
    # Unconfigured, there is nothing of ours in an application; half of the tests say that as well,
    # and tests/plugins/devpi/test_plugin.py that nothing was registered.
    [
        pytest.param("rest", False, id="unconfigured", marks=pytest.mark.clients),
        pytest.param("rest", True, id="configured"),
        pytest.param("views", True, id="configured-views"),
    ],
)
def test_the_tests_of_devpi_server_pass(tmp_path: Path, part: str, *, configured: bool) -> None:
    home = {"ENTITLEMENTS_HOME": str(tmp_path / "home")} if configured else {}
    process = begin(tmp_path, "ours", *chosen(part), SUITE_PLUGIN="present", **home)
    process.wait(SECONDS)
    ran, failed = failures(tmp_path, "ours")
    of_part = {
        name
        for name in DEVIATIONS
        if (name.partition("::")[0] in PARTS["views"]) == (part == "views")
    }
    expected = of_part if configured else set()
    assert ran >= FEWEST[part]
    again = [str(TESTS / name) for name in sorted(failed | expected)]
    failed_before: set[str] = set()
    if again:
        begin(tmp_path, "bare", *again, SUITE_PLUGIN="absent").wait(SECONDS)
        ran_again, failed_before = failures(tmp_path, "bare")
        assert ran_again == len(again)
    assert len(failed_before) < 10, failed_before  # of this machine, not of us
    differing = (failed - failed_before) ^ expected
    assert not differing, (differing, (tmp_path / "ours.log").read_text()[-20000:])
