"""The protocol: how the headers and the path of a request are read."""

import base64
import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entitlements_core.http import (
    AuthScheme,
    ByteRange,
    Presented,
    encodes,
    etag_matches,
    is_plain_path,
    read_authorization,
    read_range,
    split_token_path,
)


def basic(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return f"Basic {base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("header", "secret", "username", "form"),
    [
        (basic("token:s3cret"), "s3cret", "token", AuthScheme.BASIC),
        (basic("__token__:s3cret"), "s3cret", "__token__", AuthScheme.BASIC),
        (basic("s3cret"), "s3cret", "", AuthScheme.BASIC),
        (basic("s3cret:"), "s3cret", "", AuthScheme.BASIC),
        (basic(":s3cret"), "s3cret", "", AuthScheme.BASIC),
        (basic("token:with:colons"), "with:colons", "token", AuthScheme.BASIC),
        (basic("token:ünïcode"), "ünïcode", "token", AuthScheme.BASIC),
        (basic("token:s3cret").replace("Basic", "bASIC"), "s3cret", "token", AuthScheme.BASIC),
        (f"  {basic('token:s3cret')}  ", "s3cret", "token", AuthScheme.BASIC),
        ("Bearer s3cret", "s3cret", "", AuthScheme.BEARER),
        ("bearer   s3cret ", "s3cret", "", AuthScheme.BEARER),
    ],
)
def test_a_secret_is_read_from_the_header(
    header: str, secret: str, username: str, form: AuthScheme
) -> None:
    assert read_authorization(header) == Presented(secret, form, username)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        " ",
        "s3cret",
        "Basic",
        "Basic ",
        "Basic ???",
        "Basic dG9rZW4",  # not padded
        basic(""),
        basic(":"),
        basic(b"\xff\xfe"),
        basic(b"token:\xff\xfe"),
        "Basic dG9r\u00e9n",
        "Bearer",
        "Bearer ",
        "Digest username=x",
        "Negotiate abc",
        basic("token:" + "x" * 4096),
    ],
)
def test_what_is_no_credential_is_none(header: str | None) -> None:
    assert read_authorization(header) is None


@given(text=st.text(max_size=80))
def test_any_header_is_read_or_not(text: str) -> None:
    for header in (text, f"Basic {text}", f"Bearer {text}"):
        found = read_authorization(header)
        assert found is None or found.secret


@given(
    username=st.binary(max_size=20).filter(lambda name: b":" not in name),
    password=st.text(min_size=1, max_size=40),
)
@example(username="müller".encode("latin-1"), password="s3cret")
def test_a_user_name_of_any_bytes_spoils_no_secret(username: bytes, password: str) -> None:
    found = read_authorization(basic(username + b":" + password.encode()))
    assert found is not None
    assert found.secret == password
    assert found.username in {username.decode("latin-1"), username.decode("utf-8", "replace")}


@given(
    username=st.text(max_size=20).filter(lambda text: ":" not in text),
    password=st.text(min_size=1, max_size=40),
)
def test_the_password_is_the_secret(username: str, password: str) -> None:
    assert read_authorization(basic(f"{username}:{password}")) == Presented(
        password, AuthScheme.BASIC, username
    )


@pytest.mark.parametrize(
    ("path", "secret", "rest"),
    [
        ("/+t/s3cret/simple/", "s3cret", "/simple/"),
        ("/+t/s3cret/", "s3cret", "/"),
        ("/+t/s3cret", "s3cret", "/"),
        ("/+t/s3cret//simple/", "s3cret", "//simple/"),
        ("/+t/one/+t/two/simple/", "one", "/+t/two/simple/"),
        ("/+t/../simple/", "..", "/simple/"),
        ("/+t//simple/", "", "/simple/"),
        ("/+t/", "", "/"),
        ("/+t", "", "/"),
    ],
)
def test_a_secret_is_read_from_the_path(path: str, secret: str, rest: str) -> None:
    found = split_token_path(path)
    assert found is not None
    assert (found.secret, found.rest) == (secret, rest)
    assert found.prefix == f"/+t/{secret}"


@pytest.mark.parametrize("path", ["", "/", "/simple/", "//+t/s/", "/+tea/s/", "/x/+t/s/", "+t/s/"])
def test_a_path_without_the_marker_has_no_secret(path: str) -> None:
    assert split_token_path(path) is None


