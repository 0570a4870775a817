"""A simple index of files alone, as anybody may have one: no tokens, no refusals."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["static_index"]


@contextmanager
def static_index(folder: Path, wheels: Path) -> Iterator[str]:
    """The URL of an index of the wheels in a directory; pages are written into `folder`."""
    for wheel in sorted(wheels.glob("*.whl")):
        project = folder / "simple" / wheel.name.partition("-")[0].replace("_", "-")
        project.mkdir(parents=True, exist_ok=True)
        data = wheel.read_bytes()
        (project / wheel.name).write_bytes(data)
        link = f"{wheel.name}#sha256={hashlib.sha256(data).hexdigest()}"
        with (project / "index.html").open("a") as page:
            page.write(f'<!DOCTYPE html><a href="{link}">{wheel.name}</a>\n')
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        # Another name than the vendor's host, so that nobody takes the two for one.
        try:
            yield f"http://localhost:{server.server_port}/simple/"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as it is declared
        """Say nothing."""
