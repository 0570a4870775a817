"""Which file names are those of distributions, and whether the metadata agree with them."""

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from entitlements_core.engine.distributions import (
    Unservable,
    describe,
    parse_filename,
    requirements,
)
from entitlements_core.policy.facts import FileKind
from tests.wheelhouse import core_metadata

LAB = parse_filename("lab_foo-1.0-py3-none-any.whl")


@pytest.mark.parametrize(
    ("filename", "name", "version", "kind"),
    [
        ("Lab_Foo-1.0-py3-none-any.whl", "lab-foo", "1.0", FileKind.WHEEL),
        ("lab.foo-1.0-2-py3-none-any.whl", "lab-foo", "1.0", FileKind.WHEEL),
        ("lab_foo-1!2.0rc1+cu12-py3-none-any.whl", "lab-foo", "1!2.0rc1+cu12", FileKind.WHEEL),
        ("lab_foo-1.0.tar.gz", "lab-foo", "1.0", FileKind.SDIST),
        ("lab-foo-1.0.dev3.tar.gz", "lab-foo", "1.0.dev3", FileKind.SDIST),
        ("x-1.zip", "x", "1", FileKind.SDIST),
    ],
)
def test_a_file_name_says_what_it_holds(
    filename: str, name: str, version: str, kind: FileKind
) -> None:
    found = parse_filename(filename)
    assert (found.name, found.version, found.kind) == (name, Version(version), kind)


def test_the_tags_of_a_wheel_are_taken_apart() -> None:
    found = parse_filename("a-1-cp311.cp312-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
    assert found.python_tags == {"cp311", "cp312"}
    assert found.platform_tags == {"manylinux_2_17_x86_64", "manylinux2014_x86_64"}
    assert parse_filename("a-1.tar.gz").python_tags == frozenset()


@pytest.mark.parametrize(
    "filename",
    [
        "lab_foo-py3-none-any.whl",
        "lab_foo-1.0.whl",
        "lab_foo-one-py3-none-any.whl",
        "lab__foo-1.0-py3-none-any.whl",
        "-1.0-py3-none-any.whl",
        "_foo-1.0-py3-none-any.whl",
        "foo_-1.0.tar.gz",
        "foo.tar.gz",
        "-1.0.tar.gz",
        "foo-2004d.tar.gz",
        "evil\r\nX-Injected: y-1.0.tar.gz",
        "foo-1.0\n-py3-none-any.whl",
        "foo-1.0 -py3-none-any.whl",
        "foo-1.0-py3-none-any.whl\n",
        "føø-1.0-py3-none-any.whl",
        "a/b-1.0.tar.gz",
        "a%2fb-1.0.tar.gz",
        "foo-1.0-py3-none-any (1).whl",
        "foo-1.0-py3.7.egg",
        "foo-1.0.tar.bz2",
        "foo-1.0.exe",
        "foo-1.0\udcff.tar.gz",
        "",
    ],
)
def test_a_bad_file_name_is_refused_with_a_reason_and_a_remedy(filename: str) -> None:
    with pytest.raises(Unservable) as refused:
        parse_filename(filename)
    assert refused.value.problem
    assert refused.value.remedy


@given(st.text(max_size=40), st.sampled_from(["-1.0-py3-none-any.whl", "-1.0.tar.gz", ".zip", ""]))
def test_any_file_name_is_accepted_as_plain_text_or_refused(stem: str, end: str) -> None:
    try:
        found = parse_filename(stem + end)
    except Unservable:
        return
    assert found.name.isascii()
    assert found.name.isprintable()
    assert (stem + end).isprintable()


def test_the_metadata_are_described_on_single_lines() -> None:
    metadata = core_metadata(
        "Lab.Foo",
        "1.0.0",
        requires=["requests >= 2", "numpy; extra == 'fast'", "not valid !!"],
        requires_python=">=3.9,\n <4",
        summary="x" * 600,
        overrides={"License-Expression": None, "License": "Text\n  of " + "y" * 2000},
    )
    said = describe(metadata, LAB, source="METADATA")
    assert said.requires_python == ">=3.9, <4"
    assert said.summary == "x" * 512
    assert said.license == ("Text of " + "y" * 2000)[:1024]
    assert [r.name for r in requirements(said.requires_dist)] == ["requests", "numpy"]


def test_the_license_expression_goes_before_the_license() -> None:
    metadata = core_metadata("lab-foo", "1.0", overrides={"License": "BSD"})
    assert describe(metadata, LAB, source="METADATA").license == "MIT"
    bare = describe(b"Metadata-Version: 1.0\nName: lab-foo\nVersion: 1.0\n", LAB, source="METADATA")
    assert (bare.license, bare.summary, bare.requires_python, bare.requires_dist) == (
        ("", "", None, "")
    )


@pytest.mark.parametrize(
    "metadata",
    [
        core_metadata("lab-bar", "1.0"),
        core_metadata("lab-foo", "1.1"),
        core_metadata("lab-foo", "one"),
        core_metadata("lab-foo", "1.0", overrides={"Name": None}),
        core_metadata("lab-foo", "1.0", overrides={"Version": None}),
        core_metadata("lab-foo", "1.0")[:20],
        b"Name: lab-foo\nName: lab-foo\nVersion: 1.0\n\n",
        b"",
        b"\xff\xfe\x00" * 50,
    ],
)
def test_metadata_of_something_else_are_refused(metadata: bytes) -> None:
    with pytest.raises(Unservable, match=r"the file name of 'lab-foo 1\.0'"):
        describe(metadata, LAB, source="METADATA")


def test_a_byte_order_mark_is_named() -> None:
    marked = codecs.BOM_UTF8 + b"Name: lab-foo\nVersion: 1.0\n"
    with pytest.raises(Unservable, match="byte order mark"):
        describe(marked, LAB, source="METADATA")
