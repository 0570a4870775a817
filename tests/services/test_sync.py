"""One repository gets the tokens of another."""

from datetime import timedelta

import pytest

from entitlements_core.errors import Conflict, InvalidValue, NotFound, Refused
from entitlements_core.policy.credential import CredentialKind, State
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.sync_plan import Mode, SyncDifference
from entitlements_core.services.token_issuer import Issued
from tests.actors import person
from tests.services.conftest import Product

SOURCE, TARGET = "acme/source", "acme/target"
SECRET = "acme-corp-2026-license"


@pytest.fixture
def pair(product: Product) -> Product:
    """A product with a source and a target, each with its default token."""
    for name in (SOURCE, TARGET):
        product.repositories.add(name, actor=person("admin"), user_tokens_enabled=True)
    return product


def _run(product: Product, mode: Mode = "replace", *, dry_run: bool = False) -> SyncDifference:
    return product.sync.run(SOURCE, TARGET, actor=person("admin"), mode=mode, dry_run=dry_run)


def _default(product: Product, repository: str) -> Token:
    found = product.tokens.list(repository=repository).items
    return next(token for token in found if token.is_default)


def _names(tokens: tuple[Token, ...]) -> list[str]:
    return sorted(token.name for token in tokens)


def _restricted(product: Product, name: str, repository: str, **terms: object) -> Issued:
    grant = TokenGrant(repository=repository, limit_package_query="name:^demo$")
    return product.tokens.create(name, [grant], actor=person(), **terms)  # type: ignore[arg-type]  # any terms


def test_replace_copies_secrets_and_terms_under_new_identifiers(pair: Product) -> None:
    source = _restricted(pair, "Acme", SOURCE, limit_num_downloads=5, tags=["gold"])
    pair.use(source.token, downloads=3)
    disabled = pair.tokens.disable(pair.create("Off", SOURCE).token.identifier, actor=person())
    pair.permissions["ann", SOURCE] = True
    user = pair.users.get("ann", SOURCE)
    old = pair.create("Old", TARGET)
    difference = _run(pair)
    assert _names(difference.added) == ["Acme", "Off", "ann"]
    assert _names(difference.removed) == ["Old"]
    assert _names(difference.tokens) == ["Acme", "Default", "Off", "ann"]
    assert pair.opens(old.secret, TARGET) is None
    assert pair.tokens.read(old.token.identifier).state is State.DELETED
    copy = next(token for token in difference.tokens if token.name == "Acme")
    assert copy.identifier != source.token.identifier
    assert pair.opens(source.secret, TARGET) == copy.identifier
    assert pair.opens(source.secret, SOURCE) == source.token.identifier
    assert copy.terms == source.token.terms
    assert copy.grants[0].limit_package_query == "name:^demo$"
    assert copy.usage.downloads == 0
    assert pair.rotation.reveal(copy.identifier, actor=person()) == source.secret
    assert next(token for token in difference.tokens if token.user).kind is CredentialKind.USER
    assert pair.opens(user.secret, TARGET) is not None
    off = next(token for token in difference.tokens if token.name == "Off")
    assert off.state is disabled.state
    assert pair.tokens.read(source.token.identifier).usage.downloads == 3


def test_a_dry_run_tells_the_same_and_does_nothing(pair: Product) -> None:
    pair.create("New", SOURCE)
    kept = pair.create("Same", SOURCE, secret=SECRET)
    pair.create("Same", TARGET, secret=SECRET)
    pair.create("Changed", SOURCE, secret=SECRET + "2", limit_num_downloads=1)
    pair.create("Changed", TARGET, secret=SECRET + "2")
    pair.create("Old", TARGET)
    before = pair.tokens.list(repository=TARGET)
    dry = _run(pair, dry_run=True)
    assert pair.tokens.list(repository=TARGET) == before
    assert _names(dry.added) == ["New"]
    assert _names(dry.kept) == ["Same"]
    assert _names(dry.removed) == ["Old"]
    assert sorted(here.name for here, _ in dry.changed) == ["Changed", "Default"]
    assert dry.tokens == ()
    real = _run(pair)
    assert (real.added, real.changed, real.kept, real.removed) == (
        dry.added,
        dry.changed,
        dry.kept,
        dry.removed,
    )
    assert _names(real.tokens) == ["Changed", "Default", "New", "Same"]
    same = next(token for token in real.tokens if token.name == "Same")
    assert same.identifier not in {dry.kept[0].identifier, kept.token.identifier}


def test_merge_adds_and_updates_and_keeps_the_rest(pair: Product) -> None:
    new = pair.create("New", SOURCE)
    pair.create("Changed", SOURCE, secret=SECRET, limit_num_downloads=1)
    changed = pair.create("Other name", TARGET, secret=SECRET)
    pair.use(changed.token)
    old = pair.create("Old", TARGET)
    defaults = _default(pair, SOURCE), _default(pair, TARGET)
    difference = _run(pair, "merge")
    assert _names(difference.added) == ["New"]
    assert [there.identifier for _, there in difference.changed] == [changed.token.identifier]
    assert difference.removed == ()
    assert pair.opens(new.secret, TARGET) is not None
    assert pair.opens(old.secret, TARGET) == old.token.identifier
    updated = pair.tokens.read(changed.token.identifier)
    assert (updated.name, updated.limit_num_downloads) == ("Changed", 1)
    assert updated.usage.downloads == 1
    assert (_default(pair, SOURCE), _default(pair, TARGET)) == defaults
    again = _run(pair, "merge")
    assert (again.added, again.changed) == ((), ())
    assert _names(again.kept) == ["Changed", "New"]


