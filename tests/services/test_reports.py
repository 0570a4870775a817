"""Reports over what was used and changed."""

from datetime import datetime, timedelta

import pytest

from entitlements_core.errors import InvalidValue, NotFound
from entitlements_core.store.records import UsageLine
from tests.actors import person
from tests.services.conftest import START, Product


@pytest.fixture
def used(product: Product) -> Product:
    """A product in which two tokens downloaded on three days."""
    first = product.create("One").token
    second = product.create("Two", "acme/extra").token
    product.use(first, downloads=2)
    product.clock.advance(days=1)
    product.use(first, client="2001:db8::/64")
    product.clock.advance(days=1)
    product.use(second)
    return product


def _keys(lines: tuple[UsageLine, ...]) -> list[tuple[tuple[str, ...], int]]:
    return [(line.keys, line.downloads) for line in lines]


def test_usage_by_token_has_all_sums(used: Product) -> None:
    first = next(token for token in used.tokens.list().items if token.name == "One")
    (line,) = used.reports.usage(tokens=[first.identifier])
    assert line == UsageLine(
        keys=(first.identifier,),
        downloads=3,
        requests=6,
        clients=2,
        bandwidth=300,
        last_at=START + timedelta(days=1),
    )


def test_usage_by_other_dimensions(used: Product) -> None:
    reports = used.reports
    assert _keys(reports.usage(["day"])) == [
        (("2026-01-31",), 2),
        (("2026-02-01",), 1),
        (("2026-02-02",), 1),
    ]
    assert _keys(reports.usage(["repository", "client"])) == [
        (("acme/extra", "192.0.2.1"), 1),
        (("acme/main", "192.0.2.1"), 2),
        (("acme/main", "2001:db8::/64"), 1),
    ]
    everything = reports.usage(["package", "version", "filename", "user_agent"])
    assert _keys(everything) == [(("demo", "1.0", "demo-1.0.whl", "pip/26"), 4)]
    assert _keys(reports.usage([])) == [((), 4)]
    assert len(reports.usage(["day"], limit=2)) == 2


def test_usage_filters(used: Product) -> None:
    reports, day = used.reports, timedelta(days=1)
    assert _keys(reports.usage([], repository="acme/main")) == [((), 3)]
    assert _keys(reports.usage([], since=START + day)) == [((), 2)]
    assert _keys(reports.usage([], until=START + day)) == [((), 2)]
    assert reports.usage([], since=START + 9 * day) == ()
    with pytest.raises(NotFound):
        reports.usage(tokens=["nobody"])
    with pytest.raises(NotFound):
        reports.usage(repository="acme/none")
    for bad in (
        {"by": ["secret"]},
        {"by": ["token", "day", "token"]},
        {"since": datetime(2026, 1, 1)},  # noqa: DTZ001 - naive on purpose
        {"since": START, "until": START},
    ):
        with pytest.raises(InvalidValue):
            reports.usage(**bad)


def test_clients_are_listed_the_latest_first(used: Product) -> None:
    token = next(token for token in used.tokens.list().items if token.name == "One")
    clients = used.reports.clients(token.identifier)
    assert [client.client for client in clients] == ["2001:db8::/64", "192.0.2.1"]
    assert clients[1].first_seen_at == START
    assert all(client.counts for client in clients)
    with pytest.raises(NotFound):
        used.reports.clients("nobody")


def test_the_audit_is_filtered_and_paged(used: Product) -> None:
    reports = used.reports
    assert reports.audit().total == 4
    assert reports.audit(actor="admin").total == 2
    assert reports.audit(repository="acme/extra").total == 2
    assert reports.audit(since=START, until=START + timedelta(days=1)).total == 4
    assert reports.audit(since=START + timedelta(days=1)).total == 0
    page = reports.audit(page=2, page_size=3)
    assert (len(page.items), page.pages) == (1, 2)
    assert page.items[0].action == "repository.added"
    with pytest.raises(InvalidValue):
        reports.audit(page=0)
    with pytest.raises(NotFound):
        reports.audit(repository="acme/mian")
    with pytest.raises(NotFound):
        reports.audit(token="nobody")


def test_what_a_removed_repository_was_used_for_stays(used: Product) -> None:
    reports = used.reports
    before = reports.usage([], repository="acme/extra"), reports.audit(repository="acme/extra")
    used.repositories.remove("acme/extra", actor=person("admin"), force=True)
    assert reports.usage([], repository="acme/extra") == before[0] != ()
    assert reports.audit(repository="acme/extra").items[-2:] == before[1].items
