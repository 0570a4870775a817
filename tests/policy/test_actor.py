"""Who asks for a change."""

from entitlements_core.policy.actor import ALL_RIGHTS, Actor, ActorKind, Right


def test_everybody_of_today_may_do_everything() -> None:
    for kind in ActorKind:
        assert Actor("x", kind).rights == ALL_RIGHTS == set(Right)
    assert Actor("x", ActorKind.API_KEY, frozenset({Right.READ})).rights < ALL_RIGHTS


def test_no_address_and_no_request_unless_said() -> None:
    assert Actor("x", ActorKind.PERSON).address == Actor("x", ActorKind.PERSON).request_id == ""
