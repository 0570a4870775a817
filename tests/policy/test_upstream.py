"""The address of the index that has what is not the vendor's."""

import pytest
from packaging.utils import canonicalize_name

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.secret import from_random_bytes
from entitlements_core.policy.upstream import Upstream

SECRET = from_random_bytes(bytes(range(32)))


@pytest.mark.parametrize(
    ("text", "url", "is_open"),
    [
        ("https://index.example/simple/", "https://index.example/simple/", False),
        ("https://index.example/simple", "https://index.example/simple/", False),
        (
            " https://index.example:8443/a/b/simple// ",
            "https://index.example:8443/a/b/simple/",
            False,
        ),
        (
            "http://127.0.0.1:3141/acme/prod/+simple/",
            "http://127.0.0.1:3141/acme/prod/+simple/",
            True,
        ),
        ("https://[2001:db8::1]/simple", "https://[2001:db8::1]/simple/", False),
    ],
)
def test_an_address(text: str, url: str, *, is_open: bool) -> None:
    upstream = Upstream.parse(text)
    assert (upstream.url, upstream.is_open) == (url, is_open)
    assert upstream.page(canonicalize_name("Foo.Bar")) == f"{url}foo-bar/"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no address"),
        ("index.example/simple", "no address"),
        ("ftp://index.example/simple", "no address"),
        ("https:///simple", "no address"),
        ("https://index.example:port/simple", "no address"),
        ("https://[index.example/simple", "no address"),
        ("https://index.example/sim ple", "no address"),
        ("https://index.example/\r\nX: y", "no address"),
        ("https://index.example/simplé", "no address"),
        ("https://index.example/<simple>", "no address"),
        ("https://user:word@index.example/simple", "Credentials"),
        ("https://user@index.example/simple", "Credentials"),
        (f"https://index.example/{SECRET}/simple/", "token"),
        (f"https://index.example/%65{SECRET[1:]}/simple/", "token"),
        (f"https://index.example/simple/?t={SECRET}", "token"),
        ("https://index.example/+t/customer-word/simple/", "token"),
        ("https://index.example/+T/customer-word/simple/", "token"),
        ("https://index.example/p/%2Bt/customer-word/simple/", "token"),
        ("https://index.example/simple?a=b", "query"),
        ("https://index.example/simple?", "query"),
        ("https://index.example/simple#a", "query"),
    ],
)
def test_what_is_no_address(text: str, words: str) -> None:
    with pytest.raises(InvalidValue, match=words) as raised:
        Upstream.parse(text)
    assert "word" not in raised.value.problem
    assert SECRET not in str(raised.value)


def test_what_was_found_is_repeated() -> None:
    with pytest.raises(InvalidValue, match=r"^'pypi\.org' is no address of an index\."):
        Upstream.parse("pypi.org")


def test_a_page_never_leaves_the_index() -> None:
    odd = canonicalize_name("../x?y#z\n")
    assert Upstream("https://index.example/simple/").page(odd) == (
        "https://index.example/simple/-%2Fx%3Fy%23z%0A/"
    )
