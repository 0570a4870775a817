"""What a restriction opens, before it is set."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from packaging.requirements import Requirement

from entitlements_core.errors import InvalidValue, QuerySyntaxError
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.limits import Usage
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.previews import preview
from tests.policy.query.facts import wheel

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD = wheel(filename="demo-1.0-py3-none-any.whl", name="demo", version="1.0")
NEW = replace(
    wheel(filename="demo-2.0-py3-none-any.whl", name="demo", version="2.0"), uploaded_at=NOW
)
FILES = (OLD, NEW, wheel(filename="other-1.0-py3-none-any.whl", name="other", version="1.0"))


def token(query: str | None, updates_until: datetime | None = None) -> Token:
    return Token(
        name="Customer",
        identifier="abc",
        grants=(TokenGrant(repository="acme/prod", limit_package_query=query),),
        usage=Usage(since=NOW),
        created_at=NOW,
        updates_until=updates_until,
    )


def test_files_projects_and_warnings() -> None:
    found = preview("name:demo", FILES, now=NOW)
    assert found.files == (OLD.filename, NEW.filename)
    assert found.projects == ("demo",)
    assert len(found.warnings) == 1
    assert (found.added, found.removed) == (None, None)


@pytest.mark.parametrize("text", ["", "  "])
def test_a_blank_query_is_none(text: str) -> None:
    with pytest.raises(InvalidValue, match="is blank"):
        preview(text, FILES, now=NOW)
    assert len(preview("name:*", FILES, now=NOW).files) == 3


def test_a_change() -> None:
    found = preview(
        "version:>1", FILES, now=NOW, token=token("name:^demo$"), repository="acme/prod"
    )
    assert (found.added, found.removed) == ((), (OLD.filename,))


def test_a_freeze_holds_before_and_after() -> None:
    frozen = token("version:1.0", OLD.uploaded_at)
    found = preview("name:^demo$", FILES, now=NOW, token=frozen, repository="acme/prod")
    assert NEW.filename not in found.files
    assert found.added == ()


def test_a_token_that_opens_nothing_here() -> None:
    found = preview("name:*", FILES, now=NOW, token=token(None), repository="acme/other")
    assert found.added == found.files
    assert found.removed == ()


def test_what_is_no_query() -> None:
    with pytest.raises(QuerySyntaxError):
        preview("colour:red", FILES, now=NOW)


def needing(name: str, version: str, *requirements: str) -> FileFacts:
    return replace(
        wheel(filename=f"{name}-{version}-py3-none-any.whl", name=name, version=version),
        dependencies=tuple(map(Requirement, requirements)),
    )


def test_what_is_needed_and_hidden_is_told() -> None:
    files = (
        needing("app", "1.0", "gone>=1"),
        needing("app", "2.0", "Hidden_One>=1", "seen", "public", 'extra-one; extra == "x"'),
        needing("seen", "1.0", "hidden-two; python_version > '3'"),
        *(needing(name, "1.0") for name in ("hidden-one", "hidden-two", "extra-one", "gone")),
    )
    found = preview("name:^app$ OR name:^seen$", files, now=NOW)
    assert [text.partition(", which is yours")[0] for text in found.warnings] == [
        "app 2.0 needs hidden-one",
        "seen 1.0 needs hidden-two",
    ]
    assert preview("name:*", files, now=NOW).warnings == ()


def test_no_more_than_some_dependencies_are_named() -> None:
    hidden = [f"lib-{number}" for number in range(9)]
    files = (needing("app", "1.0", *hidden), *(needing(name, "1.0") for name in hidden))
    assert len(preview("name:^app$", files, now=NOW).warnings) == 5
