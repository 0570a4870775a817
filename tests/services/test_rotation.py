"""A token's secret: set, refreshed, revealed."""

from datetime import timedelta

import pytest

from entitlements_core.errors import Conflict, InvalidValue, KeyFileError, NotFound, Refused
from entitlements_core.services.keyring import Keyring
from tests.actors import person
from tests.services.conftest import Product

SECRET = "acme-corp-2026-license"
MAIN, EXTRA = "acme/main", "acme/extra"


def test_a_set_secret_replaces_the_old_one_at_once(product: Product) -> None:
    issued = product.create("Acme", MAIN, EXTRA)
    identifier = issued.token.identifier
    after = product.rotation.set_secret(identifier, SECRET, actor=person())
    assert after.secret == SECRET
    assert after.token.revision > issued.token.revision
    for repository in (MAIN, EXTRA):
        assert product.opens(issued.secret, repository) is None
        assert product.opens(SECRET, repository) == identifier
    assert product.rotation.reveal(identifier, actor=person()) == SECRET
    again = product.rotation.set_secret(identifier, SECRET, actor=person())
    assert product.opens(again.secret, MAIN) == identifier


@pytest.mark.parametrize("secret", ["short", "x" * 49, "_begins-badly", "favicon.ico"])
def test_a_secret_that_breaks_the_rules_changes_nothing(product: Product, secret: str) -> None:
    issued = product.create()
    with pytest.raises(InvalidValue) as caught:
        product.rotation.set_secret(issued.token.identifier, secret, actor=person())
    assert secret not in str(caught.value)
    assert product.opens(issued.secret, MAIN) == issued.token.identifier


def test_a_secret_in_use_in_any_of_the_repositories_is_refused(product: Product) -> None:
    product.create("Other", EXTRA, secret=SECRET)
    issued = product.create("Acme", MAIN, EXTRA)
    with pytest.raises(Conflict) as caught:
        product.rotation.set_secret(issued.token.identifier, SECRET, actor=person())
    assert SECRET not in str(caught.value)
    assert product.opens(issued.secret, MAIN) == issued.token.identifier


def test_refresh_without_overlap_ends_all_earlier_secrets(product: Product) -> None:
    first = product.create()
    identifier = first.token.identifier
    second = product.rotation.refresh(identifier, actor=person(), overlap=timedelta(days=2))
    third = product.rotation.refresh(identifier, actor=person())
    assert product.opens(first.secret, MAIN) is None
    assert product.opens(second.secret, MAIN) is None
    assert product.opens(third.secret, MAIN) == identifier


def test_refresh_with_overlap_lets_the_old_secret_go_on_until_then(product: Product) -> None:
    first = product.create()
    identifier = first.token.identifier
    second = product.rotation.refresh(identifier, actor=person(), overlap=timedelta(hours=2))
    third = product.rotation.refresh(identifier, actor=person(), overlap=timedelta(hours=5))
    assert product.opens(first.secret, MAIN) == identifier
    product.clock.advance(hours=2)
    assert product.opens(first.secret, MAIN) is None
    assert product.opens(second.secret, MAIN) == identifier
    assert product.opens(third.secret, MAIN) == identifier
    product.clock.advance(hours=3)
    assert product.opens(second.secret, MAIN) is None
    product.rotation.refresh(identifier, actor=person(), overlap=timedelta(hours=1))
    assert product.opens(third.secret, MAIN) == identifier
    ((rows,),) = product.execute("SELECT count(*) FROM secrets")
    assert rows == 2


def test_a_granted_repository_opens_to_overlapping_secrets_too(product: Product) -> None:

    first = product.create()
    identifier = first.token.identifier
    product.rotation.refresh(identifier, actor=person(), overlap=timedelta(hours=2))
    product.grants.grant(identifier, EXTRA, actor=person())
    assert product.opens(first.secret, EXTRA) == identifier
    product.clock.advance(hours=2)
    assert product.opens(first.secret, EXTRA) is None


def test_a_secret_whose_time_has_passed_is_free_again(product: Product) -> None:
    first = product.create(secret=SECRET)
    product.rotation.refresh(first.token.identifier, actor=person(), overlap=timedelta(hours=1))
    with pytest.raises(Conflict):
        product.create("Next", secret=SECRET)
    product.clock.advance(hours=1)
    second = product.create("Next", secret=SECRET)
    assert product.opens(SECRET, MAIN) == second.token.identifier


def test_an_old_secret_can_be_made_the_current_one_again(product: Product) -> None:
    issued = product.create(secret=SECRET)
    identifier = issued.token.identifier
    product.rotation.refresh(identifier, actor=person(), overlap=timedelta(hours=1))
    product.rotation.set_secret(identifier, SECRET, actor=person())
    product.clock.advance(days=9)
    assert product.opens(SECRET, MAIN) == identifier


@pytest.mark.parametrize(
    "overlap", [timedelta(0), timedelta(seconds=-1), timedelta(days=367), timedelta.max]
)
def test_an_overlap_out_of_bounds(product: Product, overlap: timedelta) -> None:
    token = product.create().token
    with pytest.raises(InvalidValue) as caught:
        product.rotation.refresh(token.identifier, actor=person(), overlap=overlap)
    assert caught.value.field == "overlap"


def test_reveal_needs_a_kept_secret_and_the_right_key(product: Product) -> None:
    kept = product.create()
    assert product.rotation.reveal(kept.token.identifier, actor=person()) == kept.secret
    product.seal = False
    issued = product.create("Acme")
    assert issued.secret is not None
    assert not issued.token.revealable
    with pytest.raises(Refused, match="not kept"):
        product.rotation.reveal(issued.token.identifier, actor=person())
    product.seal = True
    refreshed = product.rotation.refresh(issued.token.identifier, actor=person())
    assert product.rotation.reveal(issued.token.identifier, actor=person()) == refreshed.secret
    product.keyring = Keyring(b"other" * 7)
    with pytest.raises(KeyFileError):
        product.rotation.reveal(issued.token.identifier, actor=person())


def test_a_token_in_another_repository_is_not_found(product: Product) -> None:
    token = product.create().token
    with pytest.raises(NotFound):
        product.rotation.refresh(token.identifier, actor=person(), repository=EXTRA)
