"""Servers of other people's making, started on a free port."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.plugins.flask_static.conftest import wait

__all__ = ["BIN", "launched"]

BIN: Final = Path(sys.executable).parent


@contextmanager
def launched(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    directory: Path = Path(__file__).parents[2],
    host: str = "",
) -> Iterator[str]:
    """A server whose ``/+health`` is good; its URL.

    Args:
        command: a program of this environment and its words, with ``{port}``.
        folder: where ``server.log`` is written.
        environment: the whole of it.
        directory: the working directory.
        host: asked for, where the server has several.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, words = f"http://127.0.0.1:{port}", [word.format(port=port) for word in command]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [BIN / words[0], *words[1:]], cwd=directory, env=environment, stdout=log, stderr=log
        )
    try:
        wait(lambda: process.poll() is not None or _is_ready(url, host))
        assert process.poll() is None, (folder / "server.log").read_text()
        yield url
    finally:
        process.terminate()
        process.wait(40)


def _is_ready(url: str, host: str) -> bool:
    try:
        headers = {"Host": host} if host else {}
        return httpx.get(f"{url}/+health", headers=headers, timeout=30).status_code == 200
    except httpx.TransportError:
        return False
