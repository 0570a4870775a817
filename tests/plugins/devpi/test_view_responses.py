"""What devpi answers, as it goes out, where only a replica or a fault makes it answer so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final

import pytest
from pyramid.response import Response
from webob import Request

from devpi_entitlements.authentication import AdmittedFile, TokenRequest
from devpi_entitlements.view_responses import deliver
from entitlements_core.http import AuthScheme, Presented
from entitlements_core.wsgi import Request as CoreRequest
from tests.plugins.devpi.apps import wheel_name
from tests.wheelhouse import wheel_bytes

pytestmark = pytest.mark.notransaction

Answer = Any
DATA: Final = wheel_bytes("acme-core", "1.0")
NO_SITE: Final = SimpleNamespace()
"""Nothing is asked of it here."""


def token_request(*, arrives_whole: bool = False, awaits: bool = True) -> TokenRequest:
    """Somebody who asks for the core metadata of a file."""
    entry = SimpleNamespace(
        project="acme-core", version="1.0", basename=wheel_name("acme-core", "1.0")
    )
    question: Any = None  # nobody decides any more
    admitted = AdmittedFile(question, "path", True, arrives_whole, None, entry)  # noqa: FBT003 - it is the metadata
    presented = Presented("secret", AuthScheme.PATH)
    asked = CoreRequest(method="GET", path="/", presented=presented, address=None, environ={})
    return TokenRequest(
        request=asked,
        presented=presented,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        user_agent="",
        awaited=admitted if awaits else None,
    )


def delivered(who: TokenRequest, response: Response, method: str = "GET") -> Answer:
    site: Any = NO_SITE
    return deliver(site, Request.blank("/", method=method), who, response)


class Body:
    """Chunks that a server has to close, and may not get to the end of."""

    def __init__(self, *chunks: bytes, fails: bool = False) -> None:
        self._chunks, self._fails, self.is_closed = chunks, fails, False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._fails:
            raise OSError("upstream went away")

    def close(self) -> None:
        self.is_closed = True


def test_a_replica_that_fetches_the_file_answers_with_its_metadata() -> None:
    for method in ("GET", "HEAD"):
        body = Body(DATA[:100], DATA[100:])
        answer = delivered(token_request(arrives_whole=True), Response(app_iter=body), method)
        assert body.is_closed
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert int(answer.headers["Content-Length"]) > 20
        _, _, sent = Request.blank("/", method=method).call_application(answer)
        text = b"".join(sent)
        assert text.startswith(b"Metadata-Version") is (method == "GET")
        answer = delivered(token_request(arrives_whole=True), Response(app_iter=Body(b"x")), method)
        assert answer.status_code == 404


def test_a_file_that_breaks_off_is_no_answer() -> None:
    body = Body(b"some", fails=True)
    with pytest.raises(OSError, match="went away"):
        delivered(token_request(), Response(app_iter=body))


def test_redirects_to_elsewhere_are_not_passed_on() -> None:
    for awaits, status in ((True, 403), (False, 404)):
        moved = Response(status=302, location="https://upstream.example/file")
        answer = delivered(token_request(awaits=awaits), moved)
        assert answer.status_code == status
        assert "Location" not in answer.headers
    inside = Response(status=302, location="http://localhost/acme/priv/")
    assert delivered(token_request(awaits=False), inside).status_code == 404


def test_of_errors_only_the_status_remains() -> None:
    for status, given in ((404, 404), (400, 404), (500, 500), (502, 502)):
        failed = Response(status=status, body=b"devpi 6.20.3 at http://primary.internal")
        for method in ("GET", "HEAD"):
            answer = delivered(token_request(), failed, method)
            assert answer.status_code == given
            assert b"primary" not in b"".join(answer.app_iter)
