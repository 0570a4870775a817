"""What is read out of wheels and sdists, and that no broken one is taken for a whole one."""

import gzip
import io
import os
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entitlements_core.engine import sdists
from entitlements_core.engine.distributions import (
    METADATA_LIMIT,
    TooLarge,
    Unservable,
    parse_filename,
)
from entitlements_core.engine.sdists import sdist_pkg_info
from entitlements_core.engine.wheels import wheel_metadata
from tests.wheelhouse import core_metadata, sdist_bytes, wheel_bytes

NAME = "lab_foo-1.0-py3-none-any.whl"
LAB = parse_filename(NAME)
WHEEL = wheel_bytes("lab-foo", "1.0", requires=["requests"])
SDIST = sdist_bytes("lab-foo", "1.0", padding=100_000)


def metadata_of(data: bytes) -> bytes:
    return wheel_metadata(io.BytesIO(data), LAB).body


def pkg_info_of(data: bytes, filename: str = "lab_foo-1.0.tar.gz") -> bytes | None:
    return sdist_pkg_info(io.BytesIO(data), filename)


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return buffer.getvalue()


def tarred(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def test_the_metadata_of_a_wheel_are_found() -> None:
    assert metadata_of(WHEEL) == core_metadata("lab-foo", "1.0", requires=["requests"])


def encrypted(data: bytes) -> bytes:
    """Sets the encryption flag in every central directory entry and local header."""
    flagged = bytearray(data)
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = flagged.find(signature)
        while at >= 0:
            flagged[at + offset] |= 1
            at = flagged.find(signature, at + 1)
    return bytes(flagged)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "not a complete zip", id="empty"),
        pytest.param(b"<html>login</html>", "not a complete zip", id="html"),
        pytest.param(WHEEL[: len(WHEEL) // 2], "not a complete zip", id="half"),
        pytest.param(WHEEL[:-1], "not a complete zip", id="last byte missing"),
        pytest.param(WHEEL[len(WHEEL) // 2 :], "not a complete zip", id="second half"),
        pytest.param(encrypted(WHEEL), "not a complete zip", id="encrypted"),
        pytest.param(wheel_bytes("lab-foo", "1.0", dist_info=[]), "has 0 files", id="none"),
        pytest.param(
            wheel_bytes("lab-foo", "1.0", dist_info=["lab_foo-1.0", "lab_bar-1.0"]),
            "has 2 files",
            id="two",
        ),
        pytest.param(
            zipped(**{"x/lab_foo-1.0.dist-info/METADATA": b""}), "has 0 files", id="not top level"
        ),
        pytest.param(wheel_bytes("lab-bar", "1.0"), "holds 'lab_bar-1.0.dist-info", id="name"),
        pytest.param(
            wheel_bytes("lab-foo", "1.0", metadata=b"x" * (METADATA_LIMIT + 1)),
            "more than 2097152 bytes",
            id="bomb",
        ),
    ],
)
def test_a_broken_wheel_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(Unservable, match=problem):
        metadata_of(data)


def test_metadata_of_exactly_the_limit_are_taken() -> None:
    data = wheel_bytes("lab-foo", "1.0", metadata=b"x" * METADATA_LIMIT)
    assert len(metadata_of(data)) == METADATA_LIMIT


@pytest.mark.parametrize("limit", [0, 99, METADATA_LIMIT * 2])
def test_the_bound_is_the_callers_and_the_advice_says_what_helps(limit: int) -> None:
    wheel = io.BytesIO(wheel_bytes("lab-foo", "1.0", metadata=b"x" * (limit + 1)))
    sdist = io.BytesIO(sdist_bytes("lab-foo", "1.0", pkg_info=b"x" * (limit + 1)))
    with pytest.raises(TooLarge, match=f"more than {limit} bytes") as of_wheel:
        wheel_metadata(wheel, LAB, limit)
    with pytest.raises(TooLarge, match=f"more than {limit} bytes") as of_sdist:
        sdist_pkg_info(sdist, "lab_foo-1.0.tar.gz", limit)
    for refused in (of_wheel.value, of_sdist.value):
        assert refused.limit == limit
        assert f"ENTITLEMENTS_METADATA_LIMIT to {limit + 1} or more" in refused.remedy
    assert len(wheel_metadata(wheel, LAB, limit + 1).body) == limit + 1


@pytest.mark.parametrize(
    "folder",
    [
        pytest.param("lab-foo-1.0", id="a dash kept"),
        pytest.param("Lab.Foo-1.0", id="as the project is written"),
        pytest.param("LAB__FOO-1.0", id="upper case"),
        pytest.param("lab_foo-1.0_local.1", id="the plus as an underscore"),
        pytest.param("lab_foo-1.0.0", id="another spelling of the version"),
        pytest.param("lab_foo", id="no version"),
        pytest.param("lab_foo-1.0-py3-none-any", id="the whole file name"),
    ],
)
def test_the_folder_is_chosen_as_installers_choose_it(folder: str) -> None:
    data = wheel_bytes("lab-foo", "1.0", folder=folder)
    assert metadata_of(data) == core_metadata("lab-foo", "1.0")


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("labfoo-1.0", "holds 'labfoo"),
        ("lab foo-1.0", "holds 'lab foo"),
        ("foo-1.0", "holds 'foo"),
        ("", "holds '.dist-info"),
    ],
)
def test_a_folder_of_another_project_is_refused(folder: str, problem: str) -> None:
    with pytest.raises(Unservable, match=problem):
        metadata_of(wheel_bytes("lab-foo", "1.0", folder=folder))


