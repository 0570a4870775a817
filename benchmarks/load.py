"""Servers on loopback and the load on them. Closed loop by wrk, open loop by our own clients."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECONDS: Final = int(os.environ.get("BENCH_SECONDS", "4"))
"""How long each load lasts."""
SHORT: Final = SECONDS < 4
"""With few files and tokens and one round: it shows that everything runs, and no numbers."""
ROUNDS: Final = 1 if SHORT else 3
CONNECTIONS: Final = 8
READY: Final = 20
"""Answers in a row after which every worker is taken to be ready."""

_LUA: Final = """
local secrets, paths = {}, {'%s'}
for line in io.lines('%s') do secrets[#secrets + 1] = line end
local i = 0
request = function()
    local customer, path = math.floor(i / #paths) + 1, paths[i %% #paths + 1]
    i = i + 1
    return wrk.format('GET', '/+t/' .. secrets[(customer * 7919) %% #secrets + 1] .. path)
end
"""
"""Each customer asks for all paths in turn."""


@dataclass(frozen=True)
class Rate:
    """What a closed loop reached: requests per second, the 99th percentile in milliseconds."""

    per_second: float
    p99: float
    refused: int
    requests: int


@contextmanager
def granian(
    target: str,
    environment: Mapping[str, str],
    *,
    threads: int = 4,
    workers: int = 2,
    python: Path = Path(sys.executable),
) -> Iterator[int]:
    """A granian server over ``module:factory``; gives its port."""
    port = free_port()
    command = [
        str(python),
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--factory",
        "--no-ws",
        "--workers",
        str(workers),
        "--blocking-threads",
        str(threads),
        "--backpressure",
        "128",
        "--log-level",
        "error",
        "--port",
        str(port),
        target,
    ]  # fmt: skip - pairs
    with running(command, environment) as _:
        await_port(port)
        yield port


_GUESSES: Final = """
local i = %d
request = function()
    i = i + 1
    return wrk.format('GET', '/+t/guess-number-' .. i .. '%s')
end
"""


@contextmanager
def guessing(port: int, path: str, connections: int) -> Iterator[None]:
    """For the length of the block, so many connections ask for `path` with unknown secrets."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("make bench needs wrk; on Debian: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_GUESSES % (time.monotonic_ns() % 10**9, path))
        script.flush()
        command = [wrk, "-t1", f"-c{connections}", "-d120", "-s", script.name]
        with running([*command, f"http://127.0.0.1:{port}"], {}):
            yield


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[int]:
    """A process group for the length of the block; gives its leader's number."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        cwd=tempfile.gettempdir(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def await_port(port: int) -> None:
    """Return once every worker of an HTTP server on `port` answers anything but 503.

    Each has a catalog of its own, and any may answer, so it has to be so many times in turn.
    """
    deadline, ready = time.monotonic() + 60, 0
    while time.monotonic() < deadline:
        ready = ready + 1 if _answers(port) else 0
        if ready == READY:
            return
        if not ready:
            time.sleep(0.05)
    raise SystemExit(f"nothing answers on port {port}")


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/+health", timeout=2).close()
    except urllib.error.HTTPError as answer:
        answer.close()
        return answer.code != 503
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def closed_loop(
    port: int,
    path: str | Sequence[str],
    secrets: Path | None = None,
    headers: Sequence[str] = (),
    *,
    connections: int = CONNECTIONS,
) -> Rate:
    """As many requests as the connections get answered.

    With `secrets`, each is by another token; where several paths are given, each token asks for
    all of them.
    """
    paths = [path] if isinstance(path, str) else path
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("make bench needs wrk; on Debian: apt-get install wrk")
    options = ["-t1", f"-c{connections}", f"-d{SECONDS}", "--latency"]
    options += [item for header in headers for item in ("-H", header)]
    url = f"http://127.0.0.1:{port}"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if secrets is None:
            url += paths[0]
        else:
            script.write(_LUA % ("', '".join(paths), secrets))
            script.flush()
            options += ["-s", script.name]
        text = subprocess.run(
            [wrk, *options, url], check=True, capture_output=True, text=True
        ).stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return Rate(
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", text)),
        p99=_milliseconds(_found(r"(?m)^\s+99%\s+(\S+)", text)),
        refused=int(refused[1]) if refused else 0,
        requests=int(_found(r"(\d+) requests in", text)),
    )


def processor_seconds(port: int) -> float:
    """What the processes of the server on `port` have used of the processors so far."""
    import psutil  # noqa: PLC0415 - only here

    servers = [child for child in psutil.Process().children() if str(port) in child.cmdline()]
    everything = [one for server in servers for one in (server, *server.children(recursive=True))]
    return sum(one.cpu_times().user + one.cpu_times().system for one in everything)


def alternating(
    ours: tuple[int, str, Path | None], theirs: tuple[int, str, Path | None], rounds: int = ROUNDS
) -> tuple[Rate, Rate, float]:
    """Both in turn after a warm-up; the medians, and the median of the ratios of each round."""
    closed_loop(*ours)
    closed_loop(*theirs)
    pairs = [(closed_loop(*ours), closed_loop(*theirs)) for _ in range(rounds)]
    ratio = statistics.median(times(a.per_second, b.per_second) for a, b in pairs)
    return _median([a for a, _ in pairs]), _median([b for _, b in pairs]), ratio


def times(mine: float, theirs: float) -> float:
    """How many times `theirs` `mine` is; what was too slow to be counted is 0."""
    return mine / theirs if theirs else math.inf


def open_loop(
    port: int, paths: Sequence[str], rate: float, seconds: float = SECONDS * 1.5
) -> list[float]:
    """Milliseconds from when each request was due to its last byte, sent at a fixed rate."""
    return asyncio.run(_open_loop(port, paths, rate, seconds))


async def _open_loop(port: int, paths: Sequence[str], rate: float, seconds: float) -> list[float]:
    queue: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()
    latencies: list[float] = []
    workers = [asyncio.create_task(_worker(port, queue, latencies)) for _ in range(32)]
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        due = start + number / rate
        delay = due - time.perf_counter()
        if delay > 0.001:
            await asyncio.sleep(delay)
        queue.put_nowait((due, paths[number % len(paths)]))
    for _ in workers:
        queue.put_nowait(None)
    await asyncio.gather(*workers)
    return latencies


async def _worker(
    port: int, queue: asyncio.Queue[tuple[float, str] | None], latencies: list[float]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    while (item := await queue.get()) is not None:
        due, path = item
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(_found(r"(?i)content-length: (\d+)", head.decode("latin-1")))
        await reader.readexactly(length)
        latencies.append((time.perf_counter() - due) * 1000)
    writer.close()


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _median(rates: Sequence[Rate]) -> Rate:
    return Rate(
        statistics.median(rate.per_second for rate in rates),
        statistics.median(rate.p99 for rate in rates),
        sum(rate.refused for rate in rates),
        sum(rate.requests for rate in rates),
    )


def _milliseconds(text: str) -> float:
    number, unit = float(_found(r"([\d.]+)", text)), _found(r"([a-z]+)", text)
    return number * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"unexpected output: {text}")
    return match[1]
