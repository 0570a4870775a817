"""What a vendor does with tokens."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from entitlements_core.errors import (
    Conflict,
    InvalidValue,
    NotFound,
    QuerySyntaxError,
    Refused,
)
from entitlements_core.policy.credential import Access, CredentialKind, State
from entitlements_core.policy.limits import Usage
from entitlements_core.policy.token import Status, TokenGrant
from entitlements_core.services.operations import Operations
from entitlements_core.services.token_issuer import Issued
from entitlements_core.services.token_lifecycle import Lifecycle
from entitlements_core.store.database import Database
from entitlements_core.store.records import ListFilter
from tests.actors import person
from tests.services.conftest import START, Product

SECRET = "acme-corp-2026-license"
WHOLE = {
    "owner": "sales",
    "limit_num_downloads": 10,
    "limit_num_clients": 0,
    "limit_bandwidth": 5,
    "limit_bandwidth_unit": "GB",
    "scheduled_reset_period": "monthly",
    "scheduled_reset_at": datetime(2026, 1, 31, tzinfo=UTC),
    "limit_date_range_from": datetime(2026, 1, 1, tzinfo=UTC),
    "limit_date_range_to": datetime(2027, 1, 1, tzinfo=UTC),
    "updates_until": datetime(2026, 6, 1, tzinfo=UTC),
    "allow_networks": ["203.0.113.7/24"],
    "deny_networks": ["203.0.113.128/25"],
    "tags": ["gold", "emea", "gold"],
    "metadata": {"plan": {"seats": 5}},
    "eula_required": True,
    "access_private_broadcasts": True,
}


def test_create_keeps_every_field(product: Product) -> None:
    issued = product.create("Acme", **WHOLE)
    token = product.tokens.read(issued.token.identifier, repository="acme/main")
    assert token == issued.token
    assert (token.name, token.owner, token.kind) == ("Acme", "sales", CredentialKind.STANDARD)
    assert (token.limit_num_downloads, token.limit_num_clients) == (10, 0)
    assert (token.limit_bandwidth, token.limit_bandwidth_unit) == (5, "Gigabyte")
    assert token.limits.bandwidth == 5_000_000_000
    assert token.scheduled_reset_period == "Monthly"
    assert token.next_reset(START) == datetime(2026, 2, 28, tzinfo=UTC)
    assert token.allow_networks == ("203.0.113.0/24",)
    assert token.tags == ("emea", "gold")
    assert token.metadata == {"plan": {"seats": 5}}
    assert token.usage == Usage(since=START)
    assert (token.created_at, token.created_by) == (START, "vendor")
    assert len(token.identifier) == 12
    assert token.revealable
    assert issued.secret is not None
    assert issued.secret.startswith("ent_")
    assert issued.secret not in repr(issued)
    assert product.opens(issued.secret, "acme/main") == token.identifier


def test_the_owner_is_the_repositorys_unless_named(product: Product) -> None:
    assert product.create().token.owner == "acme"


def test_a_token_opens_several_repositories_with_a_restriction_each(product: Product) -> None:
    issued = product.tokens.create(
        "Acme",
        [
            TokenGrant(repository="acme/main", limit_package_query="name:^demo$"),
            TokenGrant(
                repository="acme/extra", access=Access.WRITE, limit_package_query="name:tool"
            ),
        ],
        actor=person(),
    )
    extra, main = issued.token.grants
    assert (main.repository, main.access, main.limit_package_query) == (
        "acme/main",
        Access.READ,
        "name:^demo$",
    )
    assert (extra.access, extra.limit_package_query) == (Access.WRITE, "name:tool")
    assert len(issued.warnings) == 1
    assert product.opens(issued.secret, "acme/main") == issued.token.identifier
    assert product.opens(issued.secret, "acme/extra") == issued.token.identifier


def test_a_custom_secret_may_be_used_once_in_a_repository(product: Product) -> None:
    first = product.create(secret=SECRET)
    assert first.secret == SECRET
    assert first.warnings == ()
    with pytest.raises(Conflict) as caught:
        product.create("Other", secret=SECRET)
    assert SECRET not in str(caught.value)
    assert "acme/main" in str(caught.value)
    second = product.create("Other", "acme/extra", secret=SECRET)
    assert product.opens(SECRET, "acme/main") == first.token.identifier
    assert product.opens(SECRET, "acme/extra") == second.token.identifier


def test_a_weak_custom_secret_is_warned_of(product: Product) -> None:
    issued = product.create(secret="acme-corp")
    assert "9 characters" in issued.warnings[0]
    assert "acme-corp" not in issued.warnings[0]


@pytest.mark.parametrize(
    "secret", ["short", "x" * 49, "-begins-badly", "has a space", "packages", "ünïcode-secret"]
)
def test_a_custom_secret_that_breaks_the_rules(product: Product, secret: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        product.create(secret=secret)
    assert caught.value.field == "token"
    assert f"{secret!r}" not in str(caught.value)
    assert product.tokens.list().total == 0


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("limit_num_downloads", {"limit_num_downloads": -1}),
        ("limit_num_clients", {"limit_num_clients": 2**63}),
        ("limit_bandwidth", {"limit_bandwidth": -5}),
        ("limit_bandwidth", {"limit_bandwidth": 1, "limit_bandwidth_unit": "Yottabyte"}),
        ("limit_bandwidth_unit", {"limit_bandwidth_unit": "Gibibyte"}),
        ("scheduled_reset_period", {"scheduled_reset_period": "Hourly"}),
        ("limit_date_range_from", {"limit_date_range_from": datetime(2026, 1, 1)}),  # noqa: DTZ001 - naive on purpose
        ("updates_until", {"updates_until": datetime(2026, 1, 1)}),  # noqa: DTZ001 - naive on purpose
        (
            "limit_date_range_to",
            {"limit_date_range_from": START, "limit_date_range_to": START},
        ),
        ("networks", {"allow_networks": ["193.5.0.1/92"]}),
        ("allow_networks", {"allow_networks": "10.0.0.0/8"}),
        ("metadata", {"metadata": ["no", "object"]}),
        ("metadata", {"metadata": {"long": "x" * 16 * 1024}}),
        ("tags", {"tags": "gold"}),
        ("tags", {"tags": ["two words"]}),
        ("name", {"name": " "}),
        ("name", {"name": "x" * 256}),
        ("name", {"name": "bell\a"}),
    ],
)
def test_terms_that_do_not_fit(product: Product, field: str, terms: dict[str, object]) -> None:
    created = product.create().token
    with pytest.raises(InvalidValue) as caught:
        product.tokens.edit(created.identifier, actor=person(), **terms)  # type: ignore[arg-type]  # bad on purpose
    assert caught.value.field == field
    assert product.tokens.read(created.identifier) == created


def test_metadata_that_is_too_deep(product: Product) -> None:
    deep: dict[str, object] = {}
    for _ in range(40):
        deep = {"deeper": deep}
    with pytest.raises(InvalidValue, match="nested deeper"):
        product.create(metadata=deep)


@pytest.mark.parametrize("query", ["name:(", "nonsense:1", "x" * 1025])
def test_a_restriction_that_is_no_query(product: Product, query: str) -> None:
    with pytest.raises(InvalidValue):
        product.tokens.create(
            "Acme",
            [TokenGrant(repository="acme/main", limit_package_query=query)],
            actor=person(),
        )


@pytest.mark.parametrize(
    "grants",
    [
        [],
        [TokenGrant(repository="acme/main"), TokenGrant(repository="acme/main")],
        [TokenGrant(repository="acme/main", access="w")],  # type: ignore[arg-type]  # bad on purpose
    ],
)
def test_grants_that_do_not_fit(product: Product, grants: list[TokenGrant]) -> None:
    with pytest.raises(InvalidValue):
        product.tokens.create("Acme", grants, actor=person())


def test_what_is_not_there(product: Product) -> None:
    with pytest.raises(NotFound, match="acme/none"):
        product.create("Acme", "acme/none")
    with pytest.raises(NotFound, match="nobody"):
        product.tokens.read("nobody")
    token = product.create().token
    with pytest.raises(NotFound, match="acme/extra"):
        product.tokens.disable(token.identifier, actor=person(), repository="acme/extra")


def test_an_actor_is_always_named(product: Product) -> None:
    with pytest.raises(InvalidValue, match="actor"):
        product.tokens.create("Acme", [TokenGrant(repository="acme/main")], actor=person(" "))


def test_edit_changes_only_what_is_named_and_none_clears(product: Product) -> None:
    before = product.create("Acme", **WHOLE).token
    product.clock.advance(hours=1)
    after = product.tokens.edit(
        before.identifier,
        actor=person("other"),
        name="Acme Ltd",
        limit_num_downloads=0,
        limit_num_clients=None,
        limit_date_range_to=None,
        tags=None,
        metadata=None,
        allow_networks=["2001:db8::/32"],
        limit_package_query="name:demo",
        access=Access.WRITE,
    )
    token = after.token
    assert (token.name, token.limit_num_downloads, token.limit_num_clients) == ("Acme Ltd", 0, None)
    assert (token.limit_date_range_to, token.tags, token.metadata) == (None, (), {})
    assert token.deny_networks == before.deny_networks
    assert token.allow_networks == ("2001:db8::/32",)
    assert token.grants[0].limit_package_query == "name:demo"
    assert token.grants[0].access is Access.WRITE
    assert len(after.warnings) == 1
    assert token.revision > before.revision
    assert (token.updated_at, token.updated_by) == (product.clock.now, "other")
    assert (token.created_at, token.created_by) == (START, "vendor")
    cleared = product.tokens.edit(token.identifier, actor=person("other"), limit_package_query=None)
    assert cleared.token.grants[0].limit_package_query is None
    assert cleared.token.grants[0].access is Access.WRITE


def test_a_cleared_anchor_begins_now_and_a_cleared_owner_is_the_repositorys(
    product: Product,
) -> None:
    token = product.create("Acme", **WHOLE).token
    product.clock.advance(days=3)
    edited = product.tokens.edit(
        token.identifier, actor=person(), scheduled_reset_at=None, owner=None
    ).token
    assert edited.schedule.anchor == product.clock.now
    assert edited.owner == "acme"


def test_edit_of_one_grant_of_several_says_which(product: Product) -> None:
    token = product.create("Acme", "acme/main", "acme/extra").token
    with pytest.raises(InvalidValue, match="2 repositories"):
        product.tokens.edit(token.identifier, actor=person(), limit_package_query="name:^demo$")
    edited = product.tokens.edit(
        token.identifier,
        actor=person(),
        repository="acme/extra",
        limit_package_query="name:^demo$",
    ).token
    extra, main = edited.grants
    assert (extra.limit_package_query, main.limit_package_query) == ("name:^demo$", None)


def test_edit_switches_in_the_same_step(product: Product) -> None:
    token = product.create().token
    edited = product.tokens.edit(token.identifier, actor=person(), name="Off", enabled=False).token
    assert (edited.name, edited.state) == ("Off", State.DISABLED)
    assert product.tokens.edit(token.identifier, actor=person(), enabled=True).token.state == (
        State.ENABLED
    )


def test_disable_and_enable_keep_the_secret(product: Product) -> None:
    issued = product.create()
    identifier = issued.token.identifier
    disabled = product.tokens.disable(identifier, actor=person())
    assert disabled.state is State.DISABLED
    assert disabled.revision > issued.token.revision
    assert product.opens(issued.secret, "acme/main") == identifier
    assert product.tokens.disable(identifier, actor=person()) == disabled
    assert product.tokens.enable(identifier, actor=person()).state is State.ENABLED


def test_delete_is_soft_and_final(product: Product) -> None:
    issued = product.create("Acme", "acme/main", "acme/extra", secret=SECRET)
    identifier = issued.token.identifier
    deleted = product.tokens.delete(identifier, actor=person())
    assert (deleted.state, deleted.deleted_at, deleted.deleted_by) == (
        State.DELETED,
        START,
        "vendor",
    )
    assert not deleted.revealable
    assert product.opens(SECRET, "acme/main") is None
    assert product.opens(SECRET, "acme/extra") is None
    assert product.tokens.read(identifier) == deleted
    tokens = product.tokens
    for again in (
        lambda: tokens.enable(identifier, actor=person()),
        lambda: tokens.disable(identifier, actor=person()),
        lambda: tokens.delete(identifier, actor=person()),
        lambda: tokens.reset(identifier, actor=person()),
        lambda: tokens.edit(identifier, actor=person(), name="Back"),
        lambda: product.grants.grant(identifier, "acme/main", actor=person()),
        lambda: product.rotation.refresh(identifier, actor=person()),
        lambda: product.rotation.reveal(identifier, actor=person()),
    ):
        with pytest.raises(Refused, match="final"):
            again()
    assert product.create("Next", secret=SECRET).secret == SECRET


def test_the_default_token_is_not_deleted_but_all_else(product: Product) -> None:
    added = product.repositories.add("acme/new", actor=person("admin"))
    assert added.default_token is not None
    identifier = added.default_token.token.identifier
    with pytest.raises(Refused, match="default token of acme/new"):
        product.tokens.delete(identifier, actor=person())
    with pytest.raises(Refused, match="opens only that"):
        product.grants.grant(identifier, "acme/main", actor=person())
    product.grants.grant(identifier, "acme/new", actor=person(), limit_package_query="name:^demo$")
    product.tokens.edit(identifier, actor=person(), limit_num_downloads=3)
    token = product.tokens.disable(identifier, actor=person())
    assert token.is_default
    assert token.grants[0].is_default
    assert token.grants[0].limit_package_query == "name:^demo$"
    assert product.rotation.refresh(identifier, actor=person()).secret is not None


def test_reset_zeroes_all_counters_even_at_the_same_instant(product: Product) -> None:
    token = product.create(limit_num_downloads=3).token
    product.use(token, downloads=3)
    used = product.tokens.read(token.identifier)
    assert used.status(START) is Status.LIMITED
    assert used.last_used_at == START
    reset = product.tokens.reset(token.identifier, actor=person())
    assert (reset.usage.downloads, reset.usage.clients, reset.usage.bandwidth) == (0, 0, 0)
    assert reset.status(START) is Status.ENABLED
    assert reset.revision > used.revision
    (client,) = product.reports.clients(token.identifier)
    assert client.client == "192.0.2.1"
    assert not client.counts
    product.clock.advance(days=1)
    later = product.tokens.reset(token.identifier, actor=person())
    assert later.usage == Usage(since=product.clock.now)


def test_grant_and_revoke_a_further_repository(product: Product) -> None:
    issued = product.create()
    identifier = issued.token.identifier
    granted = product.grants.grant(
        identifier, "acme/extra", actor=person(), limit_package_query="name:demo"
    )
    assert [grant.repository for grant in granted.token.grants] == ["acme/extra", "acme/main"]
    assert len(granted.warnings) == 1
    assert product.opens(issued.secret, "acme/extra") == identifier
    revoked = product.grants.revoke(identifier, "acme/extra", actor=person())
    assert [grant.repository for grant in revoked.grants] == ["acme/main"]
    assert product.opens(issued.secret, "acme/extra") is None
    assert product.opens(issued.secret, "acme/main") == identifier
    assert revoked.revealable
    with pytest.raises(Refused, match="only acme/main"):
        product.grants.revoke(identifier, "acme/main", actor=person())
    with pytest.raises(NotFound):
        product.grants.grant(identifier, "acme/none", actor=person())


def test_a_grant_leaves_what_is_not_named(product: Product) -> None:
    identifier = product.create().token.identifier

    def opened(**changes: Any) -> tuple[str, str | None]:  # noqa: ANN401 - any field
        edited = product.grants.grant(identifier, "acme/extra", actor=person(), **changes)
        grant = edited.token.grant_in("acme/extra")
        assert grant is not None
        return grant.access.value, grant.limit_package_query

    assert opened(limit_package_query="name:^demo$") == ("r", "name:^demo$")
    assert opened(access="rw") == ("rw", "name:^demo$")
    assert opened(limit_package_query=None) == ("rw", None)
    assert opened() == ("rw", None)
    # A restriction that is misspelt is not one that is left out.
    with pytest.raises(InvalidValue, match="limit_query is no field"):
        opened(limit_query="name:^demo$")


def test_a_grant_cannot_collide_with_a_secret_in_use(product: Product) -> None:
    product.create("Other", "acme/extra", secret=SECRET)
    token = product.create(secret=SECRET).token
    with pytest.raises(Conflict):
        product.grants.grant(token.identifier, "acme/extra", actor=person())
    assert len(product.tokens.read(token.identifier).grants) == 1


def test_the_quota_counts_enabled_standard_tokens(product: Product) -> None:
    product.quota = 2
    first = product.create("One").token
    second = product.create("Two").token
    product.create("Off", enabled=False)
    with pytest.raises(Refused, match="quota of 2"):
        product.create("Three")
    product.create("Elsewhere", owner="other")
    product.tokens.disable(first.identifier, actor=person())
    product.create("Three")
    with pytest.raises(Refused, match="quota"):
        product.tokens.enable(first.identifier, actor=person())
    with pytest.raises(Refused, match="quota"):
        product.tokens.edit(first.identifier, actor=person(), enabled=True)
    product.tokens.delete(second.identifier, actor=person())
    assert product.tokens.enable(first.identifier, actor=person()).state is State.ENABLED
    product.quota = 1
    assert product.tokens.edit(first.identifier, actor=person(), name="Still").token.name == "Still"
    product.repositories.add("acme/defaults-do-not-count", actor=person("admin"))


def test_list_shows_what_the_view_says(product: Product) -> None:
    product.repositories.edit("acme/main", actor=person("admin"), user_tokens_enabled=True)
    product.permissions.update({("ann", "acme/main"): True, ("bob", "acme/main"): True})
    product.users.get("ann", "acme/main")
    product.users.get("bob", "acme/main")
    product.create("on")
    product.tokens.disable(product.create("off").token.identifier, actor=person())
    product.tokens.delete(product.create("gone").token.identifier, actor=person())
    product.create("elsewhere", "acme/extra")

    def names(list_filter: ListFilter | None = None, query: str = "") -> list[str]:
        found = product.tokens.list(repository="acme/main", list_filter=list_filter, query=query)
        assert found.total == len(found.items)
        return [token.name for token in found.items]

    assert names() == ["on"]
    assert names(ListFilter(disabled=True)) == ["off", "on"]
    assert names(ListFilter(deleted=True)) == ["gone", "on"]
    assert names(ListFilter(user="ann")) == ["ann", "on"]
    assert names(ListFilter(all_users=True)) == ["ann", "bob", "on"]
    everything = ListFilter(disabled=True, deleted=True, all_users=True)
    assert names(everything) == ["ann", "bob", "gone", "off", "on"]
    assert names(query="active:false") == ["off"]
    assert names(query="state:deleted") == ["gone"]
    assert names(query="state:disabled OR name:^on$") == ["off", "on"]
    assert names(ListFilter(all_users=True), "token_type:user AND user:bob") == ["bob"]
    assert [token.name for token in product.tokens.list().items] == ["elsewhere", "on"]


def test_list_pages_and_sorts(product: Product) -> None:
    for number in range(5):
        token = product.create(f"token {number}").token
        product.use(token, downloads=number % 3)
    first = product.tokens.list(repository="acme/main", page_size=2)
    last = product.tokens.list(repository="acme/main", page_size=2, page=3)
    assert [token.name for token in first.items] == ["token 0", "token 1"]
    assert [token.name for token in last.items] == ["token 4"]
    assert (last.total, last.pages, last.number) == (5, 3, 3)
    by_use = product.tokens.list(sort="-downloads").items
    assert [token.usage.downloads for token in by_use] == [2, 1, 1, 0, 0]
    assert product.tokens.list(sort="-name").items[0].name == "token 4"
    for bad in ({"sort": "secret"}, {"page": 0}, {"page_size": 501}, {"page_size": 0}):
        with pytest.raises(InvalidValue):
            product.tokens.list(**bad)
    with pytest.raises(QuerySyntaxError):
        product.tokens.list(query="name:(")
    with pytest.raises(NotFound):
        product.tokens.list(repository="acme/none")


def test_a_search_for_counters_sees_scheduled_resets(product: Product) -> None:
    token = product.create("monthly", scheduled_reset_period="Monthly").token
    other = product.create("never").token
    product.use(token, downloads=2)
    product.use(other, downloads=2)
    assert product.tokens.list(query="downloads:>1").total == 2
    product.clock.advance(days=28)
    found = product.tokens.list(query="downloads:>1").items
    assert [token.name for token in found] == ["never"]
    rolled = product.tokens.read(token.identifier).usage
    assert rolled == Usage(since=datetime(2026, 2, 28, 12, tzinfo=UTC))


def test_every_change_is_recorded_without_secrets(product: Product) -> None:
    issued = product.create(secret=SECRET)
    identifier = issued.token.identifier
    product.tokens.edit(identifier, actor=person("editor"), limit_num_downloads=7)
    refreshed = product.rotation.refresh(identifier, actor=person())
    product.rotation.reveal(identifier, actor=person("support"))
    product.tokens.delete(identifier, actor=person())
    entries = product.reports.audit(token=identifier).items
    assert [entry.action for entry in entries] == [
        "token.deleted",
        "token.revealed",
        "token.refreshed",
        "token.edited",
        "token.created",
    ]
    edited = entries[3]
    assert (edited.actor, edited.repository) == ("editor", "acme/main")
    assert edited.before == {"limit_num_downloads": None}
    assert edited.after == {"limit_num_downloads": 7}
    assert refreshed.secret is not None
    everything = repr(entries) + json.dumps([dict(entry.after) for entry in entries])
    assert SECRET not in everything
    assert refreshed.secret not in everything
    assert [change.action for change in product.changes] == [
        entry.action for entry in reversed(entries)
    ]


def test_an_observer_that_fails_breaks_nothing(
    product: Product, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(change: object) -> None:
        raise RuntimeError("no")

    operations = Operations(database=product.database, clock=product.clock, on_change=fail)
    tokens = Lifecycle(operations, product.issuer, product.binding)
    issued = tokens.create("Acme", [TokenGrant(repository="acme/main")], actor=person())
    assert product.tokens.read(issued.token.identifier) == issued.token
    assert "An observer failed on token.created" in caplog.text


def test_nobody_has_to_observe(product: Product, database: Database) -> None:
    operations = Operations(database=database, clock=product.clock)
    tokens = Lifecycle(operations, product.issuer, product.binding)
    issued = tokens.create("Acme", [TokenGrant(repository="acme/main")], actor=person())
    assert isinstance(issued, Issued)


def test_validity_and_status(product: Product) -> None:
    token = product.create(
        limit_date_range_from=START + timedelta(days=1),
        limit_date_range_to=START + timedelta(days=2),
    ).token
    assert token.status(START) is Status.NOT_YET_VALID
    assert token.status(START + timedelta(days=1)) is Status.ENABLED
    assert token.status(START + timedelta(days=2)) is Status.EXPIRED
    assert [found.name for found in product.tokens.list(query="state:not_yet_valid").items]
    product.clock.advance(days=2)
    assert [found.name for found in product.tokens.list(query="state:expired").items]
    assert product.tokens.list(query="state:enabled").total == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"max_downloads": 1},
        {"valid_until": START},
        {"allow": ["10.0.0.0/8"]},
        {"query": "name:^demo$"},
        {"limit_num_downloads": 1.5},
        {"limit_num_downloads": True},
        {"limit_bandwidth": "10"},
    ],
)
def test_a_term_that_is_misspelt_is_not_one_that_is_left_out(
    product: Product, changes: dict[str, Any]
) -> None:
    opened = [TokenGrant(repository="acme/main")]
    with pytest.raises(InvalidValue):
        product.tokens.create("X", opened, actor=person(), **changes)
    made = product.tokens.create("X", opened, actor=person())
    with pytest.raises(InvalidValue):
        product.tokens.edit(made.token.identifier, actor=person(), **changes)


@pytest.mark.parametrize("query", [5, b"name:^demo$", ["name:^demo$"]])
def test_a_query_is_a_text_and_of_a_grant(product: Product, query: Any) -> None:  # noqa: ANN401 - odd
    odd = [TokenGrant(repository="acme/main", limit_package_query=query)]
    with pytest.raises(InvalidValue):
        product.tokens.create("X", odd, actor=person())
    misplaced: Any = {"limit_package_query": "name:^demo$"}
    with pytest.raises(InvalidValue):
        product.tokens.create(
            "X", [TokenGrant(repository="acme/main")], actor=person("v"), **misplaced
        )