def test_merge_keeps_a_users_own_token(pair: Product) -> None:
    pair.permissions.update({("ann", SOURCE): True, ("ann", TARGET): True})
    pair.users.get("ann", SOURCE)
    own = pair.users.get("ann", TARGET)
    assert _run(pair, "merge").added == ()
    assert pair.opens(own.secret, TARGET) == own.token.identifier


def test_replace_gives_the_default_token_the_secret_of_the_source(pair: Product) -> None:
    source, target = _default(pair, SOURCE), _default(pair, TARGET)
    secret = pair.rotation.reveal(source.identifier, actor=person())
    own = pair.rotation.reveal(target.identifier, actor=person())
    pair.tokens.edit(source.identifier, actor=person(), limit_num_downloads=9)
    pair.use(target)
    difference = _run(pair)
    (after,) = difference.tokens
    assert after.identifier == target.identifier
    assert after.is_default
    assert after.grants[0].is_default
    assert (after.limit_num_downloads, after.usage.downloads) == (9, 0)
    assert pair.opens(secret, TARGET) == target.identifier
    assert pair.opens(own, TARGET) is None
    assert pair.rotation.reveal(after.identifier, actor=person()) == secret


def test_replace_from_a_source_without_a_default_token_disables_it(pair: Product) -> None:
    target = _default(pair, TARGET)
    own = pair.rotation.reveal(target.identifier, actor=person())
    pair.create("Acme", "acme/main", secret=own)
    difference = pair.sync.run("acme/main", TARGET, actor=person("admin"), dry_run=False)
    assert _names(difference.removed) == ["Default"]
    after = pair.tokens.read(target.identifier)
    assert (after.state, after.revealable) == (State.DISABLED, False)
    assert pair.opens(own, TARGET) not in {None, target.identifier}
    again = pair.sync.run("acme/main", TARGET, actor=person("admin"), dry_run=False)
    assert _names(again.tokens) == ["Acme", "Default"]


def test_replace_into_a_repository_without_a_default_token_copies_it(pair: Product) -> None:
    difference = pair.sync.run(SOURCE, "acme/main", actor=person("admin"), dry_run=False)
    (copy,) = difference.tokens
    assert copy.is_default
    assert copy.grants[0].is_default


def test_a_secret_that_is_the_defaults_on_one_side_only(pair: Product) -> None:
    secret = pair.rotation.reveal(_default(pair, SOURCE).identifier, actor=person())
    other = pair.create("Same secret", TARGET, secret=secret)
    assert _run(pair, "merge").removed == ()
    assert pair.opens(secret, TARGET) == other.token.identifier
    difference = _run(pair)
    assert _names(difference.removed) == ["Same secret"]
    assert pair.opens(secret, TARGET) == _default(pair, TARGET).identifier


def test_a_shared_token_is_kept_and_a_wider_one_loses_only_the_target(pair: Product) -> None:
    shared = pair.create("Shared", SOURCE, TARGET)
    wider = pair.create("Wider", TARGET, "acme/main")
    difference = _run(pair)
    assert _names(difference.kept) == ["Shared"]
    assert pair.opens(shared.secret, TARGET) == shared.token.identifier
    assert pair.opens(wider.secret, TARGET) is None
    assert pair.opens(wider.secret, "acme/main") == wider.token.identifier


def test_overlapping_secrets_are_copied_too(pair: Product) -> None:
    first = pair.create("Acme", SOURCE)
    pair.rotation.refresh(first.token.identifier, actor=person(), overlap=timedelta(hours=1))
    _run(pair)
    assert pair.opens(first.secret, TARGET) is not None
    pair.clock.advance(hours=1)
    assert pair.opens(first.secret, TARGET) is None


def test_merge_refuses_a_previous_secret_that_is_in_use(pair: Product) -> None:
    source = pair.create("Acme", SOURCE, secret=SECRET)
    pair.rotation.refresh(source.token.identifier, actor=person(), overlap=timedelta(hours=1))
    pair.create("Other", TARGET, secret=SECRET)
    with pytest.raises(Conflict):
        _run(pair, "merge")
    assert _names(pair.tokens.list(repository=TARGET).items) == ["Default", "Other"]


def test_copies_count_on_the_quota_of_the_targets_owner(pair: Product) -> None:
    pair.repositories.add("other/target", actor=person("admin"), default_token=False)
    for number in range(3):
        pair.create(f"Acme {number}", SOURCE)
    pair.create("Sales", SOURCE, owner="sales")
    pair.quota = 2
    with pytest.raises(Refused, match="other would have 3"):
        pair.sync.run(SOURCE, "other/target", actor=person("admin"), dry_run=False)
    assert pair.tokens.list(repository="other/target").total == 0
    pair.quota = 3
    copied = pair.sync.run(SOURCE, "other/target", actor=person("admin"), dry_run=False).tokens
    assert {token.owner for token in copied} == {"other", "sales"}
    again = pair.sync.run(
        SOURCE, "other/target", actor=person("admin"), mode="merge", dry_run=False
    )
    assert len(again.kept) == 4


def test_what_cannot_be_synchronised(pair: Product) -> None:
    with pytest.raises(InvalidValue, match="itself"):
        pair.sync.run(SOURCE, SOURCE, actor=person("admin"))
    with pytest.raises(NotFound):
        pair.sync.run("acme/none", TARGET, actor=person("admin"))
    with pytest.raises(InvalidValue, match="mode"):
        pair.sync.run(SOURCE, TARGET, actor=person("admin"), mode="swap")  # type: ignore[arg-type]  # bad on purpose
