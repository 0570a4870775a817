"""What a request loses on its way into pypiserver, and an answer on its way back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

import pytest

from entitlements_core.forwarded import Proxies
from pypiserver_entitlements.current_user import (
    AdmittedUser,
    AnonymousReader,
    Publisher,
    Uploader,
    current_user,
)
from pypiserver_entitlements.forwarding import Forwarder

Headers = list[tuple[str, str]]


def passed(
    user: AdmittedUser, headers: Headers, environ: dict[str, Any] | None = None
) -> tuple[Headers, dict[str, Any]]:
    """The headers of the answer, and the environment that the application saw."""
    sent: list[Headers] = []
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        seen.update(environ)
        start("200 OK", headers)
        return []

    told = {"REMOTE_ADDR": "192.0.2.1", "PATH_INFO": "/+t/SECRET/", "wsgi.input": BytesIO()}
    told |= environ or {}

    def start(_: str, given: Headers, error: object = None, /) -> Callable[[bytes], object]:
        sent.append(given)
        return lambda _: None

    Forwarder(app, Proxies()).pass_on(user, told, start)
    return sent[0], seen


@pytest.mark.parametrize(
    ("user", "before", "after"),
    [
        (Publisher("a"), "", "private, no-cache"),
        (Publisher("a"), "public, max-age=60", "private, max-age=60"),
        (Uploader("x", frozenset()), "public", "private, no-cache"),
        (AnonymousReader(), "public, max-age=60", "public, max-age=60"),
        (AnonymousReader(), "", None),
    ],
)
def test_what_is_not_for_everybody_becomes_private(
    user: AdmittedUser, before: str, after: str | None
) -> None:
    headers, _ = passed(user, [("cache-control", before)] if before else [])

    assert dict(headers).get("Cache-Control") == after
    assert dict(headers)["Vary"] == "Authorization"


def test_what_an_answer_varies_by_is_kept() -> None:
    headers, _ = passed(AnonymousReader(), [("Vary", "Accept"), ("X", "1")])

    assert headers == [("X", "1"), ("Vary", "Authorization, Accept")]


def test_an_uploader_comes_without_the_token() -> None:
    raw = {"RAW_URI": "/+t/SECRET/", "REQUEST_URI": "/+t/SECRET/", "HTTP_AUTHORIZATION": "SECRET"}

    _, seen = passed(Uploader("abc", frozenset()), [], raw)

    assert "SECRET" not in str(seen)
    assert seen["PATH_INFO"] == "/"


@pytest.mark.parametrize("address", ["192.0.2.1", "", "nonsense", "::1"])
def test_nobody_says_by_what_name_the_index_was_called(address: str) -> None:
    forwarded = {"HTTP_X_FORWARDED_HOST": "evil", "HTTP_X_FORWARDED_PROTO": "https"}

    _, seen = passed(Publisher("a"), [], forwarded | {"REMOTE_ADDR": address})

    assert "HTTP_X_FORWARDED_HOST" not in seen
    assert "HTTP_X_FORWARDED_PROTO" not in seen


def test_nobody_is_let_in_by_the_passing_alone() -> None:
    passed(Publisher("a"), [])

    assert current_user() is None
