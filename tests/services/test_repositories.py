"""Repositories: added, edited, removed."""

import pytest

from entitlements_core.errors import Conflict, InvalidValue, NotFound, Refused
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.store.records import ListFilter
from tests.actors import person
from tests.policy.test_repository_name import IMPOSSIBLE
from tests.services.conftest import START, Product


def test_a_repository_is_born_with_a_default_token(product: Product) -> None:
    added = product.repositories.add(
        "acme/new", actor=person("admin"), description="New\nthings", contact="help@acme.example"
    )
    assert added.default_token is not None
    token = added.default_token.token
    assert (token.name, token.kind, token.state) == (
        "Default",
        CredentialKind.DEFAULT,
        State.ENABLED,
    )
    assert token.grants[0].is_default
    assert product.opens(added.default_token.secret, "acme/new") == token.identifier
    repository = product.repositories.show("acme/new")
    assert repository == added.repository
    assert (repository.owner, repository.description) == ("acme", "New\nthings")
    assert (repository.created_at, repository.created_by) == (START, "admin")
    assert not repository.user_tokens_enabled


def test_a_repository_can_be_added_without_a_token(product: Product) -> None:
    assert (
        product.repositories.add("a/b", actor=person("admin"), default_token=False).default_token
        is None
    )
    assert [found.name for found in product.repositories.all()] == [
        "a/b",
        "acme/extra",
        "acme/main",
    ]


def test_a_repository_is_added_once(product: Product) -> None:
    with pytest.raises(Conflict, match="acme/main"):
        product.repositories.add("acme/main", actor=person("admin"))
    with pytest.raises(NotFound, match="acme/none"):
        product.repositories.show("acme/none")


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_names_that_cannot_be(product: Product, name: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        product.repositories.add(name, actor=person("admin"))
    assert caught.value.field == "repository"


def test_missing_repositories_of_a_host_are_added(product: Product) -> None:
    names = ["acme/main", "root/pypi", "admin/prod", "root/pypi"]

    assert product.repositories.ensure(names, actor=person("devpi")) == ("admin/prod", "root/pypi")

    added = product.repositories.show("root/pypi")
    assert (added.created_at, added.created_by) == (START, "devpi")
    assert product.tokens.list(repository="root/pypi").total == 0
    [entry] = product.reports.audit(repository="admin/prod").items
    assert (entry.actor, entry.action) == ("devpi", "repository.added")


def test_repositories_that_are_there_are_left_alone(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.repositories.edit("acme/main", actor=person("admin"), contact="help@acme.example")
    monkeypatch.setattr(product.database, "begin", None)  # nothing is written

    assert product.repositories.ensure(["acme/main", "acme/extra"], actor=person("devpi")) == ()
    assert product.repositories.ensure([], actor=person("devpi")) == ()
    assert product.repositories.show("acme/main").contact == "help@acme.example"


def test_a_removed_repository_that_a_host_still_has_is_added_again(product: Product) -> None:
    issued = product.create("One")
    product.repositories.remove("acme/main", actor=person("admin"), force=True)

    assert product.repositories.ensure(["acme/main"], actor=person("devpi")) == ("acme/main",)

    assert product.opens(issued.secret, "acme/main") is None


def test_names_that_no_repository_can_have_are_logged_once(
    product: Product, caplog: pytest.LogCaptureFixture
) -> None:
    repositories = product.repositories
    names = ["-odd/index", "root/pypi", "ä/b", "nothing"]

    assert repositories.ensure(names, actor=person("devpi")) == ("root/pypi",)
    assert repositories.ensure(names, actor=person("devpi")) == ()

    logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == 3
    assert "'-odd/index' is no repository name" in logged[0]


def test_edit_raises_the_revision_and_is_recorded(product: Product) -> None:
    before = product.repositories.show("acme/main")
    after = product.repositories.edit(
        "acme/main", actor=person("admin"), contact="help@acme.example", user_tokens_enabled=True
    )
    assert (after.contact, after.user_tokens_enabled) == ("help@acme.example", True)
    assert after.revision > before.revision
    entry = product.reports.audit(repository="acme/main").items[0]
    assert entry.action == "repository.edited"
    assert entry.before == {"contact": "", "user_tokens_enabled": False}
    assert entry.after == {"contact": "help@acme.example", "user_tokens_enabled": True}
    with pytest.raises(InvalidValue, match="contact"):
        product.repositories.edit("acme/main", actor=person("admin"), contact="a\nb")


def test_a_licence_without_a_text_cannot_be_enforced(product: Product) -> None:
    with pytest.raises(Refused, match="no licence text"):
        product.repositories.edit("acme/main", actor=person("admin"), enforce_eula=True)
    with pytest.raises(Refused, match="no licence text"):
        product.repositories.add("acme/new", actor=person("admin"), enforce_eula=True)
    product.eulas.add("acme/main", "Be kind.", actor=person("admin"))
    assert product.repositories.edit(
        "acme/main", actor=person("admin"), enforce_eula=True
    ).enforce_eula


def test_remove_is_refused_while_there_are_living_tokens(product: Product) -> None:
    single = product.create("One").token
    shared = product.create("Two", "acme/main", "acme/extra")
    disabled = product.tokens.disable(product.create("Off").token.identifier, actor=person())
    with pytest.raises(Refused, match="3 living tokens"):
        product.repositories.remove("acme/main", actor=person("admin"))
    deleted = product.repositories.remove("acme/main", actor=person("admin"), force=True)
    assert [token.identifier for token in deleted] == [single.identifier, disabled.identifier]
    kept = product.tokens.read(shared.token.identifier)
    assert (kept.state, len(kept.grants)) == (State.ENABLED, 1)
    assert product.opens(shared.secret, "acme/extra") == shared.token.identifier
    assert [found.name for found in product.repositories.all()] == ["acme/extra"]
    with pytest.raises(NotFound):
        product.repositories.edit("acme/main", actor=person("admin"), contact="x")


def test_an_unused_default_token_goes_along_and_a_used_one_does_not(product: Product) -> None:
    for name in ("acme/unused", "acme/used"):
        product.repositories.add(name, actor=person("admin"))
    used = product.tokens.list(repository="acme/used").items[0]
    product.use(used)
    assert len(product.repositories.remove("acme/unused", actor=person("admin"))) == 1
    with pytest.raises(Refused, match="living"):
        product.repositories.remove("acme/used", actor=person("admin"))


def test_a_removed_repository_can_be_added_again_with_its_history(product: Product) -> None:
    old = product.repositories.add("acme/again", actor=person("admin"), contact="old")
    assert old.default_token is not None
    product.repositories.remove("acme/again", actor=person("admin"))
    product.clock.advance(days=1)
    new = product.repositories.add("acme/again", actor=person("other"))
    assert new.default_token is not None
    assert new.repository.contact == ""
    assert new.repository.created_at == product.clock.now
    assert new.repository.revision > old.repository.revision
    assert product.opens(old.default_token.secret, "acme/again") is None
    listed = product.tokens.list(
        repository="acme/again", list_filter=ListFilter(deleted=True)
    ).items
    assert {token.state for token in listed} == {State.ENABLED, State.DELETED}
    assert [token.grants[0].is_default for token in listed].count(True) == 1
