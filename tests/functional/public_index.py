"""A stand-in for the public index: a static one, in HTML and JSON, that says what it was asked."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from packaging.utils import canonicalize_name, parse_wheel_filename

__all__ = ["PublicIndex", "public_index"]

_JSON: Final = "application/vnd.pypi.simple.v1+json"


@dataclass
class PublicIndex:
    """An index of everybody over a directory of wheels.

    Attributes:
        url: of the simple index, with a slash at its end.
        wheels: that it has.
        asked: the paths, each with whether credentials came along.
    """

    url: str
    wheels: Path
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def has_been_asked_for(self, beginning: str) -> bool:
        """Whether the page or a file of a project whose name begins so was asked for."""
        words = beginning, beginning.replace("-", "_")
        parts = [part for path, _ in self.asked for part in path.split("/")]
        return any(part.startswith(words) for part in parts)

    @property
    def saw_credentials(self) -> bool:
        """Whether anybody sent some."""
        return any(sent for _, sent in self.asked)


@contextmanager
def public_index(wheels: Path) -> Iterator[PublicIndex]:
    """Serve a directory; under the name localhost, since 127.0.0.1 is the vendor's host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    index = PublicIndex(f"http://localhost:{server.server_port}/simple/", wheels)
    server.index = index  # type: ignore[attr-defined] # the handler finds it there
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        index: PublicIndex = self.server.index  # type: ignore[attr-defined] # see above
        path = self.path.partition("?")[0]
        index.asked.append((path, "Authorization" in self.headers))
        parts = [part for part in path.split("/") if part]
        status, kind, body = 404, "text/plain", b""
        if parts[:1] == ["simple"] and len(parts) == 2:
            status, kind, body = self._page(index.wheels, parts[1])
        elif parts == ["simple"]:
            status, kind, body = self._list(index.wheels)
        elif parts[:1] == ["packages"] and (index.wheels / parts[-1]).is_file():
            status, kind = 200, "application/octet-stream"
            body = (index.wheels / parts[-1]).read_bytes()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: object) -> None:
        """Stay silent: `PublicIndex.asked` has it all."""

    @property
    def _wants_json(self) -> bool:
        return "json" in self.headers.get("Accept", "")

    def _list(self, wheels: Path) -> tuple[int, str, bytes]:
        names = sorted({str(parse_wheel_filename(path.name)[0]) for path in wheels.glob("*.whl")})
        if self._wants_json:
            document = {"meta": {"api-version": "1.1"}, "projects": [{"name": n} for n in names]}
            return 200, _JSON, json.dumps(document).encode()
        return 200, "text/html", "".join(f'<a href="{n}/">{n}</a>' for n in names).encode()

    def _page(self, wheels: Path, name: str) -> tuple[int, str, bytes]:
        found = [
            (path, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted(wheels.glob("*.whl"))
            if parse_wheel_filename(path.name)[0] == canonicalize_name(name)
        ]
        if not found:
            return 404, "text/plain", b""
        if self._wants_json:
            document = {
                "meta": {"api-version": "1.1"},
                "name": name,
                "versions": sorted({str(parse_wheel_filename(path.name)[1]) for path, _ in found}),
                "files": [
                    {
                        "filename": path.name,
                        "url": f"../../packages/{path.name}",
                        "hashes": {"sha256": digest},
                        "size": path.stat().st_size,
                    }
                    for path, digest in found
                ],
            }
            return 200, _JSON, json.dumps(document).encode()
        links = [
            f'<a href="../../packages/{path.name}#sha256={digest}">{path.name}</a><br>'
            for path, digest in found
        ]
        return 200, "text/html", "\n".join(links).encode()
