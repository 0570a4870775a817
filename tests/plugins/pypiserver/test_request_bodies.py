"""Bodies of strangers are read for a moment, over real connections."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pypiserver_entitlements import request_bodies
from pypiserver_entitlements.request_bodies import Discarding, length_of, read_within

SECONDS = 30


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(SECONDS)
        yield ours, theirs


@contextmanager
def request(server: str, connection: socket.socket, length: int) -> Iterator[dict[str, Any]]:
    """A request as a kind of server hands it over."""
    with connection.makefile("rb") as file:
        environ: dict[str, Any] = {"CONTENT_LENGTH": str(length), "wsgi.input": file}
        if server == "gunicorn":
            environ["gunicorn.socket"] = connection
        if server != "wsgiref":
            environ["wsgi.input"] = SimpleNamespace(read=file.read)
        if server == "gevent":
            environ["wsgi.input"].rfile = file
        yield environ


def discard(server: str, connection: socket.socket, discarding: Discarding) -> None:
    with request(server, connection, 1000) as environ:
        discarding.discard(environ, most=1000)


@pytest.mark.parametrize("server", ["wsgiref", "gunicorn", "gevent"])
def test_a_body_that_does_not_come_is_given_up_and_the_answer_goes_out(
    pair: tuple[socket.socket, socket.socket], server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    monkeypatch.setattr(request_bodies, "SECONDS", 0.2)
    theirs.sendall(b"x" * 10)
    discarding = threading.Thread(target=discard, args=(server, ours, Discarding()))
    discarding.start()
    discarding.join(SECONDS)
    assert not discarding.is_alive()
    ours.sendall(b"refused")
    assert theirs.recv(100) == b"refused"


@pytest.mark.parametrize("server", ["wsgiref", "gunicorn", "gevent"])
def test_a_body_that_comes_is_read_to_its_end(
    pair: tuple[socket.socket, socket.socket], server: str
) -> None:
    ours, theirs = pair
    theirs.sendall(b"x" * 1000 + b"next")
    discard(server, ours, Discarding())
    ours.sendall(b"refused")
    assert theirs.recv(100) == b"refused"


def test_few_are_read_at_once(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    discarding = Discarding()
    waiting = [
        threading.Thread(target=discard, args=("gunicorn", ours, discarding))
        for _ in range(request_bodies.AT_ONCE)
    ]
    for thread in waiting:
        thread.start()
    while discarding._turns._value:
        threading.Event().wait(0.001)
    body = io.BytesIO(b"x" * 10)
    discarding.discard({"CONTENT_LENGTH": "10", "wsgi.input": body}, most=10)
    assert body.tell() == 0
    theirs.close()
    for thread in waiting:
        thread.join(SECONDS)
    discarding.discard({"CONTENT_LENGTH": "10", "wsgi.input": body}, most=10)
    assert body.tell() == 10


def test_what_cannot_be_ended_is_not_begun() -> None:
    asked: list[int] = []
    unknown = SimpleNamespace(read=asked.append)
    Discarding().discard({"CONTENT_LENGTH": "10", "wsgi.input": unknown}, most=10)
    with read_within({"wsgi.input": unknown}, 0.001):
        unknown.read(1)
    assert asked == [1]


def test_a_file_is_no_connection(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"x" * 10)
    with path.open("rb") as file:
        hidden = SimpleNamespace(read=file.read, fileno=file.fileno)
        Discarding().discard({"CONTENT_LENGTH": "10", "wsgi.input": hidden}, most=10)
        assert file.tell() == 0


@pytest.mark.parametrize(
    ("header", "length"),
    [(None, 0), ("", 0), ("12", 12), ("-1", 0), ("1e3", 0), ("9" * 5000, 0), ("٣", 3)],
)
def test_the_length_is_what_the_header_says(header: str | None, length: int) -> None:
    assert length_of({"CONTENT_LENGTH": header}) == length
