"""pypiserver's own tests, with the adapter in place and everybody a publisher.

The source distribution of 2.4.2 came without tests, so those of 2.4.1 run against what is
installed. Of them, `test_server` starts servers in processes of their own, which `test_pypiserver`
does with the adapter.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import pytest

from tests.functional.vendors import REPOSITORY, Vendor, clean_environment

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "pypiserver-suite"
RELEASE: Final = "2.4.1"
SECONDS: Final = 240

DEVIATIONS: Final = {
    "test_no_cache_control_set": "answers are private, so that no cache gives them to others",
    "test_cache_control_set": "the age is kept, and 'public' becomes 'private'",
    "test_nonroot_root_with_x_forwarded_host": "the header is believed of proxies only, and the"
    " requests of this suite come from no address",
    "test_nonroot_root_with_x_forwarded_host_without_trailing_slash": "the same",
    "test_nonroot_simple_index_with_x_forwarded_host": "the same",
    "test_nonroot_simple_packages_with_x_forwarded_host": "the same",
    "test_upload_conflict_on_existing": "refused in words that clients show",
    "test_upload_conflict_on_existing_for_twine_compatibility": "409 for twine as well",
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests of pypiserver, downloaded once and unpacked anew."""
    archive = CACHE / f"pypiserver-{RELEASE}.tar.gz"
    if not archive.exists():
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "-d",
            str(CACHE),
        ]
        command += ["--no-binary", ":all:", f"pypiserver=={RELEASE}"]
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    directory = tmp_path_factory.mktemp("suite")
    with tarfile.open(archive) as opened:
        if hasattr(tarfile, "data_filter"):
            opened.extractall(directory, filter="data")
        else:  # Python before 3.11.4
            opened.extractall(directory)  # noqa: S202 - what pypiserver published
    unpacked = directory / f"pypiserver-{RELEASE}"
    # What is tested is what is installed.
    (unpacked / "pypiserver").rename(unpacked / "pypiserver-as-it-was")
    for name in ("packages", "stable_packages", "unstable_packages"):
        (directory / "home" / name).mkdir(parents=True)
    return unpacked


def begin(suite: Path, name: str, **environment: str) -> subprocess.Popen[bytes]:
    """Run the tests; the report is `name`.xml."""
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(suite)]
    command += ["-p", "no:cacheprovider", "-p", "pypiserver_suite", f"--junit-xml={name}.xml"]
    command += [str(suite / "tests"), "--ignore", str(suite / "tests" / "test_server.py")]
    told = {
        "HOME": str(suite.parent / "home"),
        "PYTHONPATH": str(Path(__file__).parent),
        "ENTITLEMENTS_REPOSITORY": REPOSITORY,
        "ENTITLEMENTS_WATCH": "polling",
        **environment,
    }
    with (suite / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=suite, env=clean_environment(**told), stdout=log, stderr=log
        )


def failures(suite: Path, name: str) -> tuple[int, set[str]]:
    """How many tests ran, and which of them failed."""
    cases = list(ET.parse(suite / f"{name}.xml").iter("testcase"))  # noqa: S314 - our own
    failed = {
        case.attrib["name"]
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    return len(cases), failed


def test_the_tests_of_pypiserver_pass(vendor: Vendor, suite: Path) -> None:
    vendor.core.close()
    bare = begin(suite, "bare", SUITE_BARE="1")
    protected = begin(suite, "protected", ENTITLEMENTS_HOME=str(vendor.home))
    for process in (bare, protected):
        process.wait(SECONDS)

    ran, failed_before = failures(suite, "bare")
    ran_again, failed = failures(suite, "protected")

    assert ran == ran_again
    assert ran > 400
    assert len(failed_before) < 10, failed_before  # of another version, another machine
    differing = (failed - failed_before) ^ set(DEVIATIONS)
    assert not differing, (differing, (suite / "protected.log").read_text())
