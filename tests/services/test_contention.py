"""Several at once: what must not happen twice, happens once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from entitlements_core.errors import EntitlementsError, Refused
from entitlements_core.store.database import Database
from tests.actors import person
from tests.services.conftest import Product

MAIN = "acme/main"


@pytest.fixture
def product(database_url: str) -> Iterator[Product]:
    """A product that waits for its turn as long as a real one would."""
    database = Database(database_url, lock_timeout_ms=20_000)
    product = Product(database)
    product.repositories.add(
        MAIN, actor=person("admin"), default_token=False, user_tokens_enabled=True
    )
    yield product
    database.close()


def _at_once(*actions: Callable[[], object]) -> list[object]:
    def outcome(action: Callable[[], object]) -> object:
        try:
            return action()
        except EntitlementsError as error:
            return error

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(outcome, actions))


def test_the_quota_is_never_passed(product: Product) -> None:
    product.quota = 3
    outcomes = _at_once(*[lambda: product.create("Acme") for _ in range(8)])
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 5
    assert product.tokens.list().total == 3


def test_a_user_who_asks_twice_at_once_gets_one_token(product: Product) -> None:
    product.permissions["ann", MAIN] = True
    outcomes = _at_once(*[lambda: product.users.get("ann", MAIN) for _ in range(6)])
    assert len({repr(outcome) for outcome in outcomes}) == 1


def test_a_repository_of_a_host_is_added_by_one_of_its_processes(product: Product) -> None:
    names = ["root/pypi", "root/dev", MAIN]
    outcomes = _at_once(*[lambda: product.repositories.ensure(names, actor=person("devpi"))] * 6)
    assert sorted(map(repr, outcomes)) == ["('root/dev', 'root/pypi')"] + ["()"] * 5
    assert product.reports.audit(repository="root/pypi").total == 1


def test_licence_revisions_are_numbered_one_after_the_other(product: Product) -> None:
    _at_once(
        *[lambda: product.eulas.add(MAIN, "Be kind.", actor=person("lawyer")) for _ in range(6)]
    )
    assert [found.number for found in product.eulas.all(MAIN)] == [6, 5, 4, 3, 2, 1]


def test_one_secret_goes_to_one_token(product: Product) -> None:
    outcomes = _at_once(
        *[lambda: product.create("Acme", secret="acme-corp-2026-license") for _ in range(6)]
    )
    assert sum(isinstance(outcome, EntitlementsError) for outcome in outcomes) == 5
    assert product.tokens.list().total == 1
