"""An index of everybody on loopback, whose answers a test chooses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from entitlements_core.policy.upstream import Upstream

__all__ = ["JSON", "Answer", "Page", "missing", "project", "upstream"]

JSON = "application/vnd.pypi.simple.v1+json"

Answer = Callable[["Page"], None]


class Page(BaseHTTPRequestHandler):
    """The page of a project; `answers` says how, by its name."""

    answers: ClassVar[dict[str, Answer]] = {}
    asked: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2]
        self.asked.append((name, dict(self.headers)))
        answer = self.answers.get(name) or self.answers.get("*") or missing
        answer(self)

    def log_message(self, *words: object) -> None:
        """Quietly."""

    def send(self, status: int, media: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def missing(page: Page) -> None:
    page.send(404, "text/plain", b"no")


def project(files: int, *versions: str) -> Answer:
    def answer(page: Page) -> None:
        name = page.path.strip("/").rpartition("/")[2]
        found = {"name": name, "files": [{}] * files, "versions": list(versions)}
        page.send(200, JSON, json.dumps(found).encode())

    return answer


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    Page.answers, Page.asked = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Upstream.parse(f"http://127.0.0.1:{server.server_port}/simple")
    server.shutdown()
    thread.join()
    server.server_close()
