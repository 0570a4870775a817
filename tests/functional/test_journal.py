"""What the service writes has its priority in systemd's journal."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.functional.nginx import reserved_port
from tests.functional.test_readme import FLASK_APP
from tests.functional.vendors import Vendor, clean_environment
from tests.pages import commands, take
from tests.plugins.flask_static.conftest import wait
from tests.wheelhouse import build_wheel

JOURNALD: Final = Path("/lib/systemd/systemd-journald")
ENTITLEMENTS: Final = Path(sys.executable).with_name("entitlements")

SHOWN: Final = take("docs/operations.md", "console", "journalctl")

WORKER: Final = """
import logging, logging.config
from entitlements_core.cli.serve.log import LOGGING
logging.config.dictConfig(dict(LOGGING))
logging.getLogger("entitlements.test").warning("two\\nlines")
logging.getLogger("_granian").warning("of the server")
logging.getLogger("granian.access").info("of a request")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("entitlements.test").exception("a fault")
"""


class Journal:
    """A journal of its own."""

    def __init__(self) -> None:
        self.name = f"entitlements-{secrets.token_hex(4)}"
        self.directory = Path(f"/run/systemd/journal.{self.name}")

    def run(self, words: list[str], home: Path, *, named: bool = True) -> None:
        """Run a command as a service, to its end."""
        with self.started(words, home, named=named) as process:
            process.wait(60)

    @contextmanager
    def started(
        self, words: list[str], home: Path, *, named: bool = True, **settings: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start a service: both streams are the journal's, systemd.exec(5)."""
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(str(self.directory / "stdout"))
            # Identifier, unit, priority (info), whether "<N>" is read, and three to forward to.
            stream.sendall(b"one\n\n6\n1\n0\n0\n0\n")
            found = os.fstat(stream.fileno())
            name = f"{found.st_dev}:{found.st_ino if named else 1}"
            environment = clean_environment(
                ENTITLEMENTS_HOME=str(home), JOURNAL_STREAM=name, **settings
            )
            process = subprocess.Popen(
                words,
                stdout=stream.fileno(),
                stderr=stream.fileno(),
                env=environment,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                process.terminate()
                process.wait(60)

    def entries(self, *words: str) -> list[str]:
        """The messages that journalctl shows."""
        command = ["journalctl", f"--namespace={self.name}"]
        subprocess.run([*command, "--sync"], check=True, timeout=60)
        command += ["-t", "one", "-o", "cat", "--no-pager", *words]
        # 1 is that none matches.
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return ended.stdout.splitlines()


@pytest.fixture
def journal() -> Iterator[Journal]:
    """To which systemd would connect a service."""
    if not JOURNALD.exists() or os.geteuid():
        pytest.skip("systemd is not installed, or this is not root; .ci/run does and is")
    one = Journal()
    process = subprocess.Popen([JOURNALD, one.name], stderr=subprocess.DEVNULL)
    try:
        wait((one.directory / "stdout").exists)
        yield one
    finally:
        process.terminate()
        process.wait(60)
        for place in ("/run/systemd", "/run/log/journal", "/var/log/journal"):
            for left in Path(place).glob(f"*.{one.name}"):
                shutil.rmtree(left)


def test_lines_have_their_priority(journal: Journal, tmp_path: Path) -> None:
    journal.run([sys.executable, "-c", WORKER], tmp_path)
    warnings = ["[WARNING] two", "lines", "[WARNING] of the server"]
    assert journal.entries("-p", "warning..warning") == warnings
    errors = journal.entries("-p", "err")
    assert errors[0] == "[ERROR] a fault"
    assert errors[-1].startswith("ZeroDivisionError")
    assert journal.entries("-p", "info..info") == ["of a request"]


def test_a_service_that_does_not_start_is_an_error(journal: Journal, tmp_path: Path) -> None:
    words = ["serve", str(tmp_path / "none"), "--repo", "acme/prod"]
    journal.run([str(ENTITLEMENTS), *words], tmp_path / "home")
    first, *_ = journal.entries("-p", "err")
    assert first.startswith("Error: ")
    assert journal.entries("-p", "err") == journal.entries()


def test_another_stream_is_left_as_it_is(journal: Journal, tmp_path: Path) -> None:
    """JOURNAL_STREAM is inherited by what writes elsewhere."""
    journal.run([sys.executable, "-c", WORKER], tmp_path, named=False)
    assert journal.entries("-p", "warning") == []
    assert "[WARNING] two" in journal.entries()


@pytest.mark.parametrize(
    "command",
    [
        "entitlements serve packages --repo acme/prod --port 0",
        "pypi-server-entitled run -i 127.0.0.1 -p {port} packages",
        "gunicorn --bind 127.0.0.1:0 vendor:create_app()",
    ],
    ids=["serve", "pypiserver", "gunicorn"],
)
def test_the_page_shows_warnings_of_a_server(
    command: str, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home that everybody may enter is one."""
    vendor = Vendor(tmp_path)
    vendor.core.close()
    vendor.home.chmod(0o755)
    build_wheel(vendor.packages, "acme-core", "1.0")
    (tmp_path / "vendor.py").write_text(FLASK_APP.replace("/srv/", f"{tmp_path}/"))
    monkeypatch.chdir(tmp_path)
    program, *words = command.replace("{port}", str(reserved_port())).split()
    [line] = commands(SHOWN)
    asked = shlex.split(line)[3:]

    def told() -> bool:
        return any("Everybody could enter" in entry for entry in journal.entries(*asked))

    words = [str(ENTITLEMENTS.with_name(program)), *words]
    with journal.started(words, vendor.home, ENTITLEMENTS_REPOSITORY="acme/prod") as process:
        wait(lambda: told() or process.poll() is not None)
        assert told(), journal.entries()
