"""With entitlements against bare pypiserver: the same server, the same files, in turn."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from benchmarks import workload
from benchmarks.load import ROUNDS, SECONDS, await_port, free_port, running, times
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.policy.token import TokenGrant
from tests.wheelhouse import build_wheel

__all__ = ["rows"]

Row = tuple[str, str, str]
SIZES: Final = (10, workload.PROJECTS // 10, workload.PROJECTS)
TOKENS: Final = 1_000
GOALS: Final[tuple[dict[str, float | None], ...]] = (
    {"page": 1.5, "list": 1.5, "file": 1.5},
    {"page": 20, "list": 20, "file": 20},
    {"page": 300, "list": None, "file": 100},
)
"""For each of the sizes."""
WHEEL: Final = "files-1.0-py3-none-any.whl"
PATHS: Final = {
    "page": ("project page", "/simple/files/"),
    "list": ("list", "/simple/"),
    "file": ("file of 100 KB", f"/packages/{WHEEL}"),
}
CONNECTIONS: Final = 4
COMMAND: Final = ("run", "-i", "127.0.0.1", "--disable-fallback", "-p")

_LUA: Final = """
local paths = {}
for line in io.lines('%s') do paths[#paths + 1] = line end
local i = 0
request = function()
    i = i + 1
    return wrk.format('GET', paths[(i * 7919) %% #paths + 1])
end
"""


def packages(count: int) -> Path:
    """Two versions of 100 KB of one project, and as many small files as make `count`."""
    folder = workload.WORK / f"pypiserver-{count}"
    if not (folder / "done").exists():
        for version in ("1.0", "2.0"):
            build_wheel(folder, "files", version, padding=100_000)
        for number in range(count - 2):
            build_wheel(folder, f"project-{number:05}", "1.0")
        (folder / "done").touch()
    return folder


def everything() -> str:
    """The secret of a token without a restriction, as what it lists is what bare lists."""
    kept = workload.WORK / f"home-{TOKENS}" / "everything.txt"
    if not kept.exists():
        core = workload.core(TOKENS)
        grant = TokenGrant(repository=workload.REPOSITORY)
        kept.write_text(
            core.lifecycle.create("all", [grant], actor=Actor("bench", ActorKind.PERSON)).secret
            or ""
        )
        core.close()
    return kept.read_text()


def rows(tokens: int) -> Iterator[Row]:
    """All that is measured; the number of tokens in the store is always the same."""
    yield from compared(tokens)
    yield from start(tokens)


def compared(tokens: int) -> Iterator[Row]:
    """Pages, lists and files for each number of files; all servers are waitress."""
    workload.core(TOKENS).close()
    total, secrets = everything(), workload.secrets(TOKENS)
    for count, goals in zip(SIZES, GOALS, strict=True):
        folder = packages(count)
        with ExitStack() as stack:
            ours = stack.enter_context(Entitled(folder))
            simple = stack.enter_context(Bare(folder, "simple-dir"))
            cached = stack.enter_context(Bare(folder, "cached-dir"))
            for what, (label, path) in PATHS.items():
                asked = [total] if what == "list" else secrets
                paths = [f"/+t/{secret}{path}" for secret in asked]
                rounds = [
                    (rate(ours.port, paths), rate(simple.port, [path]), rate(cached.port, [path]))
                    for _ in range(ROUNDS if count < SIZES[-1] else 1)
                ]
                yield row(f"{count:,} files: {label}", goals[what], rounds)


def row(what: str, goal: float | None, rounds: list[tuple[float, float, float]]) -> Row:
    """One line of the table: the medians, and the medians of the ratios of each round."""
    mine, plain, kept = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    ratio = statistics.median(times(one, other) for one, other, _ in rounds)
    to_cached = statistics.median(times(one, other) for one, _, other in rounds)
    reached = f"**{ratio:,.1f}x** ({mine:,.0f} to {plain:,.1f} /s);"
    reached += f" {to_cached:,.1f}x cached-dir ({kept:,.1f} /s)"
    return f"pypiserver, {what}", "" if goal is None else f">= {goal}x simple-dir", reached


def start(tokens: int) -> Iterator[Row]:
    """What entitlements add to a start: the store opened, 10,000 known files looked at."""
    workload.core(TOKENS).close()
    folder = packages(SIZES[-1])
    times = [_started(folder) for _ in range(4)]
    first, known = times[0], sorted(times[1:])[1]
    yield (
        f"pypiserver, {SIZES[-1]:,} files: added to the start, files known",
        "< 0.5 s",
        f"**{known:.2f} s** (the run before: {first:.2f} s)",
    )


def _started(folder: Path) -> float:
    code = f"""
import time, sys
import pypiserver, pypiserver.config, pypiserver_entitlements.startup
from pypiserver_entitlements import Options, protect
config = pypiserver.config.Config.default_with_overrides(
    roots=[{str(folder)!r}], backend_arg="simple-dir"
)
app = pypiserver.app_from_config(config)
begun = time.perf_counter()
protect(app, config, Options.load(foreground=True))
print(time.perf_counter() - begun)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def environment() -> dict[str, str]:
    """What our side is told."""
    return {
        "ENTITLEMENTS_HOME": str(workload.WORK / f"home-{TOKENS}"),
        "ENTITLEMENTS_REPO": workload.REPOSITORY,
        "PYTHONPATH": str(workload.ROOT),
    }


class _Server:
    """A running server."""

    def __init__(self, words: list[str], told: dict[str, str]) -> None:
        self.port = free_port()
        self._words = [*words[:-1], str(self.port), words[-1]]
        self._told = told
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._stack.enter_context(running(self._words, self._told))
            await_port(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Entitled(_Server):
    """``pypi-server-entitled``."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "pypiserver_entitlements"]
        super().__init__([*command, *COMMAND, str(folder)], environment())


class Bare(_Server):
    """``pypi-server``."""

    def __init__(self, folder: Path, backend: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "pypiserver", COMMAND[0]]
        super().__init__([*command, "--backend", backend, *COMMAND[1:], str(folder)], {})


def rate(port: int, paths: list[str]) -> float:
    """Requests per second that 4 connections get answered, over 4 seconds or 20 if it is slow."""
    once(port, paths[0])
    seconds = 5 * SECONDS if once(port, paths[0]) > 0.05 else SECONDS
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("make bench needs wrk; on Debian: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w") as listed, tempfile.NamedTemporaryFile("w") as script:
        listed.write("\n".join(paths))
        listed.flush()
        script.write(_LUA % listed.name)
        script.flush()
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}", "--timeout", "60", "-s", script.name]
        text = subprocess.run(
            [wrk, *options, f"http://127.0.0.1:{port}"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    if "Non-2xx" in text:
        raise SystemExit(f"requests were refused: {text}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if found is None:
        raise SystemExit(f"unexpected output: {text}")
    return float(found[1])


def once(port: int, path: str) -> float:
    """Seconds that one request takes."""
    from urllib.request import urlopen  # noqa: PLC0415 - only here

    begun = time.perf_counter()
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=120) as answer:
        answer.read()
    return time.perf_counter() - begun
