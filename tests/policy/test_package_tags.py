"""Tags on packages: how a package is named, which tags there can be, and which a file has."""

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.package_tags import Package, VendorTags, check_package_tags


@pytest.mark.parametrize(
    ("text", "project", "version", "shown"),
    [
        ("demo", "demo", None, "demo"),
        ("Acme_Client", "acme-client", None, "acme-client"),
        ("demo==1.0", "demo", "1.0", "demo==1.0"),
        (" demo == v1.0.RC1 ", "demo", "1.0rc1", "demo==1.0rc1"),
        ("demo==1!2.0+local.1", "demo", "1!2.0+local.1", "demo==1!2.0+local.1"),
    ],
)
def test_a_package_is_named(text: str, project: str, version: str | None, shown: str) -> None:
    found = Package.parse(text)
    assert found == Package(
        canonicalize_name(project), None if version is None else Version(version)
    )
    assert str(found) == shown


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is no name"),
        ("==1.0", "'' is no name"),
        ("demo>=1.0", "'demo>=1.0' is no name"),
        ("demo[extra]", "is no name"),
        ("-demo", "is no name"),
        ("demo==", "'' is no version"),
        ("demo===1.0", "'=1.0' is no version"),
        ("demo==1.*", r"'1\.\*' is no version"),
        ("demo==one", "'one' is no version"),
    ],
)
def test_what_names_no_package(text: str, problem: str) -> None:
    with pytest.raises(InvalidValue, match=problem) as caught:
        Package.parse(text)
    assert caught.value.field == "package"
    assert "acme-client==1.2" in caught.value.remedy


def test_tags_are_kept_in_one_spelling() -> None:
    assert check_package_tags(["Stable", "lts", "stable"]) == ("lts", "stable")
    assert check_package_tags([]) == ()


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        (["latest"], "The tag latest is reserved"),
        (["stable", "LATEST"], "The tag latest is reserved"),
        ([""], "is empty"),
        (["two words"], "holds a space"),
        (["x" * 65], "65 characters"),
        (["a\x00b"], "control character"),
        ("stable", "one text, not a list"),
    ],
)
def test_tags_that_cannot_be(tags: list[str], problem: str) -> None:
    with pytest.raises(InvalidValue, match=problem) as caught:
        check_package_tags(tags)
    assert caught.value.field == "tags"


ROWS = [
    ("demo", "", "supported"),
    ("demo", "1.0", "lts"),
    ("demo", "1.0", "audited"),
    ("other", "2.0rc1", "beta"),
]


@pytest.mark.parametrize(
    ("project", "version", "tags"),
    [
        ("demo", "1.0", {"supported", "lts", "audited"}),
        ("demo", "1.0.0", {"supported", "lts", "audited"}),
        ("demo", "1", {"supported", "lts", "audited"}),
        ("demo", "1.0+local", {"supported"}),
        ("demo", "1.0.post1", {"supported"}),
        ("demo", "9", {"supported"}),
        ("other", "2.0rc1", {"beta"}),
        ("other", "2.0", set()),
        ("third", "1.0", set()),
    ],
)
def test_which_tags_a_file_has(project: str, version: str, tags: set[str]) -> None:
    found = VendorTags.of_rows(ROWS, state=7)
    assert found.of(canonicalize_name(project), Version(version)) == tags
    assert found.state == 7


def test_without_rows_there_are_no_tags() -> None:
    assert VendorTags().of(canonicalize_name("demo"), Version("1.0")) == frozenset()


def test_a_stored_version_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="one"):
        VendorTags.of_rows([("demo", "one", "lts")], state=1)
