"""The grammar of secrets."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.secret import (
    RESERVED,
    SCAN_PATTERN,
    check_custom,
    checksum_holds,
    from_random_bytes,
    may_exist,
    named_address,
    weakness,
)

ALPHANUMERIC = string.ascii_letters + string.digits
RANDOM = st.binary(min_size=32, max_size=32)
GENERATED = "ent_jlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1PhCqX"


def test_a_generated_secret_never_changes_its_spelling() -> None:
    """Its digest is stored; another spelling of the same bytes would open nothing."""
    assert from_random_bytes(bytes(range(32))) == GENERATED


@given(data=RANDOM)
def test_a_generated_secret_is_well_formed(data: bytes) -> None:
    secret = from_random_bytes(data)
    assert re.fullmatch(r"ent_[0-9A-Za-z]{38}", secret)
    assert checksum_holds(secret)
    assert may_exist(secret)
    assert check_custom(secret) == secret
    assert re.search(SCAN_PATTERN, f"https://token:{secret}@host/")


@given(data=RANDOM, place=st.integers(4, 41), char=st.sampled_from(ALPHANUMERIC))
def test_one_wrong_character_is_noticed(data: bytes, place: int, char: str) -> None:
    secret = from_random_bytes(data)
    mistyped = secret[:place] + char + secret[place + 1 :]
    assert checksum_holds(mistyped) is (mistyped == secret)
    assert may_exist(mistyped) is (mistyped == secret)


@given(data=RANDOM, place=st.integers(4, 40))
def test_two_characters_swapped_are_noticed(data: bytes, place: int) -> None:
    secret = from_random_bytes(data)
    swapped = secret[:place] + secret[place + 1] + secret[place] + secret[place + 2 :]
    assert may_exist(swapped) is (swapped == secret)


@given(first=RANDOM, second=RANDOM)
def test_random_bytes_decide_the_secret(first: bytes, second: bytes) -> None:
    """190 of the 256 bits: those that 32 characters hold."""
    same = int.from_bytes(first) % 62**32 == int.from_bytes(second) % 62**32
    assert (from_random_bytes(first) == from_random_bytes(second)) is same


@pytest.mark.parametrize(
    "text",
    [
        "company1",
        "a" * 48,
        "A.b-c_d9",
        "ent_short",
        f"{GENERATED}x",
        GENERATED[:-1],
        "ent_jlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf1PhC.w",
    ],
)
def test_a_custom_secret_is_taken(text: str) -> None:
    assert check_custom(text) == text
    assert may_exist(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it has 0 characters, fewer than 8"),
        ("short77", "it has 7 characters, fewer than 8"),
        ("a" * 49, "it has 49 characters, more than 48"),
        (".hidden-secret", "it does not begin with a letter or digit"),
        ("-secret-", "it does not begin with a letter or digit"),
        ("ünlauted", "it does not begin with a letter or digit"),
        ("my secret", "it holds a character other than"),
        ("my/secret", "it holds a character other than"),
        ("my%2fsecret", "it holds a character other than"),
        ("secret\n8", "it holds a character other than"),
        ("secrété1", "it holds a character other than"),
        ("packages", "it is a reserved path word"),
        ("Packages", "it is a reserved path word"),
        ("robots.txt", "it is a reserved path word"),
        (GENERATED[:-1] + "x", "it looks like a generated secret with a typing error"),
    ],
)
def test_a_custom_secret_is_refused_without_being_repeated(text: str, problem: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_custom(text)
    assert caught.value.field == "token"
    assert problem in str(caught.value)
    assert not text or text not in str(caught.value)


@given(text=st.text(max_size=60))
def test_the_rule_is_one_expression(text: str) -> None:
    try:
        check_custom(text)
    except InvalidValue:
        taken = False
    else:
        taken = True
    legal = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{7,47}", text, re.ASCII) is not None
    assert taken is (legal and text.casefold() not in RESERVED)


@pytest.mark.parametrize(
    "text", ["", "seven77", "a" * 49, "with space", "${TOKEN}1", "ümlaut-secret", "a\x00bcdefgh"]
)
def test_what_was_never_issued_needs_no_look_up(text: str) -> None:
    assert not may_exist(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("pypi.org", "'pypi.org'"),
        ("ftp://index.example:21/a-b/simple/", "'ftp://index.example:21/a-b/simple/'"),
        ("", "This"),
        ("user:word@index.example", "This"),
        ("user:word", "This"),
        ("https://index.example/+t/customer-word/simple", "This"),
        ("https://index.example/%2Bt/customer-word/simple", "This"),
        ("https://index.example?key=word", "This"),
        (f"index.example/{GENERATED}", "This"),
        ("index.example\x1b[31m", "This"),
    ],
)
def test_an_address_is_repeated_unless_it_might_hold_a_secret(text: str, named: str) -> None:
    assert named_address(text) == named


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("company1", "The secret has 8 characters and might be guessed"),
        ("x" * 16, "The secret repeats few characters"),
        ("abcabcabcabcabcabc", "The secret repeats few characters"),
        ("a-long-enough-secret", None),
        (GENERATED, None),
    ],
)
def test_weak_secrets_are_warned_of(text: str, warning: str | None) -> None:
    found = weakness(text)
    assert (found is None) if warning is None else (found or "").startswith(warning)
