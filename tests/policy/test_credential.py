"""Credentials: what they open, and where."""

import dataclasses

import pytest

from entitlements_core.policy.credential import Access, Credential, CredentialKind, Grant, State
from tests.factories import credential


def test_a_grant_is_found_by_its_repository() -> None:
    first, second = Grant(repository="acme/stable"), Grant(repository="acme/beta")
    found = credential(grants=(first, second))
    assert found.grant_in("acme/beta") is second
    assert found.grant_in("acme/stable") is first
    assert found.grant_in("acme/Stable") is None
    assert found.grant_in("") is None


def test_the_defaults_open_nothing() -> None:
    bare = Credential(identifier="abcdefghijkl")
    assert bare.grants == ()
    assert bare.user_has_access is False
    assert Grant(repository="acme/stable").access is Access.READ


def test_a_credential_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        credential().state = State.ENABLED  # type: ignore[misc]  # that is the test


def test_a_credential_has_no_room_for_a_secret() -> None:
    names = {field.name for field in dataclasses.fields(Credential)}
    assert not {name for name in names if "secret" in name or "token" in name or "digest" in name}


def test_the_stored_words_never_change() -> None:
    assert [kind.value for kind in CredentialKind] == [
        "standard",
        "default",
        "user",
        "access_key",
        "signed_url",
    ]
    assert [state.value for state in State] == ["enabled", "disabled", "deleted"]
    assert [access.value for access in Access] == ["r", "rw"]
