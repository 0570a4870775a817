"""Why a token sees a file, or does not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entitlements_core import hookimpl
from entitlements_core.errors import InvalidValue, NotFound
from entitlements_core.plugins import Plugins
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.network import parse_address
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.core import Core
from entitlements_core.services.explanation import Explained, explain_file
from entitlements_core.services.settings import Settings
from tests.actors import person
from tests.policy.query.facts import wheel

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FACTS = wheel(filename="demo-1.0-py3-none-any.whl", name="demo", version="1.0")


class Rules:
    """A plugin that refuses one file, and knows who may read."""

    readers: tuple[str, ...] = ("ann",)
    refuses = False

    @hookimpl
    def entitlements_veto(self, question: Question) -> Deny | None:
        return Deny(Reason.VETOED, "Not on Mondays") if self.refuses else None

    @hookimpl
    def entitlements_user_may_read(self, user: str) -> bool:
        return user in self.readers


@pytest.fixture
def rules() -> Rules:
    return Rules()


@pytest.fixture
def core(tmp_path: Path, rules: Rules) -> Iterator[Core]:
    core = Core.open(
        Settings.load(home=tmp_path / "home"),
        create=True,
        plugins=Plugins([rules], discover=False),
        clock=lambda: NOW,
    )
    core.repositories.add("acme/prod", actor=person("admin"), user_tokens_enabled=True)
    core.repositories.add("acme/beta", actor=person("admin"))
    yield core
    core.close()


def token(core: Core, query: str | None = None, *repositories: str, **terms: object) -> str:
    grants = [
        TokenGrant(repository=name, limit_package_query=query)
        for name in repositories or ("acme/prod",)
    ]
    return core.lifecycle.create("C", grants, actor=person("a"), **terms).token.identifier  # type: ignore[arg-type] # any terms


def ask(core: Core, identifier: str, facts: FileFacts | None = FACTS, **given: object) -> Explained:
    return explain_file(core, identifier, FACTS.filename, facts, **given)  # type: ignore[arg-type] # any question


def codes(found: Explained) -> list[str]:
    return [deny.reason.value for deny in found.reasons]


def test_what_is_open(core: Core) -> None:
    found = ask(core, token(core, "name:^demo$"))
    assert found.allowed
    assert found.at == NOW
    assert [clause.text for clause in found.clauses] == ["name:^demo$"]
    assert ask(core, token(core)).clauses == ()


def test_what_is_not_covered_and_what_is_frozen_are_told_apart(core: Core) -> None:
    hidden = ask(core, token(core, "name:^other$"))
    before = FACTS.uploaded_at
    assert before is not None
    identifier = token(core, updates_until=before - timedelta(days=1))
    frozen = ask(core, identifier)
    undated = ask(core, identifier, replace(FACTS, uploaded_at=None))
    absent = ask(core, token(core), None)
    answers = (hidden, frozen, undated, absent)
    assert [codes(found) for found in answers] == [["not_found"]] * 4
    assert len({found.reasons[0].title for found in answers}) == 4


def test_a_moment(core: Core) -> None:
    identifier = token(core, limit_date_range_to=NOW + timedelta(days=1))
    assert ask(core, identifier).allowed
    assert codes(ask(core, identifier, at=NOW + timedelta(days=1))) == ["token_expired"]


def test_an_address(core: Core) -> None:
    identifier = token(core, deny_networks=["192.0.2.0/24"])
    assert ask(core, identifier).allowed
    assert ask(core, identifier).warnings
    outside = ask(core, identifier, address=parse_address("192.0.2.7"))
    assert codes(outside) == ["address_denied"]
    assert outside.warnings == ()


def test_a_client_of_an_earlier_period_does_not_count(core: Core) -> None:
    identifier = token(core, limit_num_clients=0, scheduled_reset_period="Daily")
    address = parse_address("192.0.2.7")
    assert codes(ask(core, identifier, address=address, at=NOW + timedelta(days=3))) == [
        "client_limit"
    ]
    assert codes(ask(core, identifier, address=address)) == ["client_limit"]


def test_a_veto(core: Core, rules: Rules) -> None:
    rules.refuses = True
    assert codes(ask(core, token(core))) == ["vetoed"]
    assert codes(ask(core, token(core, "name:^other$"))) == ["not_found"]


def test_a_user_token(core: Core, rules: Rules) -> None:
    identifier = core.user_tokens.get("ann", "acme/prod").token.identifier
    assert ask(core, identifier).allowed
    rules.readers = ()
    assert codes(ask(core, identifier)) == ["user_without_access"]


def test_facts_of_the_store(core: Core) -> None:
    assert codes(ask(core, token(core, "downloads:>0"), replace(FACTS, downloads=9))) == [
        "not_found"
    ]


def test_which_repository(core: Core) -> None:
    several = token(core, None, "acme/prod", "acme/beta")
    with pytest.raises(InvalidValue, match="2 repositories"):
        ask(core, several)
    assert ask(core, several, repository="acme/beta").allowed
    with pytest.raises(NotFound):
        ask(core, token(core), repository="acme/beta")
    with pytest.raises(NotFound, match="acme/nope"):
        ask(core, several, repository="acme/nope")
