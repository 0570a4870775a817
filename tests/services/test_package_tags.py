"""Tags on packages: given, taken, recorded."""

from collections.abc import Iterable

import pytest

from entitlements_core.errors import InvalidValue, NotFound
from tests.actors import person
from tests.services.conftest import Product

MAIN = "acme/main"


def tagged(product: Product, repository: str = MAIN) -> dict[str, tuple[str, ...]]:
    return {str(one.package): one.tags for one in product.package_tags.all(repository)}


def tag(product: Product, package: str, *tags: str) -> tuple[str, ...]:
    return product.package_tags.add(MAIN, package, tags, actor=person()).tags


def untag(product: Product, package: str, *tags: str) -> tuple[str, ...]:
    return product.package_tags.remove(MAIN, package, tags, actor=person()).tags


def test_tags_come_and_go(product: Product) -> None:
    assert tag(product, "Demo", "supported") == ("supported",)
    assert tag(product, "demo==1.0", "LTS", "audited") == ("audited", "lts")
    assert tag(product, "demo == 1.0.0", "gold") == ("audited", "gold", "lts")
    assert tagged(product) == {"demo": ("supported",), "demo==1.0.0": ("audited", "gold", "lts")}
    assert tagged(product, "acme/extra") == {}
    assert untag(product, "demo==1", "lts", "Gold") == ("audited",)
    assert untag(product, "demo", "supported") == ()
    assert list(tagged(product).values()) == [("audited",)]


def test_the_tags_of_one_project(product: Product) -> None:
    for package in ("demo==2.0", "demo", "other"):
        tag(product, package, "a")
    found = product.package_tags.of(MAIN, "DEMO")
    assert [str(one.package) for one in found] == ["demo", "demo==2.0"]
    assert product.package_tags.of(MAIN, "third") == ()


def test_every_change_is_recorded_and_raises_the_revision(product: Product) -> None:
    tag(product, "demo==1.0", "a")
    before = product.repositories.show(MAIN).revision
    tag(product, "demo==1.0", "b", "a")
    untag(product, "demo==1.0", "a")
    assert product.repositories.show(MAIN).revision == before + 2
    entries = product.reports.audit(repository=MAIN).items
    assert [(one.action, one.actor) for one in entries[:3]] == [
        ("package.untagged", "vendor"),
        ("package.tagged", "vendor"),
        ("package.tagged", "vendor"),
    ]
    assert entries[1].before == {"package": "demo==1.0", "tags": ["a"]}
    assert entries[1].after == {"package": "demo==1.0", "tags": ["a", "b"]}
    assert entries[0].after == {"package": "demo==1.0", "tags": ["b"]}


def test_what_changes_nothing_is_not_recorded(product: Product) -> None:
    tag(product, "demo", "a")
    before = product.repositories.show(MAIN).revision
    count = product.reports.audit(repository=MAIN).total
    assert tag(product, "demo", "A") == ("a",)
    assert tag(product, "demo") == ("a",)
    assert product.repositories.show(MAIN).revision == before
    assert product.reports.audit(repository=MAIN).total == count


@pytest.mark.parametrize(
    ("package", "tags", "field"),
    [
        ("demo==one", ["a"], "package"),
        ("de mo", ["a"], "package"),
        ("demo", ["latest"], "tags"),
        ("demo", ["two words"], "tags"),
        ("demo", [f"t{number}" for number in range(51)], "tags"),
    ],
)
def test_what_cannot_be_said(product: Product, package: str, tags: list[str], field: str) -> None:
    for change in (product.package_tags.add, product.package_tags.remove):
        with pytest.raises(InvalidValue) as caught:
            change(MAIN, package, tags, actor=person())
        assert caught.value.field == field
    assert tagged(product) == {}


def _words(start: int, stop: int) -> Iterable[str]:
    return (f"tag{number}" for number in range(start, stop))


def test_a_package_has_only_so_many_tags_in_all(product: Product) -> None:
    tag(product, "demo", *_words(0, 30))
    with pytest.raises(InvalidValue, match="51 tags"):
        tag(product, "demo", *_words(30, 51))
    assert len(tag(product, "demo", *_words(30, 50))) == 50


def test_a_tag_that_is_not_there_is_not_taken(product: Product) -> None:
    tag(product, "demo", "all")
    with pytest.raises(NotFound, match=r"demo==1.0 in acme/main .* 'all'.*It has no tags"):
        untag(product, "demo==1.0", "all")
    with pytest.raises(NotFound, match=r"'other'.*It has all; `entitlements package tags demo`"):
        untag(product, "demo", "all", "other")
    assert tagged(product) == {"demo": ("all",)}


def test_a_repository_that_is_not_there(product: Product) -> None:
    service = product.package_tags
    for change in (service.add, service.remove):
        with pytest.raises(NotFound, match="acme/none"):
            change("acme/none", "demo", ["a"], actor=person())
    with pytest.raises(NotFound, match="acme/none"):
        service.all("acme/none")
    with pytest.raises(NotFound, match="acme/none"):
        service.of("acme/none", "demo")


def test_a_repository_that_is_added_again_begins_without_tags(product: Product) -> None:
    tag(product, "demo", "all")
    product.repositories.remove(MAIN, actor=person("admin"))
    product.repositories.add(MAIN, actor=person("admin"))
    assert tagged(product) == {}
