"""Runs the console blocks of a page one command after the other, as somebody would type them.

What is replaced is in two tables: of addresses and directories (the caller's), and of programs that
would change the machine, ask at a terminal or take minutes (`PROGRAMS`).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Self

import httpx

from tests.functional.vendors import clean_environment
from tests.pages import ROOT, commands
from tests.plugins.flask_static.conftest import wait

__all__ = ["SERVERS", "Console", "build"]

UV: Final = Path(sys.executable).with_name("uv")
SECONDS: Final = 180

SERVERS: Final = re.compile(
    r"(?:\S*/)?(?:entitlements serve|gunicorn|waitress-serve|granian|uwsgi|uvicorn"
    r"|devpi-server(?! --version)|pypi-server-entitled run)\b"
)
"""Commands that go on until they are ended."""

INSTALL: Final = """\
case " $* " in
*" --index-url "*) exec "$(dirname "$0")/python" -m pip "$@" --retries 0 --no-cache-dir ;;
*)
    export UV_CACHE_DIR={cache} {index}
    unset UV_NO_CACHE
    exec "{uv}" pip "$@" --quiet --python "$(dirname "$0")/python" --find-links "{dist}"
    ;;
esac
"""

PROGRAMS: Final = {
    # An environment is made by uv, and what its pip installs from an index of everybody, too.
    # Whatever a customer installs is the real pip's.
    "python3": """\
[ "$1 $2" = "-m venv" ] || exec "{python}" "$@"
export UV_CACHE_DIR={cache} {index}
unset UV_NO_CACHE
# Always at one path, so that what was compiled for one test is there for the next.
"{uv}" venv --quiet --seed --clear --python "{python}" "{dist}/environment" || exit
cp "{shims}/.pip" "{dist}/environment/bin/pip"
rmdir "$3" 2> /dev/null
ln -s "{dist}/environment" "$3"
""",
    "uv": 'exec "{uv}" "$@"\n',
    "sudo": '[ "$1" = -u ] && shift 2\nexec "$@"\n',
    # Whoever runs the tests owns what is made.
    "install": 'exec "{python}" "{shims}/.install" "$@"\n',
    "useradd": "exit 0\n",
    "systemctl": "exit 0\n",
    # The password is asked for at a terminal.
    "htpasswd": 'exec /usr/bin/htpasswd -b "$@" a-password\n',
}
"""What stands in the place of a program, as the text of a shell script."""

INSTALLED: Final = {
    "python3": """\
