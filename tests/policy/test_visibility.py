"""Views: pages and downloads ask the same question, and equal keys show equal pages."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from entitlements_core.policy.credential import Grant
from entitlements_core.policy.decide import covers
from entitlements_core.policy.query import Admits, PackageQuery
from entitlements_core.policy.visibility import Visibility, visibility
from tests.factories import NOW, REPOSITORY, credential
from tests.policy.query.facts import wheel

FOO = canonicalize_name("foo")


def seen(query: str | None = None, *, freeze: bool = False) -> Visibility:
    whose = credential(query, updates_until=NOW if freeze else None)
    return visibility(whose, whose.grants[0], NOW)


@pytest.mark.parametrize(
    ("query", "freeze", "admits", "names"),
    [
        (None, False, Admits.ALL, None),
        (None, True, Admits.SOME, None),
        ("name:^foo$", False, Admits.ALL, {"foo"}),
        ("name:^foo$", True, Admits.SOME, {"foo"}),
        ("name:^bar$", False, Admits.NONE, {"bar"}),
        ("name:^bar$", True, Admits.NONE, {"bar"}),
        ("version:>1", False, Admits.SOME, None),
    ],
)
def test_what_a_name_alone_says(
    query: str | None,
    freeze: bool,  # noqa: FBT001 - a column
    admits: Admits,
    names: set[str] | None,
) -> None:
    found = seen(query, freeze=freeze)
    assert found.admits(FOO) is admits
    assert found.names == names


@pytest.mark.parametrize(
    ("query", "freeze", "key"),
    [
        (None, False, (None, None)),
        (None, True, (None, NOW)),
        ("name:^foo$", False, ("name:^foo$", None)),
        ("uploaded:>2026-01-01", False, ("uploaded:>2026-01-01", None)),
        ("uploaded:>'1 month ago'", False, None),
        ("downloads:>5", False, None),
    ],
)
def test_only_what_stands_still_can_be_remembered(
    query: str | None,
    freeze: bool,  # noqa: FBT001 - a column
    key: object,
) -> None:
    assert seen(query, freeze=freeze).key == key


@pytest.mark.parametrize(
    ("query", "state", "key"),
    [
        ("tag:^stable$", None, None),
        ("tag:^stable$", 3, ("tag:^stable$", None, 3)),
        ("tag:^latest$", 3, ("tag:^latest$", None)),
        ("tag:^stable$ downloads:>5", 3, None),
        (None, 3, (None, None)),
    ],
)
def test_the_state_of_the_tags_is_remembered_where_they_are_read(
    query: str | None, state: object, key: object
) -> None:
    whose = credential(query)
    assert visibility(whose, whose.grants[0], NOW, tags_state=state).key == key


def test_a_plugins_field_is_never_remembered() -> None:
    query = PackageQuery.parse("edition:^pro$", extra_fields={"edition"})
    found = visibility(credential(), Grant(repository=REPOSITORY, restriction=query), NOW)
    assert found.key is None
    assert found.shows(wheel(extra={"edition": "pro"}))
    assert not found.shows(wheel())


@given(
    query=st.sampled_from([None, "name:^foo$", "version:>=2", "NOT tag:latest", "size:>5kB"]),
    freeze=st.booleans(),
    name=st.sampled_from(["foo", "foobar"]),
    version=st.sampled_from(["1.0", "2.0"]),
    hours=st.sampled_from([-1, 0, 1, None]),
)
def test_a_page_shows_what_a_download_opens(
    query: str | None,
    freeze: bool,  # noqa: FBT001 - of the strategy
    name: str,
    version: str,
    hours: int | None,
) -> None:
    whose = credential(query, updates_until=NOW if freeze else None)
    uploaded_at = None if hours is None else NOW + timedelta(hours=hours)
    facts = wheel(name, version, uploaded_at=uploaded_at)
    found = visibility(whose, whose.grants[0], NOW)
    assert found.shows(facts) is covers(whose, whose.grants[0], facts, NOW)
    verdict = found.admits(facts.name)
    assert verdict is not Admits.NONE or not found.shows(facts)
    assert verdict is not Admits.ALL or found.shows(facts)
