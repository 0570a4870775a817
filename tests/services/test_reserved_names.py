"""Names that are reserved: given, taken, recorded."""

import pytest

from entitlements_core.errors import InvalidValue, NotFound
from tests.actors import person
from tests.services.conftest import Product

MAIN = "acme/main"


def reserved(product: Product, repository: str = MAIN) -> list[str]:
    return list(map(str, product.reserved_names.of(repository)))


def test_names_come_and_go(product: Product) -> None:
    names = product.reserved_names
    assert list(map(str, names.add(MAIN, ["Tool", "acme-*"], actor=person()))) == ["acme-*", "tool"]
    names.add(MAIN, ["ACME_*", "b"], actor=person())
    assert reserved(product) == ["acme-*", "b", "tool"]
    assert reserved(product, "acme/extra") == []
    assert list(map(str, names.remove(MAIN, ["acme.*", "TOOL"], actor=person()))) == ["b"]
    assert reserved(product) == ["b"]


def test_every_change_is_recorded_and_no_other(product: Product) -> None:
    names = product.reserved_names
    names.add(MAIN, ["acme-*", "b"], actor=person())
    names.add(MAIN, ["b"], actor=person())
    names.add(MAIN, ["b", "c"], actor=person())
    names.remove(MAIN, ["acme-*"], actor=person())
    names.remove(MAIN, [], actor=person())
    found = product.reports.audit(repository=MAIN).items[:3]
    assert [(one.action, one.actor) for one in found] == [
        ("repository.unreserved", "vendor"),
        ("repository.reserved", "vendor"),
        ("repository.reserved", "vendor"),
    ]
    assert found[0].before == {"names": ["acme-*"]}
    assert found[1].after == {"names": ["c"]}
    assert found[2].after == {"names": ["acme-*", "b"]}


def test_what_is_refused_changes_nothing(product: Product) -> None:
    names = product.reserved_names
    names.add(MAIN, ["acme-*"], actor=person())
    with pytest.raises(InvalidValue, match="no project name"):
        names.add(MAIN, ["b", "*"], actor=person())
    with pytest.raises(NotFound, match=r"does not reserve acme-app.*acme-\*"):
        names.remove(MAIN, ["acme-*", "acme-app"], actor=person())
    with pytest.raises(InvalidValue, match="more than 1000"):
        names.add(MAIN, [f"n{number}" for number in range(1000)], actor=person())
    with pytest.raises(NotFound, match="no repository"):
        names.add("acme/none", ["b"], actor=person())
    assert reserved(product) == ["acme-*"]
    with pytest.raises(NotFound, match="It reserves nothing"):
        names.remove("acme/extra", ["b"], actor=person())
