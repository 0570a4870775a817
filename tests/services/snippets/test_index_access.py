"""Where a customer finds an index."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.secret import from_random_bytes
from entitlements_core.services.snippets import IndexAccess

SECRET = from_random_bytes(bytes(range(32)))
H = "https://h.example:8443"
SECRET = from_random_bytes(bytes(range(32)))
DEVPI = {"host": "devpi", "mount": "/a/b"}


@pytest.mark.parametrize(
    ("url", "known", "simple", "path"),
    [
        (H, {}, f"{H}/simple/", f"{H}/+t/S/simple/"),
        (f"{H}/", {"host": "serve"}, f"{H}/simple/", f"{H}/+t/S/simple/"),
        (f"{H}/simple/", {}, f"{H}/simple/", f"{H}/+t/S/simple/"),
        # Below a path it depends on whose path that is.
        (f"{H}/pkgs", {}, f"{H}/pkgs/simple/", None),
        (f"{H}/pkgs", {"host": "flask"}, f"{H}/pkgs/simple/", None),
        (f"{H}/pkgs", {"host": "serve"}, f"{H}/pkgs/simple/", f"{H}/pkgs/+t/S/simple/"),
        (f"{H}/pkgs", {"host": "pypiserver"}, f"{H}/pkgs/simple/", f"{H}/pkgs/+t/S/simple/"),
        (f"{H}/pkgs", {"mount": ""}, f"{H}/pkgs/simple/", f"{H}/pkgs/+t/S/simple/"),
        (f"{H}/pkgs", {"mount": "/"}, f"{H}/pkgs/simple/", f"{H}/pkgs/+t/S/simple/"),
        (f"{H}/pkgs", {"mount": "b"}, f"{H}/pkgs/b/simple/", f"{H}/pkgs/+t/S/b/simple/"),
        (H, {"mount": "/a/b"}, f"{H}/a/b/simple/", f"{H}/+t/S/a/b/simple/"),
        (f"{H}/a/b", {"mount": "/a/b/"}, f"{H}/a/b/simple/", f"{H}/+t/S/a/b/simple/"),
        (f"{H}/p/a/b/simple", {"mount": "a/b"}, f"{H}/p/a/b/simple/", f"{H}/p/+t/S/a/b/simple/"),
        # An index of devpi-server is a user and a name.
        (f"{H}/a/b", {"host": "devpi"}, f"{H}/a/b/+simple/", f"{H}/+t/S/a/b/+simple/"),
        (f"{H}/a/b/+simple/", {}, f"{H}/a/b/+simple/", f"{H}/+t/S/a/b/+simple/"),
        (f"{H}/p/a/b", {"host": "devpi"}, f"{H}/p/a/b/+simple/", f"{H}/p/+t/S/a/b/+simple/"),
        (
            f"{H}/p",
            {"host": "devpi", "mount": "/a/b"},
            f"{H}/p/a/b/+simple/",
            f"{H}/p/+t/S/a/b/+simple/",
        ),
        (
            f"{H}/p/a/b",
            {"host": "devpi", "mount": "/a/b"},
            f"{H}/p/a/b/+simple/",
            f"{H}/p/+t/S/a/b/+simple/",
        ),
    ],
)  # fmt: skip - a table
def test_addresses(url: str, known: dict[str, Any], simple: str, path: str | None) -> None:
    access = IndexAccess.parse(url, **known)
    assert access.simple == simple
    assert access.with_path("S") == path
    assert access.with_user("S") == simple.replace("://", "://token:S@")


def test_files_and_uploads() -> None:
    access = IndexAccess.parse(f"{H}/p", host="serve", filename="a-1.whl")
    assert access.file() == f"{H}/p/packages/a-1.whl"
    assert access.file("S") == f"{H}/p/+t/S/packages/a-1.whl"
    assert access.upload is None
    epoch = IndexAccess.parse(f"{H}/p", host="serve", filename="a-1!2.0.tar.gz")
    assert epoch.file() == f"{H}/p/packages/a-1%212.0.tar.gz"  # `!2` is a shell's history
    assert IndexAccess.parse(f"{H}/p").file("S") is None
    assert IndexAccess.parse(H).file() == f"{H}/packages/FILENAME"
    assert IndexAccess.parse(f"{H}/p", host="pypiserver").upload == f"{H}/p/"
    devpi = IndexAccess.parse(f"{H}/a/b", host="devpi")
    assert devpi.upload == f"{H}/a/b/"
    assert devpi.file() is None
    assert devpi.file("S") is None


def test_whether_a_secret_is_seen_on_its_way() -> None:
    assert not IndexAccess.parse("https://h").is_open
    assert IndexAccess.parse("http://h").is_open
    assert not IndexAccess.parse("http://127.0.0.1:8080").is_open


def test_names() -> None:
    access = IndexAccess.parse(H, packages=["Acme_App"], own=["acme-app", "acme-util", "acme-*"])
    assert access.packages == ("acme-app",)
    assert access.own == ("acme-app", "acme-util", "acme-*")
    assert access.own_names == ("acme-app", "acme-util")
    assert not access.is_sample
    assert IndexAccess.parse(H).is_sample


@pytest.mark.parametrize(
    ("field", "arguments"),
    [
        *(
            ("url", {"url": url})
            for url in (
                *("", "h.example", "ftp://h", "https://", "https://u:p@h", "https://h?a=b"),
                *("https://h#f", "https://h/a b", "https://h/$(id)", "https://h:port"),
                *("https://[::1", 'https://h/"', "https://h/;id", "https://h/a&b", "https://h/'"),
                *("https://h/\N{LATIN SMALL LETTER E WITH ACUTE}", "https://h/`id`", "https://:@h"),
                *("https://h/+T/secret", f"https://h/{SECRET}", "https://h%24x/", "https://h/]]"),
                *(
                    "https://h/a//b",
                    "https://\N{KELVIN SIGN}/",
                    "https://h/\N{LATIN SMALL LETTER LONG S}",
                ),
                *(
                    "https://@h",
                    "https://h/+t/secret/simple/",
                    "https://h/%2bt/s",
                    "https://h/a/../b",
                ),
            )
        ),
        *(("url", {"url": url, "host": "devpi"}) for url in (H, f"{H}/a")),
        *(
            ("mount", {"url": H, "mount": mount})
            for mount in (
                *("a b", "..", "a/../b", "a//b", "+t/x", "$x", "a;b"),
                *("+T/x", SECRET, "%2e%2e/x", "%2Bt/x"),
            )
        ),
        *(("name", {"url": H, "packages": [name]}) for name in ("", "a b", "$(id)", "-r", "a;b")),
        ("package", {"url": H, "packages": ["acme-*"]}),
        *(
            ("secret", {"url": H, "secret": secret})
            for secret in ("$(id)a", "a b", 'a"', "a@b", "a/b")
        ),
    ],
)
def test_what_does_not_fit(field: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue) as error:
        IndexAccess.parse(**arguments)
    assert error.value.field == field


@given(st.text(max_size=20), st.text(max_size=10), st.text(max_size=10))
def test_whatever_is_said_nothing_is_left_that_a_shell_would_read(
    path: str, mount: str, package: str
) -> None:
    try:
        access = IndexAccess.parse(f"{H}/{path}", mount=mount, packages=[package])
    except InvalidValue:
        return
    text = f"{access.simple} {' '.join(access.packages)}"
    assert not set(text) & set("\"'`$\\<>|&;()*?!#{}\n\t")
