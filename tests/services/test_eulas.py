"""Licences: revisions, and who accepted which."""

import hashlib

import pytest

from entitlements_core.errors import Conflict, InvalidValue, NotFound, Refused
from entitlements_core.policy.token import EulaStatus
from tests.actors import person
from tests.services.conftest import START, Product

MAIN = "acme/main"


@pytest.fixture
def licensed(product: Product) -> Product:
    """A product that enforces a licence in ``acme/main``."""
    product.eulas.add(MAIN, "Be kind.\n\nAlways.", actor=person("lawyer"))
    product.repositories.edit(MAIN, actor=person("admin"), enforce_eula=True)
    return product


def _required(product: Product, identifier: str) -> tuple[bool, bool]:
    token = product.tokens.read(identifier)
    grant = token.grant_in(MAIN)
    assert grant is not None
    enforced = product.repositories.show(MAIN).enforce_eula
    return token.eula_required and enforced, grant.eula.accepted


def test_revisions_are_numbered_and_kept(licensed: Product) -> None:
    second = licensed.eulas.add(MAIN, "Be kinder.", actor=person("lawyer"))
    assert second.number == 2
    assert second.sha256 == hashlib.sha256(b"Be kinder.").hexdigest()
    assert licensed.eulas.show(MAIN) == second
    first = licensed.eulas.show(MAIN, 1)
    assert first.content == "Be kind.\n\nAlways."
    assert licensed.eulas.all(MAIN) == (second, first)
    assert licensed.eulas.find(first.identifier) == first
    for missing in (
        lambda: licensed.eulas.show(MAIN, 3),
        lambda: licensed.eulas.show("acme/extra"),
        lambda: licensed.eulas.find("nothing"),
        lambda: licensed.eulas.all("acme/none"),
    ):
        with pytest.raises(NotFound):
            missing()
    with pytest.raises(InvalidValue):
        licensed.eulas.add(MAIN, "  ", actor=person("lawyer"))


def test_acceptance_counts_for_the_revision_in_force(licensed: Product) -> None:
    token = licensed.create(eula_required=True).token
    identifier = token.identifier
    assert _required(licensed, identifier) == (True, False)
    accepted = licensed.eulas.accept(
        identifier, MAIN, 1, address="192.0.2.1", actor=person("customer")
    )
    assert accepted.grants[0].eula == EulaStatus(
        number=1, accepted=True, accepted_at=START, accepted_from="192.0.2.1"
    )
    assert accepted.revision > token.revision
    assert _required(licensed, identifier) == (True, True)
    again = licensed.eulas.accept(
        identifier, MAIN, 1, address="192.0.2.9", actor=person("customer")
    )
    assert again == accepted
    licensed.eulas.add(MAIN, "Be kinder.", actor=person("lawyer"))
    assert _required(licensed, identifier) == (True, False)
    with pytest.raises(Conflict, match="revision 2"):
        licensed.eulas.accept(identifier, MAIN, 1, address="192.0.2.1", actor=person("customer"))
    licensed.eulas.accept(identifier, MAIN, 2, address="192.0.2.1", actor=person("customer"))
    assert _required(licensed, identifier) == (True, True)


def test_a_licence_needs_the_token_and_the_repository(licensed: Product) -> None:
    assert _required(licensed, licensed.create().token.identifier) == (False, False)
    token = licensed.create(eula_required=True).token
    licensed.repositories.edit(MAIN, actor=person("admin"), enforce_eula=False)
    assert _required(licensed, token.identifier) == (False, False)


def test_an_acceptance_can_be_withdrawn(licensed: Product) -> None:
    identifier = licensed.create(eula_required=True).token.identifier
    with pytest.raises(InvalidValue, match="not accepted"):
        licensed.eulas.withdraw(identifier, MAIN, actor=person("admin"))
    licensed.eulas.accept(identifier, MAIN, 1, address="", actor=person("customer"))
    withdrawn = licensed.eulas.withdraw(identifier, MAIN, actor=person("admin"))
    assert withdrawn.grants[0].eula == EulaStatus(number=1)
    entries = licensed.reports.audit(token=identifier).items
    assert [entry.action for entry in entries][:2] == [
        "token.eula_withdrawn",
        "token.eula_accepted",
    ]
    assert entries[1].after == {"eula": 1, "accepted_from": ""}


def test_what_cannot_be_accepted(licensed: Product) -> None:
    identifier = licensed.create(eula_required=True).token.identifier
    with pytest.raises(NotFound):
        licensed.eulas.accept(identifier, MAIN, 9, address="", actor=person("customer"))
    with pytest.raises(NotFound):
        licensed.eulas.accept(identifier, "acme/extra", 1, address="", actor=person("customer"))
    licensed.tokens.delete(identifier, actor=person())
    with pytest.raises(Refused):
        licensed.eulas.accept(identifier, MAIN, 1, address="", actor=person("customer"))