def test_a_second_folder_is_one_too_many_whatever_is_in_it() -> None:
    member = core_metadata("lab-foo", "1.0")
    for other in ("lab_bar-1.0.dist-info/WHEEL", "x.dist-info"):
        with pytest.raises(Unservable, match="more than one folder"):
            metadata_of(zipped(**{"lab_foo-1.0.dist-info/METADATA": member, other: b""}))
    deeper = {"lab_foo-1.0.dist-info/METADATA": member, "a/lab_foo-1.0.dist-info/METADATA": b""}
    assert metadata_of(zipped(**deeper)) == member


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(WHEEL) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_wheel_is_read_or_refused_but_never_crashes(at: int, noise: bytes) -> None:
    data = WHEEL[:at] + noise + WHEEL[at + len(noise) :]
    try:
        metadata_of(data)
    except Unservable as refused:
        assert refused.remedy  # noqa: PT017 - that it may also be readable is the point


def test_the_pkg_info_of_an_sdist_is_found() -> None:
    expected = core_metadata("lab-foo", "1.0")
    assert pkg_info_of(SDIST) == expected
    assert pkg_info_of(sdist_bytes("lab-foo", "1.0", pkg_info=b"")) is None
    assert pkg_info_of(tarred(**{"./lab-1/PKG-INFO": b"x", "lab-1/PKG-INFO": b"y"})) == b"x"
    assert pkg_info_of(tarred(**{"lab-1/lab.egg-info/PKG-INFO": b"x", "PKG-INFO": b"y"})) is None


def test_what_follows_the_end_of_the_tar_is_read_too() -> None:
    padded = gzip.compress(gzip.decompress(SDIST) + b"\0" * 500_000)
    assert pkg_info_of(padded) == core_metadata("lab-foo", "1.0")
    with pytest.raises(Unservable):
        pkg_info_of(padded[:-4])


def test_an_sdist_may_be_a_zip() -> None:
    assert pkg_info_of(zipped(**{"lab_foo-1.0/PKG-INFO": b"x"}), "lab_foo-1.0.zip") == b"x"
    assert pkg_info_of(zipped(**{"lab_foo-1.0/setup.py": b"x"}), "lab_foo-1.0.zip") is None
    with pytest.raises(Unservable, match="not a complete zip"):
        pkg_info_of(SDIST, "lab_foo-1.0.zip")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>login</html>", id="html"),
        pytest.param(SDIST[: len(SDIST) // 2], id="half"),
        pytest.param(SDIST[:-1], id="last byte missing"),
        pytest.param(SDIST[:-8], id="checksum missing"),
        pytest.param(SDIST[:-8] + b"\0" * 8, id="wrong checksum"),
        pytest.param(SDIST[: len(SDIST) // 2] + os.urandom(99) + SDIST[-9000:], id="damaged"),
        pytest.param(gzip.compress(b"no tar"), id="no tar"),
        pytest.param(gzip.compress(b""), id="nothing inside"),
        pytest.param(gzip.compress(gzip.decompress(SDIST)[:700]), id="half a tar"),
    ],
)
def test_a_broken_sdist_is_refused(data: bytes) -> None:
    with pytest.raises(Unservable, match=r"not a complete \.tar\.gz"):
        pkg_info_of(data)


def test_an_sdist_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unservable, match="more than 2097152 bytes"):
        pkg_info_of(tarred(**{"lab-1/PKG-INFO": b"x" * (METADATA_LIMIT + 1)}))
    monkeypatch.setattr(sdists, "UNPACKED_LIMIT", 50_000)
    with pytest.raises(Unservable, match="unpacks to more"):
        pkg_info_of(SDIST)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=600))
def test_a_damaged_tar_is_read_or_refused_but_never_crashes(at: int, noise: bytes) -> None:
    data = gzip.decompress(sdist_bytes("lab-foo", "1.0"))
    data = data[:at] + noise + data[at + len(noise) :]
    try:
        pkg_info_of(gzip.compress(data, 1))
    except Unservable as refused:
        assert refused.remedy  # noqa: PT017 - that it may also be readable is the point
