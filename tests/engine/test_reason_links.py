"""The words of a refusal in an address, and whom to ask."""

import re
import string
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.engine.reason_links import only_words, worded
from entitlements_core.http import is_plain_path
from entitlements_core.policy.decision import Deny, Reason

GRANIAN = {"SERVER_SOFTWARE": "Granian", "HTTP_USER_AGENT": "pip/26.3"}
POETRY = {"SERVER_SOFTWARE": "Granian", "HTTP_USER_AGENT": "poetry/2.5.1"}
FILE = "/packages/acme_core-1.0-py3-none-any.whl"
PAGE = "/simple/acme-core/"
TITLE = "Entitlement token disabled"
ASK = "Entitlement-token-disabled-ask-"
NEEDS_NO_ESCAPE = frozenset(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/")
"""In a path, RFC 3986."""

CONTACTS = {
    "sales@acme.example": "sales@acme.example",
    "mailto:sales+pypi@acme.example": "mailto:sales+pypi@acme.example",
    "https://acme.example": "acme.example",
    "https://acme.example/": "acme.example",
    "https://acme.example/renew_it/now": "(acme.example/renew_it/now)",
    "https://acme.example/help?topic=renew&l=en": "(acme.example/help%3Ftopic=renew&l=en)",
    "https://acme.example:8443/~sales": "(acme.example:8443/~sales)",
    "the sales team, +49 30 1234": "the-sales-team,-+49-30-1234",
    "call us; or write": "call-us-or-write",
    "see https://acme.example/help": "(see-acme.example/help)",
    "Sales & Support": "Sales-&-Support",
}


def deny(contact: str) -> Deny:
    return Deny(Reason.TOKEN_DISABLED, TITLE, contact=contact)


@pytest.mark.parametrize(("contact", "spelled"), CONTACTS.items())
def test_whom_to_ask_can_be_read_in_an_address(contact: str, spelled: str) -> None:
    location = worded(FILE, deny(contact), GRANIAN)
    assert location is not None
    assert location.removeprefix("./") == f"~{ASK}{spelled}/{FILE.rpartition('/')[2]}"
    page = worded(PAGE, deny(contact), POETRY)
    assert page is not None
    assert page.removeprefix("./") == f"~{ASK}{spelled}/"


UNSPEAKABLE = (
    *("https://acme.example/a%20b", "mail%41@acme.example", "100%"),
    *("https://acme.example/a;b", "acme.example/a\\b"),
)


@pytest.mark.parametrize(
    "contact", ["", ".", "https://", "/../", "Verk\u00e4ufer", "x" * 90, *UNSPEAKABLE]
)
def test_whom_nobody_can_read_is_left_out(contact: str) -> None:
    location = worded(FILE, deny(contact), GRANIAN)
    assert location == f"~Entitlement-token-disabled/{FILE.rpartition('/')[2]}"


PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
WORDS = st.sampled_from(
    [
        "https://",
        "http://",
        "acme.example",
        "/",
        "..",
        "?",
        "#",
        ";",
        "%2f",
        " ",
        "(",
        ")",
        "@",
        ":",
    ]
)
ANY_CONTACT = st.lists(WORDS | st.text(PRINTABLE, max_size=8), max_size=8).map("".join)


@given(ANY_CONTACT.filter(lambda text: len(text) <= 60))
def test_what_was_sent_decodes_to_the_contact(contact: str) -> None:
    location = worded(FILE, deny(contact), GRANIAN)
    assert location is not None
    raw = urlsplit(urljoin(f"https://index.example{FILE}", location))
    path = unquote(raw.path)

    assert raw.hostname == "index.example"
    assert (raw.query, raw.fragment) == ("", "")
    assert path.endswith(FILE.removeprefix("/packages"))
    assert is_plain_path(path, raw.path)
    assert only_words(path.split("/")[2:-1])
    assert worded(path, deny(contact), GRANIAN) is None
    for escape in re.findall("%..", location):
        assert unquote(escape) not in NEEDS_NO_ESCAPE
    said = path.removeprefix("/packages/~").removesuffix(FILE.removeprefix("/packages"))
    told = said.removeprefix(ASK) if said.startswith(ASK) else ""
    if "%" in contact or ("/" in contact and re.search(r"[;\\]", contact)):
        assert not told
        return
    assert bare(told.removesuffix(")").removeprefix("(") if "/" in told else told) == bare(contact)


def bare(contact: str) -> str:
    """A contact without its schemes, and without what stands between its words and parts."""
    lone = re.sub(r"\bhttps?://", "", contact, flags=re.IGNORECASE)
    parts = [
        part
        for part in re.sub(r"[\s;\\]", "-", lone).split("/")
        if part.strip(".") or len(part) > 2
    ]
    return "/".join(re.sub("-+", "-", part) for part in parts)


@pytest.mark.parametrize(
    "parts", [["a"], ["a", "~b"], ["~a", "b"], ["~a(", "b"], ["~a", "b)"], ["a(", "b)"]]
)
def test_a_folder_is_no_words(parts: list[str]) -> None:
    assert not only_words(parts)
