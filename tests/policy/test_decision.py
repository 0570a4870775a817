"""Decisions: stable codes, and no truth value to fall over."""

import pytest

from entitlements_core.policy.decision import Allow, Deny, Reason


def test_the_codes_are_part_of_the_wire_format() -> None:
    assert [reason.value for reason in Reason] == [
        "unauthorized",
        "unknown_token",
        "token_disabled",
        "token_not_yet_valid",
        "token_expired",
        "user_without_access",
        "address_denied",
        "address_unknown",
        "not_found",
        "read_only",
        "eula_required",
        "download_limit",
        "client_limit",
        "bandwidth_limit",
        "vetoed",
        "validation_unavailable",
        "too_many_guesses",
    ]


@pytest.mark.parametrize("kind", [Allow, Deny])
def test_no_decision_has_a_truth_value_of_its_own(kind: type) -> None:
    assert "__bool__" not in vars(kind)
    assert "__len__" not in vars(kind)
