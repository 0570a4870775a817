"""Facts that only the store and plugins know, asked for where a query needs them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from entitlements_core import hookimpl
from entitlements_core.plugins import Plugins
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.package_tags import VendorTags
from entitlements_core.policy.query import PackageQuery
from entitlements_core.services.outside_facts import with_outside_facts
from tests.factories import REPOSITORY
from tests.policy.query.facts import wheel

OLD, NEW = wheel("demo", "1.0", tags=frozenset()), wheel("demo", "2.0")
FILES = (OLD, NEW, wheel("other"))


class Colours:
    """A plugin that knows one fact more."""

    @hookimpl
    def entitlements_file_facts(self, facts: FileFacts) -> dict[str, str]:
        return {"colour": "red" if facts is OLD else "blue"}


@dataclass
class Source:
    """A store that notes what it is asked."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    def downloads(self, repository: str) -> Mapping[str, int]:
        self.asked.append(("downloads", repository))
        return {OLD.filename: 7}

    def package_tags(self, repository: str) -> VendorTags:
        self.asked.append(("tags", repository))
        return VendorTags.of_rows([("demo", "1.0", "lts"), ("other", "", "beta")], state=1)


def completed(text: str | None, source: Source | None = None) -> tuple[FileFacts, ...]:
    query = None if text is None else PackageQuery.parse(text, extra_fields=["colour"])
    return with_outside_facts(
        FILES,
        query,
        repository=REPOSITORY,
        source=source or Source(),
        plugins=Plugins([Colours()], discover=False),
    )


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (None, []),
        ("name:^demo$ tag:^latest$", []),
        ("colour:red", []),
        ("tag:^lts$", [("tags", REPOSITORY)]),
        ("downloads:>1 OR tag:lts", [("downloads", REPOSITORY), ("tags", REPOSITORY)]),
    ],
)
def test_the_store_is_asked_once_for_what_is_needed(
    query: str | None, asked: list[tuple[str, str]]
) -> None:
    source = Source()
    completed(query, source)
    assert source.asked == asked


def test_nothing_is_added_that_is_not_needed() -> None:
    assert completed(None) == FILES
    assert completed("name:^demo$") == FILES


def test_downloads_tags_and_the_plugins_facts() -> None:
    assert [facts.downloads for facts in completed("downloads:>1")] == [7, 0, 0]
    assert [facts.extra["colour"] for facts in completed("colour:red")] == ["red", "blue", "blue"]
    assert [set(facts.tags) for facts in completed("tag:^lts$")] == [
        {"lts"},
        {"latest"},
        {"latest", "beta"},
    ]


def test_facts_to_which_nothing_is_added_are_not_copied() -> None:
    old, new, other = completed("tag:^lts$")
    assert new is NEW
    assert old is not OLD
    assert other is not FILES[2]
