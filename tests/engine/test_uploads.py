"""Facts of an upload: the name, the archive and the metadata must say the same."""

import hashlib
import io
import tempfile
from datetime import UTC, datetime

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from entitlements_core.engine.distributions import Unservable
from entitlements_core.engine.uploads import inspect_upload
from entitlements_core.policy.facts import FileFacts, FileKind
from tests.factories import left_at_default
from tests.wheelhouse import core_metadata, sdist_bytes, wheel_bytes

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WHEEL_NAME = "lab_foo-1.0-py3-none-any.whl"
WHEEL = wheel_bytes("lab-foo", "1.0", requires=["requests>=2"], requires_python=">=3.9")
SDIST_NAME = "lab_foo-1.0.tar.gz"
SDIST = sdist_bytes("lab-foo", "1.0", padding=200_000)


def inspect(filename: str, data: bytes) -> FileFacts:
    return inspect_upload(filename, io.BytesIO(data), repository="acme/prod", now=NOW)


def test_a_wheel_is_known_by_its_name_and_its_metadata() -> None:
    assert inspect(WHEEL_NAME, WHEEL) == FileFacts(
        filename=WHEEL_NAME,
        name="lab-foo",  # type: ignore[arg-type] # equal to the normalised name
        version=Version("1.0"),
        kind=FileKind.WHEEL,
        python_tags=frozenset({"py3"}),
        platform_tags=frozenset({"any"}),
        size=len(WHEEL),
        uploaded_at=NOW,
        sha256=hashlib.sha256(WHEEL).hexdigest(),
        requires_python=">=3.9",
        license="MIT",
        summary="A package for tests",
        dependencies=(Requirement("requests>=2"),),
        repository="acme/prod",
    )


def test_no_fact_that_a_file_states_is_left_at_its_default() -> None:
    filename = WHEEL_NAME.replace("none-any", "none-manylinux_2_17_x86_64")
    outside = {"downloads", "extra", "tags", "yanked"}
    assert left_at_default(inspect(filename, WHEEL)) == outside


def test_an_sdist_is_known_by_its_name_and_its_pkg_info() -> None:
    facts = inspect(SDIST_NAME, SDIST)

    assert (facts.kind, facts.name, str(facts.version)) == (FileKind.SDIST, "lab-foo", "1.0")
    assert (facts.license, facts.size) == ("MIT", len(SDIST))
    assert facts.sha256 == hashlib.sha256(SDIST).hexdigest()


def test_the_stream_is_read_from_its_start_and_left_there() -> None:
    with tempfile.TemporaryFile() as stream:
        stream.write(WHEEL)

        facts = inspect_upload(WHEEL_NAME, stream, repository="acme/prod", now=NOW)

        assert stream.tell() == 0
    assert facts.size == len(WHEEL)


@pytest.mark.parametrize(
    ("filename", "data", "problem"),
    [
        ("lab_foo-1.0.exe", WHEEL, "no longer take"),
        ("lab_foo-1.0-py3-none-any.whl.asc", WHEEL, "not valid"),
        ("../lab_foo-1.0-py3-none-any.whl", WHEEL, "characters"),
        ("lab_foo-1.0\r\nX: y-py3-none-any.whl", WHEEL, "characters"),
        ("lab_bar-1.0-py3-none-any.whl", WHEEL, "file name says"),
        ("lab_foo-2.0-py3-none-any.whl", WHEEL, "METADATA is of"),
        ("lab_bar-1.0.tar.gz", SDIST, "PKG-INFO is of"),
        ("lab_foo-2.0.tar.gz", SDIST, "PKG-INFO is of"),
        (SDIST_NAME, WHEEL, "not a complete .tar.gz"),
        (SDIST_NAME, SDIST[:-100], "not a complete .tar.gz"),
        (WHEEL_NAME, WHEEL[:-100], "not a complete zip"),
        (WHEEL_NAME, b"", "not a complete zip"),
        (WHEEL_NAME, wheel_bytes("lab-foo", "1.0", dist_info=[]), "0 files"),
        (
            WHEEL_NAME,
            wheel_bytes("lab-foo", "1.0", metadata=core_metadata("lab-bar", "1.0")),
            "METADATA is of",
        ),
        (SDIST_NAME, sdist_bytes("lab-foo", "1.0", pkg_info=b""), "no PKG-INFO"),
    ],
    ids=lambda part: "data" if isinstance(part, bytes) else part,  # the same in every worker
)
def test_what_does_not_agree_is_refused(filename: str, data: bytes, problem: str) -> None:
    stream = io.BytesIO(data)

    with pytest.raises(Unservable, match=problem):
        inspect_upload(filename, stream, repository="acme/prod", now=NOW)

    assert stream.tell() == 0
