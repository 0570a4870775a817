"""Tags on packages in the store, on every database."""

from collections.abc import Callable

import pytest

from entitlements_core.errors import NotFound
from entitlements_core.policy.package_tags import Package
from entitlements_core.store.database import Database
from entitlements_core.store.unit_of_work import UnitOfWork
from tests.factories import REPOSITORY, add_repository

OTHER = "acme/beta"


@pytest.fixture
def filled(database: Database) -> Database:
    """Two repositories, one of them with tags."""
    add_repository(database)
    add_repository(database, OTHER)
    with database.begin() as unit:
        unit.package_tags.put(OTHER, Package.parse("demo"), ["other"])
        for package, tags in [
            ("demo==10.0", ["b"]),
            ("zoo", ["z"]),
            ("demo==9.0", ["a", "c", "b"]),
            ("demo", ["all"]),
            ("acme==1", ["x"]),
        ]:
            unit.package_tags.put(REPOSITORY, Package.parse(package), tags)
    return database


def tagged(database: Database, repository: str = REPOSITORY, project: str = "") -> dict[str, str]:
    with database.read() as unit:
        found = unit.package_tags.all(repository, project)
    return {str(one.package): " ".join(one.tags) for one in found}


def test_tags_are_listed_by_project_and_version(filled: Database) -> None:
    expected = {"acme==1": "x", "demo": "all", "demo==9.0": "a b c", "demo==10.0": "b", "zoo": "z"}
    assert list(tagged(filled).items()) == list(expected.items())
    assert list(tagged(filled, project="demo")) == ["demo", "demo==9.0", "demo==10.0"]
    assert tagged(filled, OTHER) == {"demo": "other"}
    assert tagged(filled, project="none") == {}


def test_a_package_has_the_tags_of_itself_alone(filled: Database) -> None:
    with filled.read() as unit:
        assert unit.package_tags.get(REPOSITORY, Package.parse("demo==9")) == ("a", "b", "c")
        assert unit.package_tags.get(REPOSITORY, Package.parse("demo")) == ("all",)
        assert unit.package_tags.get(REPOSITORY, Package.parse("demo==9.1")) == ()


def test_versions_that_are_equal_are_one_package(filled: Database) -> None:
    with filled.begin() as unit:
        unit.package_tags.put(REPOSITORY, Package.parse("demo==9"), ["a", "new"])
    found = tagged(filled, project="demo")
    assert found == {"demo": "all", "demo==9": "a new", "demo==10.0": "b"}


@pytest.mark.parametrize(
    "change",
    [
        lambda unit: unit.package_tags.put(REPOSITORY, Package.parse("demo"), []),
        lambda unit: unit.package_tags.put(REPOSITORY, Package.parse("new"), ["a"]),
        lambda unit: unit.package_tags.drop(REPOSITORY),
    ],
)
def test_every_change_raises_the_revision(
    filled: Database, change: Callable[[UnitOfWork], object]
) -> None:
    with filled.begin() as unit:
        before = unit.repositories.get(REPOSITORY).revision
        other = unit.repositories.get(OTHER).revision
        change(unit)
    with filled.read() as unit:
        assert unit.repositories.get(REPOSITORY).revision > before
        assert unit.repositories.get(OTHER).revision == other


def test_dropping_leaves_the_tags_of_others(filled: Database) -> None:
    with filled.begin() as unit:
        unit.package_tags.drop(REPOSITORY)
    assert tagged(filled) == {}
    assert tagged(filled, OTHER) == {"demo": "other"}


@pytest.mark.parametrize(
    "use",
    [
        lambda unit: unit.package_tags.all("acme/none"),
        lambda unit: unit.package_tags.put("acme/none", Package.parse("demo"), ["a"]),
        lambda unit: unit.package_tags.drop("acme/none"),
    ],
)
def test_packages_of_no_repository(filled: Database, use: Callable[[UnitOfWork], object]) -> None:
    with pytest.raises(NotFound), filled.begin() as unit:
        use(unit)
