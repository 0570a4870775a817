"""Tokens of the host's users."""

import pytest

from entitlements_core.errors import InvalidValue, NotFound, Refused
from entitlements_core.policy.credential import CredentialKind, State
from tests.actors import person
from tests.services.conftest import Product

MAIN = "acme/main"


@pytest.fixture
def users(product: Product) -> Product:
    """A product with user tokens in ``acme/main``, which ann and bob may read."""
    product.repositories.edit(MAIN, actor=person("admin"), user_tokens_enabled=True)
    product.permissions.update({("ann", MAIN): True, ("bob", MAIN): True})
    return product


def test_a_permitted_user_gets_one_token(users: Product) -> None:
    first = users.users.get("ann", MAIN)
    token = first.token
    assert (token.kind, token.user, token.name) == (CredentialKind.USER, "ann", "ann")
    assert token.created_by == "ann"
    assert users.opens(first.secret, MAIN) == token.identifier
    again = users.users.get("ann", MAIN)
    assert again == first
    assert users.users.get("bob", MAIN).token.identifier != token.identifier


@pytest.mark.parametrize("answer", [False, None])
def test_no_or_unknown_permission_is_no(users: Product, answer: bool | None) -> None:  # noqa: FBT001 - a table's column
    users.permissions["eve", MAIN] = answer
    with pytest.raises(Refused, match="may not read"):
        users.users.get("eve", MAIN)
    assert users.users.cleanup(actor=person("admin")) == ()


def test_an_administrator_gets_a_users_token_unless_the_host_says_no(users: Product) -> None:
    users.permissions["eve", MAIN] = False
    with pytest.raises(Refused, match="may not read"):
        users.users.get("eve", MAIN, actor=person("admin"))
    users.permissions["eve", MAIN] = None
    made = users.users.get("eve", MAIN, actor=person("admin")).token
    assert (made.user, made.created_by) == ("eve", "admin")
    assert users.users.get("eve", MAIN, actor=person("other")).token == made
    with pytest.raises(Refused, match="may not read"):
        users.users.get("eve", MAIN)


def test_user_tokens_have_to_be_enabled(users: Product) -> None:
    users.permissions["ann", "acme/extra"] = True
    with pytest.raises(Refused, match="no user tokens"):
        users.users.get("ann", "acme/extra")
    with pytest.raises(NotFound):
        users.users.get("ann", "acme/none")


def test_a_user_without_a_name_gets_none(users: Product) -> None:
    users.permissions["", MAIN] = True
    with pytest.raises(InvalidValue):
        users.users.get("", MAIN)


def test_a_user_token_cannot_be_edited_but_all_else(users: Product) -> None:
    issued = users.users.get("ann", MAIN)
    identifier = issued.token.identifier
    for refused in (
        lambda: users.tokens.edit(identifier, actor=person("admin"), name="x"),
        lambda: users.grants.grant(identifier, "acme/extra", actor=person("admin")),
        lambda: users.grants.revoke(identifier, MAIN, actor=person("admin")),
        lambda: users.rotation.set_secret(
            identifier, "a-secret-of-their-own", actor=person("admin")
        ),
    ):
        with pytest.raises(Refused, match="user ann"):
            refused()
    refreshed = users.rotation.refresh(identifier, actor=person("ann"))
    assert users.opens(issued.secret, MAIN) is None
    assert users.users.get("ann", MAIN).secret == refreshed.secret
    users.tokens.disable(identifier, actor=person("admin"))
    assert users.users.get("ann", MAIN).token.state is State.DISABLED
    users.tokens.enable(identifier, actor=person("admin"))
    users.tokens.delete(identifier, actor=person("admin"))
    assert users.users.get("ann", MAIN).token.identifier != identifier


def test_a_secret_that_is_not_kept_is_shown_once(users: Product) -> None:
    users.seal = False
    assert users.users.get("ann", MAIN).secret is not None
    assert users.users.get("ann", MAIN).secret is None


def test_cleanup_deletes_only_what_the_host_denies(users: Product) -> None:
    lost = users.users.get("ann", MAIN).token
    unsure = users.users.get("bob", MAIN).token
    users.create("standard")
    users.permissions.update({("ann", MAIN): False, ("bob", MAIN): None})
    assert users.users.cleanup(actor=person("admin"), repository="acme/extra") == ()
    assert users.users.cleanup(actor=person("admin")) == (lost,)
    assert users.tokens.read(lost.identifier) == lost
    (deleted,) = users.users.cleanup(actor=person("admin"), repository=MAIN, dry_run=False)
    assert (deleted.identifier, deleted.state) == (lost.identifier, State.DELETED)
    assert users.tokens.read(unsure.identifier).state is State.ENABLED
    assert users.users.cleanup(actor=person("admin"), dry_run=False) == ()


def test_cleanup_passes_over_what_was_deleted_meanwhile(users: Product) -> None:
    token = users.users.get("ann", MAIN).token

    def deny_and_delete(user: str, repository: str) -> bool:
        users.tokens.delete(token.identifier, actor=person("somebody"))
        return False

    service = users.users
    service._may_read = deny_and_delete
    assert service.cleanup(actor=person("admin"), dry_run=False) == ()