def test_what_is_shown_of_a_request_shows_no_secret() -> None:
    assert repr(Presented("s3cret", AuthScheme.BASIC, "ann")) == "Presented(scheme=basic)"
    assert repr(split_token_path("/+t/s3cret/simple/")) == "TokenPath(rest='/simple/')"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", "abc"', True),
        (' "x" ,W/"abc" ', True),
        ("*", True),
        (" * ", True),
        ('"ABC"', False),
        ("abc", False),
        ('"ab"', False),
    ],
)
def test_if_none_match(header: str | None, expected: bool) -> None:  # noqa: FBT001 - the answer
    assert etag_matches(header, '"abc"') is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=0-", (0, 1000)),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-999", (0, 1000)),
        ("bytes=0-99999", (0, 1000)),
        ("bytes=999-", (999, 1000)),
        ("bytes=500-600", (500, 601)),
        ("bytes= 500-600", (500, 601)),
        ("Bytes=500-600", (500, 601)),
        ("bytes=-1", (999, 1000)),
        ("bytes=-1000", (0, 1000)),
        ("bytes=-99999", (0, 1000)),
        (f"bytes=0-{'9' * 5000}", (0, 1000)),
        (f"bytes=-{'9' * 5000}", (0, 1000)),
        # Ignored: the whole file is sent.
        ("bytes=600-500", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes", None),
        ("bytes=0", None),
        ("bytes=a-b", None),
        ("bytes=+5-9", None),
        ("bytes=5-9,20-30", None),
        ("bytes=5--9", None),
        ("bytes =5-9", None),
        ("items=0-5", None),
        ("bytes=\u0665-", None),
    ],
)
def test_a_range_is_read(header: str | None, expected: tuple[int, int] | None) -> None:
    assert read_range(header, 1000) == (None if expected is None else ByteRange(*expected))


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=1000-", 1000),
        ("bytes=1000-2000", 1000),
        ("bytes=-0", 1000),
        ("bytes=0-", 0),
        ("bytes=-5", 0),
        (f"bytes={'9' * 5000}-", 1000),
    ],
)
def test_a_range_outside_the_file_is_an_error(header: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"range begins|the last"):
        read_range(header, size)


@given(first=st.integers(0, 30), last=st.integers(0, 30), size=st.integers(0, 25))
def test_a_range_lies_within_the_file(first: int, last: int, size: int) -> None:
    try:
        found = read_range(f"bytes={first}-{last}", size)
    except ValueError:
        assert first >= size
        return
    if found is None:
        assert last < first
    else:
        assert list(range(size))[first : last + 1] == list(range(found.start, found.stop))


@given(header=st.text(max_size=40), size=st.integers(0, 10**6))
def test_any_range_header_is_read_ignored_or_refused(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            found = read_range(text, size)
        except ValueError:
            continue
        assert found is None or 0 <= found.start < found.stop <= size


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/", ""),
        ("/simple/", "/simple/"),
        ("/simple/acme/acme-1.0+local-py3-none-any.whl", "/simple/acme/acme-1.0%2Blocal-py3"),
        ("/.well-known/x..y/...", ""),
        ("/caf\xc3\xa9", "/caf%C3%A9"),
        ("/caf\u0113", ""),
        ("/search", "/search?next=%2Fhome"),
    ],
)
def test_a_plain_path_can_be_read_in_one_way(path: str, raw: str) -> None:
    assert is_plain_path(path, raw)


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("", ""),
        ("simple", ""),
        ("//", ""),
        ("/a//b", ""),
        ("/.", ""),
        ("/a/./b", ""),
        ("/a/..", ""),
        ("/a\\b", ""),
        ("/a;b", ""),
        ("/100%", ""),
        ("/a\0", ""),
        ("/a\x7f", ""),
        ("/\xc0\xaf", ""),
        ("/\ufffd", ""),
        ("/a/b", "/a%2fb"),
        ("/a/b", "/a%2Fb?x"),
    ],
)
def test_a_path_that_a_second_reader_may_read_otherwise_is_not_plain(path: str, raw: str) -> None:
    assert not is_plain_path(path, raw)


@given(st.text(alphabet="a./%;\\\0", max_size=12))
def test_a_plain_path_is_what_is_left_of_it_when_it_is_read_again(text: str) -> None:
    path = f"/{text}"
    if is_plain_path(path):
        read = posixpath.normpath(unquote(path)) if path != "/" else path
        assert read == (path.rstrip("/") or "/")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, False),
        ("", False),
        ("identity", False),
        ("Identity;q=1, ", False),
        ("gzip", True),
        ("identity, br;q=0.5", True),
        ("*", True),
    ],
)
def test_a_server_may_compress_what_a_client_takes(header: str | None, *, expected: bool) -> None:
    assert encodes(header) is expected
