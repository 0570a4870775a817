"""What a refusal looks like on the wire."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.http import AuthScheme
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.refusals import CHALLENGE, phrase, problem, refuse, words
from entitlements_core.wsgi import Response


def body_of(response: Response) -> bytes:
    return b"".join(response.body)


# The table of answers: design, section 5.

DENY = Deny(Reason.TOKEN_EXPIRED, "Entitlement expired 2026-01-31 00:00 UTC", "Ask the vendor.")


@pytest.mark.parametrize("scheme", list(AuthScheme))
@pytest.mark.parametrize(
    ("reason", "page", "file"),
    [
        (Reason.TOKEN_DISABLED, 403, 403),
        (Reason.USER_WITHOUT_ACCESS, 402, 403),
        (Reason.ADDRESS_DENIED, 402, 403),
        (Reason.TOKEN_NOT_YET_VALID, 403, 403),
        (Reason.TOKEN_EXPIRED, 403, 403),
        (Reason.EULA_REQUIRED, 403, 403),
        (Reason.DOWNLOAD_LIMIT, 403, 403),
        (Reason.CLIENT_LIMIT, 403, 403),
        (Reason.BANDWIDTH_LIMIT, 403, 403),
        (Reason.READ_ONLY, 403, 403),
        (Reason.VETOED, 402, 403),
        (Reason.NOT_FOUND, 404, 404),
        (Reason.VALIDATION_UNAVAILABLE, 503, 503),
    ],
)
def test_a_known_token_is_refused(scheme: AuthScheme, reason: Reason, page: int, file: int) -> None:
    denied = replace(DENY, reason=reason)
    assert refuse(denied, scheme=scheme).status == page
    assert refuse(denied, scheme=scheme, transfers=True).status == file


@pytest.mark.parametrize("reason", [Reason.UNAUTHORIZED, Reason.UNKNOWN_TOKEN])
@pytest.mark.parametrize("transfers", [False, True])
@pytest.mark.parametrize(
    ("scheme", "status"),
    [(None, 401), (AuthScheme.BASIC, 401), (AuthScheme.BEARER, 401), (AuthScheme.PATH, 410)],
)
def test_an_unknown_token_is_refused(
    reason: Reason,
    transfers: bool,  # noqa: FBT001 - a column
    scheme: AuthScheme | None,
    status: int,
) -> None:
    assert refuse(replace(DENY, reason=reason), scheme=scheme, transfers=transfers).status == status


REFUSALS = st.builds(
    refuse,
    st.builds(
        Deny,
        st.sampled_from(Reason),
        st.text(max_size=200),
        st.text(max_size=50),
        st.sampled_from([None, datetime(2026, 2, 1, tzinfo=UTC)]),
        st.text(max_size=120),
    ),
    scheme=st.sampled_from([None, *AuthScheme]),
    transfers=st.booleans(),
)


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ("", DENY.title),
        ("sales@acme.example", f"{DENY.title}; ask sales@acme.example"),
        ("https://acme.example/renew", f"{DENY.title}; ask https://acme.example/renew"),
        ("Müller", DENY.title),
        ("a\nb", DENY.title),
        ("x" * 54, f"{DENY.title}; ask {'x' * 54}"),
        ("x" * 55, DENY.title),
    ],
)
def test_a_reason_phrase_ends_with_whom_to_ask(contact: str, expected: str) -> None:
    denied = replace(DENY, contact=contact)
    assert words(denied) == refuse(denied, transfers=True).reason == expected
    assert json.loads(body_of(refuse(denied, transfers=True)))["title"] == DENY.title


@pytest.mark.parametrize("agent", ["", "pip/26.3 {}", "poetry/2.5.1", "uv/0.13.9", "pipx/1"])
@pytest.mark.parametrize("transfers", [False, True])
@pytest.mark.parametrize("scheme", [None, *AuthScheme])
@pytest.mark.parametrize("reason", list(Reason))
def test_a_page_that_pip_is_refused_for_good_tells_why_in_its_type(
    agent: str,
    transfers: bool,  # noqa: FBT001 - a column
    scheme: AuthScheme | None,
    reason: Reason,
) -> None:
    denied = replace(DENY, reason=reason)
    usual = refuse(denied, scheme=scheme, transfers=transfers)
    answer = refuse(denied, scheme=scheme, transfers=transfers, agent=agent)
    if agent.startswith("pip/") and not transfers and usual.status in {402, 410}:
        told = f'application/problem+json; title="{DENY.title}"'
        assert (answer.status, dict(answer.headers)["Content-Type"]) == (300, told)
        assert "Location" not in dict(answer.headers)
        assert answer.body == usual.body
        assert answer.headers[1:] == usual.headers[1:]
    else:
        assert answer == usual


def test_a_quotation_mark_does_not_end_the_words() -> None:
    denied = replace(DENY, reason=Reason.VETOED, title='Say "friend"\\')
    answer = refuse(denied, agent="pip/26.3")
    told = r'application/problem+json; title="Say \"friend\"\\"'
    assert dict(answer.headers)["Content-Type"] == told


@given(answer=REFUSALS)
def test_every_refusal_keeps_the_rules(answer: Response) -> None:
    names = [name for name, _ in answer.headers]
    headers = dict(answer.headers)
    assert len(names) == len(headers)
    assert answer.status in {401, 402, 403, 404, 410, 503}
    assert answer.reason.isascii()
    assert all(" " <= char <= "~" for char in answer.reason)
    assert len(answer.reason) <= 100
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["Cache-Control"] == "no-store"
    assert not {"Retry-After", "Location"} & set(names)
    assert (headers.get("WWW-Authenticate") == CHALLENGE) is (answer.status == 401)


@given(answer=REFUSALS)
def test_a_body_says_what_its_status_says(answer: Response) -> None:
    body = json.loads(body_of(answer))
    assert set(body) - {"retry_at"} == {"type", "status", "title", "detail", "code"}
    assert body["status"] == answer.status
    assert body["code"] in {reason.value for reason in Reason}
    assert int(dict(answer.headers)["Content-Length"]) == len(body_of(answer))


def test_a_refusal_word_by_word() -> None:
    answer = refuse(
        replace(DENY, retry_at=datetime(2026, 2, 1, 12, tzinfo=UTC)),
        scheme=AuthScheme.BASIC,
        transfers=True,
    )
    assert answer.status_line == "403 Entitlement expired 2026-01-31 00:00 UTC"
    assert json.loads(body_of(answer)) == {
        "type": "about:blank",
        "status": 403,
        "title": "Entitlement expired 2026-01-31 00:00 UTC",
        "detail": "Ask the vendor.",
        "code": "token_expired",
        "retry_at": "2026-02-01T12:00:00Z",
    }
    assert answer.headers == (
        ("Content-Type", "application/problem+json"),
        ("Content-Length", str(len(body_of(answer)))),
        ("Cache-Control", "no-store"),
        ("Vary", "Accept, Authorization"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    )


def test_a_problem_that_is_no_decision() -> None:
    answer = problem(416, "Range not satisfiable", "The file has 5 bytes.", code="range")
    assert json.loads(body_of(answer))["code"] == "range"
    assert answer.status_line == "416 Range not satisfiable"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("naïve\r\nSet-Cookie: x", "na?ve??Set-Cookie: x"),
        ("\x00\x1b[31m\x7f", "??[31m?"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 97 + "..."),
    ],
)
def test_a_reason_phrase_is_short_printable_ascii(text: str, expected: str) -> None:
    assert phrase(text) == expected
