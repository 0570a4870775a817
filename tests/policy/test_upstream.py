"""The address of the index that has what is not the vendor's."""

import pytest
from packaging.utils import canonicalize_name

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.upstream import Upstream


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
        ("https://index.example/simple?a=b", "query"),
        ("https://index.example/simple?", "query"),
        ("https://index.example/simple#a", "query"),
    ],
)
def test_what_is_no_address(text: str, words: str) -> None:
    with pytest.raises(InvalidValue, match=words) as raised:
        Upstream.parse(text)
    assert "word" not in raised.value.problem


def test_a_page_never_leaves_the_index() -> None:
    odd = canonicalize_name("../x?y#z\n")
    assert Upstream("https://index.example/simple/").page(odd) == (
        "https://index.example/simple/-%2Fx%3Fy%23z%0A/"
    )