[ "$1 $2" = "-m venv" ] || exec "{python}" "$@"
mkdir -p "$3/bin" && ln -sf "$(dirname "{python}")"/* "$3/bin" && rm -f "$3/bin/"{pip,uv}*
echo "PATH=$(cd "$3" && pwd)/bin:\\$PATH" > "$3/bin/.activate"
mv "$3/bin/.activate" "$3/bin/activate" && cp "{shims}/.pip" "$3/bin/pip"
""",
    ".pip": """\
case " $* " in
*" --index-url "*)
    exec "{python}" -m pip "$@" --retries 0 --no-cache-dir --target "{target}" --upgrade
    ;;
esac
""",
    "uv": 'exec "{uv}" "$@" --target "{target}-of-uv"\n',
}
"""The same where everything was installed before: nothing more is, but what customers install."""

_OWNERLESS: Final = """\
import subprocess, sys
words = sys.argv[1:]
while {"-o", "-g"} & set(words):
    at = next(number for number, word in enumerate(words) if word in {"-o", "-g"})
    del words[at : at + 2]
sys.exit(subprocess.call(["/usr/bin/install", *words]))
"""

_STATE: Final = """\
shopt -s expand_aliases
cd "$(cat {state}/cwd)" && . {state}/environment && . {state}/aliases
"""

_KEEP: Final = """
status=$?
pwd > {state}/cwd; export -p > {state}/environment; alias -p > {state}/aliases
exit $status
"""


def build(folder: Path, kind: str) -> Path:
    """Build ``--wheel`` or ``--sdist`` into a folder, which is returned."""
    command = [str(UV), "build", "--quiet", kind, "--no-build-isolation"]
    words = [*command, "--python", sys.executable, "--out-dir", str(folder), str(ROOT)]
    subprocess.run(words, check=True, capture_output=True, timeout=SECONDS)
    return folder


@dataclass
class Console:
    """A shell over a machine of its own below `root`.

    Attributes:
        root: holds all that is written.
        dist: where the wheel lies; None: what is installed beside the tests is used.
        table: what is replaced in each command.
        stock: programs that are run as they are, though `PROGRAMS` has them.
        environment: of the first command, beside what a user has.
        secret: the last one that was printed; ``SECRET`` in a command.
        identifier: the last one of a token; ``SLUG_PERM`` in a command.
        output: of all commands.
    """

    root: Path
    dist: Path | None
    table: Mapping[str, str]
    stock: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)
    secret: str = "SECRET"
    identifier: str = "SLUG_PERM"
    output: list[str] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        home, self._state, shims = (self.root / name for name in ("home", "state", "shims"))
        for folder in (home, self._state, shims):
            folder.mkdir(parents=True, exist_ok=True)
        index = [f'{name}="{value}"' for name, value in os.environ.items() if _is_of_index(name)]
        names = {
            "uv": str(UV),
            "dist": str(self.dist),
            "python": str(Path(sys.executable)),
            "shims": str(shims),
            "index": " ".join(index),
            "target": str(self.root / "site"),
            "cache": _output(UV, "cache", "dir"),
        }
        scripts = {".pip": INSTALL, **PROGRAMS}
        if not self.dist:
            scripts |= {**INSTALLED, "pip": INSTALLED[".pip"]}
        for name, text in scripts.items():
            if name not in self.stock:
                (shims / name).write_text("#!/bin/bash\n" + _filled(text, names))
                (shims / name).chmod(0o755)
        (shims / ".install").write_text(_OWNERLESS)
        beside = "" if self.dist else f"{UV.parent}:"
        path = f"{shims}:{beside}/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        real = {name: os.environ[name] for name in os.environ if _is_of_index(name)}
        self._environment = clean_environment(
            PATH=path,
            HOME=str(home),
            UV_NO_CACHE="1",
        )
        self._environment |= self.environment
        if self.dist:
            self._environment["PYTHONPYCACHEPREFIX"] = str(self.dist / "compiled")
        for name in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"):
            self._environment.pop(name, None)
        if "python3" in self.stock:
            links = f"{self.dist} {real.get('PIP_FIND_LINKS', '')}"
            self._environment |= {**real, "PIP_FIND_LINKS": links}
            del self._environment["PIP_CONFIG_FILE"]
        for name, text in (("cwd", str(home)), ("environment", ""), ("aliases", "")):
            (self._state / name).write_text(text)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def home(self) -> Path:
        """Of whoever types."""
        return self.root / "home"

    def type(self, text: str, *, url: str = "", path: str = "/+health") -> str:
        """Run the commands of a block; servers go on until the console is left.

        Args:
            text: of a console block.
            url: of its servers.
            path: answers below 400 once they are ready.

        Returns:
            What all its commands printed.
        """
        return "".join(self.run(command, url=url, path=path) for command in commands(text))

    def run(self, command: str, *, url: str = "", path: str = "/+health", status: int = 0) -> str:
        """Run one command, which ends with `status`; for the rest see `type`."""
        typed = self._replaced(command)
        if SERVERS.match(command):
            self._stack.enter_context(self._serving(typed, f"{url}{path}"))
            return ""
        ended = self._bash(typed)
        self.output.append(f"$ {typed}\n{ended.stdout}")
        assert ended.returncode == status, "".join(self.output[-4:])
        self._remember(ended.stdout)
        return ended.stdout

    def stop(self) -> None:
        """End the servers."""
        self._stack.close()

    def _bash(self, typed: str) -> subprocess.CompletedProcess[str]:
        before = _STATE.format(state=self._state)
        after = _KEEP.format(state=self._state)
        return subprocess.run(
            ["/bin/bash", "-c", f"{before}{typed}\n{after.strip()}\n"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    @contextmanager
    def _serving(self, typed: str, asked: str) -> Iterator[None]:
        log = self.root / "server.log"
        with log.open("ab") as output:
            process = self._started(typed, output)
        try:
            wait(lambda: process.poll() is not None or _is_ready(asked))
            assert process.poll() is None, f"{typed}\n{log.read_text()}"
            yield
        finally:
            # Its workers are the server's own to end: uWSGI's that are told as well may hold it up.
            process.terminate()
            process.wait(60)

    def _started(self, typed: str, output: IO[bytes]) -> subprocess.Popen[bytes]:
        before = _STATE.format(state=self._state)
        return subprocess.Popen(
            ["/bin/bash", "-c", f"{before}exec {typed}"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def _replaced(self, command: str) -> str:
        table = {**self.table, "SECRET": self.secret, "SLUG_PERM": self.identifier}
        pattern = "|".join(map(re.escape, sorted(table, key=len, reverse=True)))
        return re.sub(pattern, lambda found: table[found[0]], command)

    def _remember(self, printed: str) -> None:
        if found := re.findall(r"\bent_[0-9A-Za-z]{38}\b", printed):
            self.secret = found[-1]
        if named := re.findall(r"(?m)^Token .*\((\w{12})\)", printed):
            self.identifier = named[-1]


def _output(*command: object) -> str:
    words = [str(word) for word in command]
    ended = subprocess.run(words, check=True, capture_output=True, text=True, timeout=SECONDS)
    return ended.stdout.strip()


def _filled(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _is_of_index(name: str) -> bool:
    return name.startswith(("PIP_", "UV_"))


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=30).status_code < 400
    except httpx.TransportError:
        return False
