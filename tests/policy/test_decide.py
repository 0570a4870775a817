"""The policy: every check, their order, and what a listing shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from entitlements_core.policy.credential import Access, CredentialKind, Eula, State
from entitlements_core.policy.decide import (
    CHECKS,
    NOT_FOUND,
    UNKNOWN,
    Question,
    covers,
    decide,
    explain,
)
from entitlements_core.policy.decision import Allow, Deny, Reason
from entitlements_core.policy.limits import Limits, Usage
from entitlements_core.policy.network import Networks
from entitlements_core.policy.resource import (
    CoreMetadata,
    DistributionFile,
    Other,
    ProjectList,
    ProjectPage,
    Resource,
    Unidentified,
)
from tests.factories import NOW, credential, question
from tests.policy.query.facts import wheel

UNTOLD = Reason.ADDRESS_UNKNOWN
LIST = ProjectList()
PAGE = ProjectPage(canonicalize_name("foo"))
FILE = DistributionFile(wheel())
METADATA = CoreMetadata(wheel())
HIDDEN_PAGE = ProjectPage(canonicalize_name("hidden"))
HIDDEN_FILE = DistributionFile(wheel("hidden"))
HIDDEN_METADATA = CoreMetadata(wheel("hidden"))
ODD = Unidentified("odd.txt")
OTHER = Other("/admin")
EVERYTHING: tuple[Resource, ...] = (
    LIST,
    PAGE,
    METADATA,
    FILE,
    HIDDEN_PAGE,
    HIDDEN_METADATA,
    HIDDEN_FILE,
    ODD,
    OTHER,
)  # fmt: skip - the columns of the table below


def codes(**changes: Any) -> list[str]:  # noqa: ANN401 - any field
    """The answer to each of `EVERYTHING` for a token restricted to foo."""
    whose = credential("name:^foo$", **changes)
    decisions = [decide(question(whose, resource)) for resource in EVERYTHING]
    return [one.reason.value if isinstance(one, Deny) else "ok" for one in decisions]


HIDDEN = ["not_found"] * 4
NETWORKS = Networks.parse(allow=["198.51.100.0/24"])
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "lists", "metadata", "file", "hidden"),
    [
        pytest.param({}, "ok", "ok", "ok", HIDDEN, id="enabled"),
        pytest.param(
            {"state": State.DELETED},
            "unknown_token",
            "unknown_token",
            "unknown_token",
            ["unknown_token"] * 4,
            id="deleted",
        ),
        pytest.param(
            {"grants": ()},
            "unknown_token",
            "unknown_token",
            "unknown_token",
            ["unknown_token"] * 4,
            id="no-grant-here",
        ),
        pytest.param(
            {"state": State.DISABLED}, "ok", "ok", "token_disabled", HIDDEN, id="disabled"
        ),
        pytest.param(
            {"kind": CredentialKind.USER, "user": "ann"},
            "user_without_access",
            "user_without_access",
            "user_without_access",
            ["user_without_access"] * 4,
            id="user-without-access",
        ),
        pytest.param(
            {"kind": CredentialKind.USER, "user": "ann", "user_has_access": True},
            "ok",
            "ok",
            "ok",
            HIDDEN,
            id="user-with-access",
        ),
        pytest.param(
            {"networks": NETWORKS},
            "address_denied",
            "address_denied",
            "address_denied",
            ["address_denied"] * 4,
            id="address",
        ),
        pytest.param(
            {"valid_from": NOW + HOUR}, "ok", "ok", "token_not_yet_valid", HIDDEN, id="too-early"
        ),
        pytest.param({"valid_from": NOW}, "ok", "ok", "ok", HIDDEN, id="valid-from-is-inclusive"),
        pytest.param({"valid_until": NOW}, "ok", "ok", "token_expired", HIDDEN, id="expired"),
        pytest.param(
            {"valid_until": NOW + timedelta(microseconds=1)},
            "ok",
            "ok",
            "ok",
            HIDDEN,
            id="valid-until-is-exclusive",
        ),
        pytest.param(
            {"eula": Eula(required=True)}, "ok", "ok", "eula_required", HIDDEN, id="licence"
        ),
        pytest.param(
            {"eula": Eula(required=True, accepted=True)},
            "ok",
            "ok",
            "ok",
            HIDDEN,
            id="licence-accepted",
        ),
        pytest.param({"eula": Eula()}, "ok", "ok", "ok", HIDDEN, id="licence-not-needed"),
    ],
)
def test_each_state_and_each_resource(
    changes: dict[str, Any], lists: str, metadata: str, file: str, hidden: list[str]
) -> None:
    page_of_hidden = lists  # a page is open; that it has no items is the same as no such project
    assert codes(**changes) == [lists, lists, metadata, file, page_of_hidden, *hidden]


@pytest.mark.parametrize(
    ("changes", "reason", "title", "remedy"),
    [
        (
            {"state": State.DELETED},
            Reason.UNKNOWN_TOKEN,
            "Unknown or revoked entitlement token",
            "Check the token for typing errors, or ask the vendor for a new one.",
        ),
        (
            {"state": State.DISABLED},
            Reason.TOKEN_DISABLED,
            "Entitlement token disabled",
            "Ask sales@acme.example to enable it again.",
        ),
        (
            {"kind": CredentialKind.USER},
            Reason.USER_WITHOUT_ACCESS,
            "User has no access to this repository",
            "Ask sales@acme.example to be given access again.",
        ),
        (
            {"networks": NETWORKS},
            Reason.ADDRESS_DENIED,
            "Address 203.0.113.9 not allowed for this entitlement",
            "Ask sales@acme.example to allow this address.",
        ),
        (
            {"valid_from": datetime(2027, 1, 1, tzinfo=UTC)},
            Reason.TOKEN_NOT_YET_VALID,
            "Entitlement valid from 2027-01-01 00:00 UTC",
            "",
        ),
        (
            {"valid_until": datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)},
            Reason.TOKEN_EXPIRED,
            "Entitlement expired 2026-01-31 23:59 UTC",
            "Ask sales@acme.example to renew it.",
        ),
        (
            {"eula": Eula(required=True, url="https://acme.example/eula/5")},
            Reason.EULA_REQUIRED,
            "Accept the licence first: https://acme.example/eula/5",
            "Ask sales@acme.example how to accept it.",
        ),
        (
            {"eula": Eula(required=True)},
            Reason.EULA_REQUIRED,
            "Accept the licence first",
            "Ask sales@acme.example how to accept it.",
        ),
    ],
)
def test_a_refusal_says_what_and_what_to_do(
    changes: dict[str, Any], reason: Reason, title: str, remedy: str
) -> None:
    denied = decide(question(credential(contact="sales@acme.example", **changes)))
    assert isinstance(denied, Deny)
    assert (denied.reason, denied.title, denied.remedy) == (reason, title, remedy)


def test_a_token_that_is_too_early_says_when_to_retry() -> None:
    denied = decide(question(credential(valid_from=NOW + HOUR)))
    assert isinstance(denied, Deny)
    assert denied.retry_at == NOW + HOUR


def test_without_a_contact_the_vendor_is_named() -> None:
    denied = decide(question(credential(state=State.DISABLED)))
    assert isinstance(denied, Deny)
    assert denied.remedy == "Ask the vendor to enable it again."


@pytest.mark.parametrize(
    ("networks", "clients", "page", "file"),
    [
        (
            Networks.parse(allow=["::/0", "0.0.0.0/0"]),
            None,
            Reason.ADDRESS_UNKNOWN,
            Reason.ADDRESS_UNKNOWN,
        ),
        (Networks.parse(deny=["10.0.0.0/8"]), None, Reason.ADDRESS_UNKNOWN, Reason.ADDRESS_UNKNOWN),
        (Networks(), 5, None, Reason.ADDRESS_UNKNOWN),
        (Networks(), None, None, None),
    ],
)
def test_who_cannot_be_told_from_others_is_neither_admitted_nor_counted(
    networks: Networks, clients: int | None, page: Reason | None, file: Reason | None
) -> None:
    asker = credential(networks=networks, limits=Limits(clients=clients))
    for resource, reason in ((PAGE, page), (METADATA, page), (FILE, file)):
        decision = decide(question(asker, resource, address="nonsense"))
        assert isinstance(decide(question(asker, resource)), Allow)
        assert (decision.reason if isinstance(decision, Deny) else None) is reason


def test_a_credential_is_unknown_in_another_repository() -> None:
    denied = decide(question(repository="acme/beta"))
    assert isinstance(denied, Deny)
    assert denied.reason is Reason.UNKNOWN_TOKEN


def test_hidden_and_missing_are_refused_with_the_same_words() -> None:
    whose = credential("name:^foo$")
    answers = {
        decide(question(whose, resource))
        for resource in (HIDDEN_FILE, HIDDEN_METADATA, ODD, Unidentified("other.whl"), OTHER)
    }
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("access", "changes", "expected"),
    [
        (Access.READ, {}, "read_only"),
        (Access.WRITE, {}, "ok"),
        (Access.WRITE, {"valid_until": NOW}, "token_expired"),
        (Access.WRITE, {"valid_from": NOW + HOUR}, "token_not_yet_valid"),
        (Access.WRITE, {"eula": Eula(required=True)}, "eula_required"),
        (Access.WRITE, {"limits": Limits(downloads=0)}, "ok"),
    ],
)
def test_uploads_need_a_grant_of_rw(access: Access, changes: dict[str, Any], expected: str) -> None:
    asked = question(
        credential(access=access, **changes), FILE, writes=True, usage=Usage(since=NOW)
    )
    denied = decide(asked)
    assert (denied.reason.value if isinstance(denied, Deny) else "ok") == expected


def test_an_upload_outside_the_restriction_is_not_found() -> None:
    denied = decide(
        question(credential("name:^foo$", access=Access.WRITE), HIDDEN_FILE, writes=True)
    )
    assert isinstance(denied, Deny)
    assert denied.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("limits", "usage", "known", "expected"),
    [
        (Limits(), {"downloads": 10**9}, False, "ok"),
        (Limits(downloads=5), {"downloads": 4}, False, "ok"),
        (Limits(downloads=5), {"downloads": 5}, False, "download_limit"),
        (Limits(clients=2), {"clients": 2}, True, "ok"),
        (Limits(clients=2), {"clients": 2}, False, "client_limit"),
        (Limits(bandwidth=3000), {"bandwidth": 1000}, False, "ok"),
        (Limits(bandwidth=3000), {"bandwidth": 1001}, False, "bandwidth_limit"),
    ],
)
def test_limits_with_the_counters_at_hand(
    limits: Limits,
    usage: dict[str, int],
    known: bool,  # noqa: FBT001 - a column
    expected: str,
) -> None:
    used = Usage(since=NOW, **usage)
    asked = question(credential(limits=limits), FILE, usage=used, client_known=known)
    denied = decide(asked)
    assert (denied.reason.value if isinstance(denied, Deny) else "ok") == expected


@pytest.mark.parametrize("resource", [LIST, PAGE, METADATA])
def test_limits_close_no_page(resource: Resource) -> None:
    asked = question(credential(limits=Limits(downloads=0)), resource, usage=Usage(since=NOW))
    assert isinstance(decide(asked), Allow)


@pytest.mark.parametrize(
    ("uploaded", "visible"),
    [(NOW - HOUR, True), (NOW, True), (NOW + timedelta(microseconds=1), False), (None, False)],
)
def test_later_releases_are_frozen_out(
    uploaded: datetime | None,
    visible: bool,  # noqa: FBT001 - the answer
) -> None:
    whose = credential(updates_until=NOW)
    facts = wheel(uploaded_at=uploaded)
    assert covers(whose, whose.grants[0], facts, NOW) is visible
    assert isinstance(decide(question(whose, DistributionFile(facts))), Allow) is visible
    assert isinstance(decide(question(whose, CoreMetadata(facts))), Allow) is visible


def test_explain_gives_all_refusals_in_order() -> None:
    whose = credential(
        "name:^bar$",
        kind=CredentialKind.USER,
        networks=NETWORKS,
        valid_from=NOW + HOUR,
        valid_until=NOW,
        eula=Eula(required=True),
        limits=Limits(downloads=0),
        state=State.DISABLED,
    )
    reasons = [denied.reason.value for denied in explain(question(whose, usage=Usage(since=NOW)))]
    assert reasons == [
        "user_without_access",
        "address_denied",
        "not_found",
        "token_disabled",
        "token_not_yet_valid",
        "token_expired",
        "eula_required",
        "download_limit",
    ]


def test_a_deleted_credential_without_a_grant_that_writes() -> None:
    asked = question(credential(state=State.DELETED, grants=()), writes=True)
    assert [denied.reason.value for denied in explain(asked)] == [
        "unknown_token",
        "unknown_token",
        "read_only",
        "not_found",
        "token_disabled",
    ]


def test_an_allowed_question_has_nothing_to_explain() -> None:
    assert explain(question()) == ()
    assert decide(question()) == Allow()


QUESTIONS = st.builds(
    question,
    st.builds(
        credential,
        st.sampled_from([None, "name:^foo$", "version:>1.0"]),
        state=st.sampled_from(State),
        kind=st.sampled_from(CredentialKind),
        user_has_access=st.booleans(),
        valid_from=st.sampled_from([None, NOW, NOW + HOUR]),
        valid_until=st.sampled_from([None, NOW, NOW + HOUR]),
        eula=st.builds(Eula, required=st.booleans(), accepted=st.booleans()),
        networks=st.sampled_from([Networks(), NETWORKS]),
        limits=st.sampled_from([Limits(), Limits(downloads=0), Limits(clients=1)]),
    ),
    st.sampled_from(EVERYTHING),
    writes=st.booleans(),
    repository=st.sampled_from(["acme/stable", "acme/beta"]),
    usage=st.sampled_from([None, Usage(since=NOW)]),
)


@given(asked=QUESTIONS)
def test_decide_is_the_first_of_explain(asked: Question) -> None:
    denials = explain(asked)
    assert decide(asked) == (denials[0] if denials else Allow())
    assert all(isinstance(denied, Deny) for denied in denials)


@given(asked=QUESTIONS)
def test_titles_are_short_printable_ascii(asked: Question) -> None:
    for denied in explain(asked):
        assert denied.title.isascii()
        assert denied.title.isprintable()
        assert 0 < len(denied.title) <= 100


@given(asked=QUESTIONS)
def test_only_an_enabled_credential_with_a_grant_is_allowed(asked: Question) -> None:
    if isinstance(decide(asked), Allow):
        assert asked.credential.state is not State.DELETED
        if asked.request.writes or isinstance(asked.resource, DistributionFile):
            assert asked.credential.state is State.ENABLED
        assert asked.credential.grant_in(asked.request.repository) is not None
        assert not isinstance(asked.resource, Unidentified | Other)


CLOSE_PAGES: Final = {
    Reason.UNKNOWN_TOKEN,
    Reason.USER_WITHOUT_ACCESS,
    Reason.ADDRESS_DENIED,
    Reason.ADDRESS_UNKNOWN,
}
"""Nobody known, or somebody who may not be shown what there is."""


@given(
    asked=QUESTIONS.filter(lambda asked: not asked.request.writes),
    resource=st.sampled_from([ProjectList(), ProjectPage(canonicalize_name("foo"))]),
)
def test_no_other_state_of_a_token_closes_a_page(asked: Question, resource: Resource) -> None:
    """Most clients look elsewhere for what is on a page that they are refused, without a word."""
    decision = decide(replace(asked, resource=resource))
    file = decide(asked)
    if isinstance(decision, Deny):
        assert decision.reason in CLOSE_PAGES
        assert isinstance(file, Deny)
        assert file.reason is decision.reason
    elif isinstance(file, Deny):
        assert file.reason not in CLOSE_PAGES


@given(asked=QUESTIONS)
def test_every_refusal_of_a_known_token_names_whom_to_ask(asked: Question) -> None:
    whose = replace(asked.credential, contact="sales@acme.example")
    for denied in explain(replace(asked, credential=whose)):
        if denied not in {NOT_FOUND, UNKNOWN}:
            assert denied.contact == "sales@acme.example"
            assert denied.contact in denied.remedy or denied.reason is Reason.TOKEN_NOT_YET_VALID


def test_a_licence_with_an_address_need_not_be_asked_for() -> None:
    eula = Eula(required=True, url="https://vendor.example/eula/x")
    denied = decide(question(credential(eula=eula)))
    assert isinstance(denied, Deny)
    assert denied.title == "Accept the licence first: https://vendor.example/eula/x"
    assert denied.contact == ""


def test_the_order_of_the_checks_is_the_policy() -> None:
    assert [check.__name__ for check in CHECKS] == [
        "not_deleted",
        "granted_here",
        "user_may_read",
        "address_known",
        "address_admitted",
        "may_write",
        "covered",
        "enabled",
        "already_valid",
        "still_valid",
        "eula_accepted",
        "client_known",
        "within_limits",
    ]
