"""Requests as they are read from an environment, responses as servers call them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from entitlements_core.engine.auth_request import FORBIDDEN
from entitlements_core.engine.responses import not_modified, redirect
from entitlements_core.http import AuthScheme, ByteRange, Presented
from entitlements_core.policy.network import IPAddress, parse_address
from entitlements_core.wsgi import FILE_HEADERS, PAGE_HEADERS, Request, Response

ADDRESS = parse_address("192.0.2.1")
ETAG = '"abc"'


def locate(environ: dict[str, Any]) -> IPAddress | None:
    return parse_address(environ.get("REMOTE_ADDR", ""))


def environ_of(path: str = "/simple/", **given: str) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "REMOTE_ADDR": "192.0.2.1",
        **given,
    }
    setup_testing_defaults(environ)
    return environ


def asked(method: str = "GET", **headers: str) -> Request:
    return Request.of(environ_of(REQUEST_METHOD=method, **headers), locate)


BASIC = f"Basic {base64.b64encode(b'token:header').decode()}"


@pytest.mark.parametrize(
    ("environ", "path", "presented"),
    [
        (environ_of("/simple/"), "/simple/", None),
        (environ_of(""), "/", None),
        (environ_of("/+t/s3cret/simple/"), "/simple/", Presented("s3cret", AuthScheme.PATH)),
        (environ_of("/+t/s3cret"), "/", Presented("s3cret", AuthScheme.PATH)),
        (
            environ_of("/simple/", HTTP_AUTHORIZATION=BASIC),
            "/simple/",
            Presented("header", AuthScheme.BASIC, "token"),
        ),
        (
            environ_of("/+t/s3cret/x/", HTTP_AUTHORIZATION=BASIC),
            "/x/",
            Presented("s3cret", AuthScheme.PATH),
        ),
    ],
)
def test_a_request_is_read(environ: dict[str, Any], path: str, presented: Presented | None) -> None:
    before = dict(environ)
    request = Request.of(environ, locate, knows_logins=True)
    assert (request.path, request.presented, request.method) == (path, presented, "GET")
    assert request.address == ADDRESS
    assert request.scheme is (None if presented is None else presented.scheme)
    assert request.knows_logins
    assert environ == before


def test_a_request_may_be_described_by_another_one() -> None:
    environ = environ_of("/+auth", HTTP_AUTHORIZATION=BASIC)
    request = Request.of(environ, locate, method="HEAD", path="/+t/s/packages/x")
    assert (request.method, request.path, request.is_head) == ("HEAD", "/packages/x", True)
    assert request.presented == Presented("s", AuthScheme.PATH)


def test_the_same_request_of_another_path() -> None:
    request = asked(HTTP_USER_AGENT="pip/26.3")
    assert request.at("/simple/") is request
    assert request.at("/other/") == replace(request, path="/other/")
    assert (request.user_agent, asked().user_agent) == ("pip/26.3", "")
    assert asked(HTTP_IF_NONE_MATCH=ETAG).if_none_match == ETAG


@pytest.mark.parametrize(
    ("headers", "here", "elsewhere"),
    [
        ({}, None, None),
        ({"HTTP_RANGE": "bytes=2-5"}, ByteRange(2, 6), ByteRange(2, 6)),
        ({"HTTP_RANGE": "bytes=2-5", "HTTP_IF_RANGE": ETAG}, ByteRange(2, 6), None),
        ({"HTTP_RANGE": "bytes=2-5", "HTTP_IF_RANGE": '"other"'}, None, None),
        ({"HTTP_RANGE": "bytes=2-5", "HTTP_ACCEPT_ENCODING": "gzip"}, ByteRange(2, 6), None),
        (
            {"HTTP_RANGE": "bytes=2-5", "HTTP_ACCEPT_ENCODING": "identity"},
            ByteRange(2, 6),
            ByteRange(2, 6),
        ),
    ],
)
def test_how_much_of_a_file_is_sent(
    headers: dict[str, str], here: ByteRange | None, elsewhere: ByteRange | None
) -> None:
    assert asked(**headers).byte_range(10, etag=ETAG) == here
    assert asked(**headers).byte_range(10, etag="", elsewhere=True) == elsewhere
    assert asked("HEAD", **headers).byte_range(10, etag=ETAG) is None


def test_a_range_outside_the_file_is_an_error() -> None:
    with pytest.raises(ValueError, match="begins at 20"):
        asked(HTTP_RANGE="bytes=20-").byte_range(10, etag=ETAG)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_response_is_an_application(method: str) -> None:
    headers = (("Content-Type", "text/plain"), ("Content-Length", "2"))
    response = Response(200, "OK", headers, [b"a", b"b"])
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start(
        status: str, given: list[tuple[str, str]], _: object = None, /
    ) -> Callable[[bytes], object]:
        started.append((status, given))
        return lambda _: None

    environ = environ_of(REQUEST_METHOD=method)
    body = validator(response)(environ, start)
    assert b"".join(body) == (b"" if method == "HEAD" else b"ab")
    body.close()  # type: ignore[attr-defined] # PEP 3333
    assert started == [("200 OK", list(headers))]


def test_a_response_without_a_body_is_sent_at_once() -> None:
    """Servers such as granian take a list apart, and send anything else in steps."""
    responses = (Response(204, "No Content", ()), redirect("/x/"), not_modified(()), FORBIDDEN)
    for response in responses:
        assert response(environ_of(), lambda *_: lambda _: None) == []


def test_what_is_served_is_private_and_revalidated() -> None:
    for headers in (PAGE_HEADERS, FILE_HEADERS):
        assert ("Cache-Control", "private, no-cache") in headers
        assert ("Vary", "Accept, Authorization") in headers
        assert ("Referrer-Policy", "no-referrer") in headers
    assert ("Accept-Ranges", "bytes") in FILE_HEADERS
