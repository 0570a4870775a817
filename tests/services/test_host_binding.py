"""Grants are bound to what the host has when they are made, and granted anew by command only."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest

from entitlements_core import hookimpl
from entitlements_core.errors import InvalidValue, NotFound, Refused
from entitlements_core.plugins import Plugins
from entitlements_core.policy.bases import Base, Unseen
from entitlements_core.policy.credential import Access
from entitlements_core.policy.token import Token, TokenGrant
from entitlements_core.services.host_binding import HostBinding
from entitlements_core.services.repositories import RepositoryService
from entitlements_core.services.sync import Sync
from entitlements_core.services.token_grants import TokenGrants
from entitlements_core.services.token_issuer import Issued
from entitlements_core.services.token_lifecycle import Lifecycle
from entitlements_core.services.user_tokens import UserTokens
from tests.actors import person
from tests.services.conftest import Product

MAIN, BETA = "acme/main", "acme/extra"


@dataclass(eq=False)  # pluggy keeps plugins by their hash
class Host:
    """A host whose repositories and users are made, deleted and made again."""

    marks: dict[str, str] = field(default_factory=lambda: {MAIN: "m1", BETA: "b1", "o/base": "o1"})
    accounts: dict[str, str] = field(default_factory=lambda: {"ann": "a1"})
    bases: dict[str, list[Base]] = field(default_factory=dict)

    @hookimpl
    def entitlements_mark(self, repository: str, user: str) -> str:
        mark = self.marks.get(repository, "")
        account = self.accounts.get(user, "")
        return mark if not user or not mark else f"{mark}-{account}" if account else ""

    @hookimpl
    def entitlements_bases(self, repository: str) -> Iterable[Base] | None:
        return self.bases.get(repository)


BASE = Base(name="o/base", mark="o1", named_by=frozenset({MAIN}), is_readable=True)


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def binding(host: Host) -> HostBinding:
    return HostBinding(Plugins([host], discover=False))


@dataclass
class Bound:
    """The services that make grants, with a host to ask."""

    product: Product
    binding: HostBinding

    @property
    def tokens(self) -> Lifecycle:
        return Lifecycle(self.product.operations, self.product.issuer, self.binding)

    @property
    def grants(self) -> TokenGrants:
        return TokenGrants(self.product.operations, self.product.issuer, self.binding)

    @property
    def users(self) -> UserTokens:
        product = self.product
        return UserTokens(product.operations, product.issuer, self.binding, lambda *_: True)

    @property
    def sync(self) -> Sync:
        return Sync(self.product.operations, self.binding)

    def make(self, *bases: str, name: str = "customer", **grant: object) -> Issued:
        named = frozenset((base, "") for base in bases)
        opened = TokenGrant(repository=MAIN, bases=named, **grant)  # type: ignore[arg-type] # any field
        return self.tokens.create(name, [opened], actor=person())

    def read(self, issued: Issued) -> Token:
        return self.tokens.read(issued.token.identifier)

    def grant(self, issued: Issued, repository: str = MAIN) -> TokenGrant:
        found = self.read(issued).grant_in(repository)
        assert found is not None
        return found


@pytest.fixture
def bound(product: Product, binding: HostBinding) -> Bound:
    return Bound(product, binding)


def test_a_grant_is_made_for_what_there_is(bound: Bound, host: Host) -> None:
    host.bases[MAIN] = [
        BASE,
        replace(BASE, name="o/closed", is_readable=False),
        replace(BASE, name="o/behind", named_by=frozenset({"o/closed"})),
    ]
    grant = bound.grant(bound.make())
    assert (grant.mark, grant.bases) == ("m1", frozenset({("o/base", "o1")}))
    host.bases = {}
    assert bound.grant(bound.make(BETA)).bases == {(BETA, "b1")}
    with pytest.raises(InvalidValue, match="no such repository"):
        bound.make("o/none")


def test_a_grant_for_what_is_not_there_is_made_with_a_warning(bound: Bound, host: Host) -> None:
    assert bound.make().warnings == ()
    del host.marks[MAIN]
    issued = bound.make(name="early")
    [warning] = issued.warnings
    assert warning.startswith("The host has no acme/main now")
    assert bound.binding.warnings(bound.grant(issued)) == (warning,)
    edited = bound.grants.grant(issued.token.identifier, MAIN, actor=person())
    assert edited.warnings == (warning,)


def test_without_a_host_nothing_is_bound_and_nothing_orphaned(product: Product) -> None:
    alone = Bound(product, HostBinding(Plugins(discover=False)))
    issued = alone.make()
    assert (alone.grant(issued).mark, alone.grant(issued).bases) == ("", frozenset())
    assert issued.warnings == ()
    assert alone.binding.orphaned(alone.read(issued)) == frozenset()
    assert alone.binding.orphaned(
        replace(issued.token, grants=(TokenGrant(repository=MAIN, mark="x"),))
    ) == (frozenset())
    assert alone.grants.adopt(actor=person("start")) == 0
    with pytest.raises(InvalidValue, match="no host with bases can be asked here"):
        alone.make(BETA)
    with pytest.raises(Refused, match="No host can be asked here"):
        alone.grants.renew_token(issued.token.identifier, actor=person())


def test_a_repository_that_was_made_again(bound: Bound, host: Host) -> None:
    host.bases[MAIN] = [BASE]
    issued = bound.make(limit_package_query="version:1", access=Access.WRITE)
    identifier = issued.token.identifier
    host.marks[MAIN], host.bases = "m2", {}
    assert bound.binding.orphaned(bound.read(issued)) == {MAIN}
    bound.tokens.edit(identifier, actor=person(), limit_package_query="version:2")
    assert bound.binding.orphaned(bound.read(issued)) == {MAIN}
    token = bound.grants.renew_token(identifier, actor=person())
    [grant] = token.grants
    assert (grant.mark, grant.bases) == ("m2", frozenset())  # what the old one showed is over
    assert (grant.limit_package_query, grant.access) == ("version:2", Access.WRITE)
    assert bound.product.changes[-1].action == "token.regranted"
    del host.marks[MAIN]
    assert bound.binding.orphaned(token) == {MAIN}
    with pytest.raises(Refused, match="does not have acme/main now"):
        bound.grants.renew_token(identifier, actor=person())


def test_of_the_same_repository_named_bases_are_kept(bound: Bound, host: Host) -> None:
    issued = bound.make(BETA)
    host.bases[MAIN] = [BASE]
    bound.grants.renew_token(issued.token.identifier, actor=person(), repository=MAIN)
    assert bound.grant(issued).bases == {("o/base", "o1"), (BETA, "b1")}
    edited = bound.tokens.edit(issued.token.identifier, actor=person(), bases=["o/base"])
    assert edited.token.grants[0].bases == {("o/base", "o1")}
    bound.tokens.edit(issued.token.identifier, actor=person(), bases=None)
    grant = bound.grant(issued)
    assert grant.bases == frozenset()
    assert bound.binding.unseen(grant) == {"o/base": Unseen.NOT_RECORDED}
    assert bound.binding.seen(grant) == frozenset()
    assert bound.binding.seen(grant, "ann") is None


def test_granting_once_more_is_granting_anew(bound: Bound, host: Host) -> None:
    issued = bound.make()
    host.marks[MAIN] = "m2"
    bound.grants.grant(issued.token.identifier, MAIN, actor=person())
    assert bound.grant(issued).mark == "m2"
    bound.grants.grant(issued.token.identifier, BETA, actor=person())
    assert bound.grant(issued, BETA).mark == "b1"


def test_what_is_deleted_or_unknown_is_not_granted_anew(bound: Bound) -> None:
    issued = bound.make()
    bound.tokens.delete(issued.token.identifier, actor=person())
    with pytest.raises(Refused, match="deleted"):
        bound.grants.renew_token(issued.token.identifier, actor=person())
    with pytest.raises(NotFound):
        bound.grants.renew_repository("acme/none", actor=person())
    assert bound.grants.renew_repository(MAIN, actor=person()) == ()


def test_the_first_use_binds(product: Product, bound: Bound, host: Host) -> None:
    issued = product.create()
    identifier, grants = issued.token.identifier, bound.grants
    assert grants.bind(identifier, BETA, "b1", actor=person("host")) is None
    assert grants.bind(identifier, MAIN, "m1", actor=person("host")) == "m1"
    assert grants.bind(identifier, MAIN, "m2", actor=person("host")) == "m1"
    other = product.create("other", MAIN, BETA)
    del host.marks[BETA]
    assert grants.adopt(actor=person("start")) == 1
    assert marks(bound, other) == ["", "m1"]  # it was made before what it opens
    # From before there were marks, it was made for what is gone.
    product.execute("UPDATE grants SET mark = NULL")
    assert grants.adopt(actor=person("start")) == 3
    assert marks(bound, other) == ["-", "m1"]
    entries = product.reports.audit(repository=BETA).items
    [entry] = [one for one in entries if one.after.get("mark") == "-"]
    assert (entry.action, entry.actor, entry.repository) == ("repository.bound", "start", BETA)
    assert entry.after["grants"] == 1
    host.marks[BETA] = "b2"
    assert bound.binding.orphaned(bound.read(other)) == {BETA}
    assert grants.adopt(actor=person("start")) == 0


def marks(bound: Bound, issued: Issued) -> list[str | None]:
    return [grant.mark for grant in bound.read(issued).grants]


def test_users_and_their_accounts(product: Product, bound: Bound, host: Host) -> None:
    host.bases[MAIN] = [BASE]
    product.repositories.edit(MAIN, actor=person(), user_tokens_enabled=True)
    first = bound.users.get("ann", MAIN)
    assert (bound.grant(first).mark, bound.grant(first).bases) == ("m1-a1", frozenset())
    assert bound.users.get("ann", MAIN).secret == first.secret
    host.accounts["ann"] = "a2"
    second = bound.users.get("ann", MAIN)
    assert second.secret != first.secret
    assert bound.users.get("ann", MAIN).secret == second.secret
    # Of a whole repository, users' tokens are left out.
    bound.grants.renew_repository(MAIN, actor=person())
    assert bound.grant(first).mark == "m1-a1"
    [lost] = bound.users.cleanup(actor=person(), dry_run=False)
    assert lost.identifier == first.token.identifier


def test_copies_are_bound_where_they_are(product: Product, bound: Bound, host: Host) -> None:
    lost = bound.make(name="lost")
    host.marks[MAIN] = "m2"
    host.bases[BETA] = [replace(BASE, named_by=frozenset({BETA}))]
    bound.make(name="living")
    product.repositories.edit(MAIN, actor=person(), user_tokens_enabled=True)
    bound.users.get("ann", MAIN)
    found = bound.sync.run(MAIN, BETA, actor=person(), dry_run=False)
    copies = {token.name: token.grant_in(BETA) for token in found.tokens}
    assert {name: one.mark for name, one in copies.items() if one} == {
        "lost": "-",
        "living": "b1",
        "ann": "b1-a1",
    } | dict.fromkeys(copies.keys() - {"lost", "living", "ann"}, "b1")
    assert copies["living"] is not None
    assert copies["living"].bases == {("o/base", "o1")}
    assert bound.binding.orphaned(bound.read(lost)) == {MAIN}


def test_a_default_token_is_bound_too(product: Product, bound: Bound, host: Host) -> None:
    host.marks["acme/new"] = "n1"
    service = RepositoryService(product.operations, product.issuer, bound.binding)
    added = service.add("acme/new", actor=person())
    assert added.default_token is not None
    assert bound.grant(added.default_token, "acme/new").mark == "n1"
