"""``entitlements serve`` as a real process."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pytest

from entitlements_core.cli.serve import granian, listener
from entitlements_core.cli.serve.waitress import run_waitress
from entitlements_core.errors import ConfigurationError
from tests.cli.conftest import CommandLine
from tests.wheelhouse import build_wheel

ENTITLEMENTS = str(Path(sys.executable).with_name("entitlements"))
SERVERS = ("granian", "waitress")


@dataclass
class Running:
    """A server that answers."""

    process: subprocess.Popen[str]
    where: dict[str, Any]
    log: Path

    def get(self, path: str, secret: str = "") -> tuple[int, str, bytes]:
        """Status, reason phrase and body of an answer."""
        request = urllib.request.Request(self.where["url"] + path)  # noqa: S310 - loopback
        if secret:
            word = b64encode(f"token:{secret}".encode()).decode()
            request.add_header("Authorization", f"Basic {word}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - loopback
                return answer.status, answer.reason, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.reason, error.read()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and give the exit status."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def starting(cli: CommandLine, packages: Path, *options: str) -> Iterator[Running]:
    """A server on a free port, which may not answer yet; what is left is killed at the end."""
    log = cli.home / "log"
    command = [ENTITLEMENTS, "--home", str(cli.home), "serve", str(packages), "--repo", "acme/prod"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, "--port", "0", "--json", *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"ENTITLEMENTS_DATABASE_URL": ""},
            start_new_session=True,
        )
    try:
        yield Running(process, {}, log)
    finally:
        for child in _children(process.pid):
            child.kill()
        process.kill()
        process.communicate()


@contextmanager
def serving(cli: CommandLine, packages: Path, *options: str) -> Iterator[Running]:
    """A server on a free port; whatever is left of it is killed at the end."""
    with starting(cli, packages, *options) as running:
        assert running.process.stdout is not None
        line = running.process.stdout.readline()
        assert line, running.log.read_text()
        running.where = json.loads(line)
        yield running


def survivors(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run some seconds after their parent; the interpreter's own end after it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        alive = [one for one in processes if not is_zombie(one)]
        if not alive:
            return []
        time.sleep(0.02)
    return alive


def is_zombie(process: psutil.Process) -> bool:
    """Whether it has ended and only waits to be counted; nobody here would count it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.mark.functional
def test_a_client_writes_no_line_of_the_access_log(cli: CommandLine, packages: Path) -> None:
    token = cli.token()["token"]
    with serving(cli, packages, "--server", "granian", "--access-log") as running:
        for path in ("/simple/a%0d%0a127.0.0.1%20forged/", "/simple/%1b%5b2Jforged/"):
            assert running.get(path, token)[0] == 404
        assert running.get("/simple/demo/", token)[0] == 200
        running.stop()
        assert running.process.stdout is not None
        lines = (running.process.stdout.read() + running.log.read_text()).split("\n")
    assert not [line for line in lines if line.startswith("127.0.0.1 forged")]
    assert len([line for line in lines if "forged" in line]) == 2
    assert all(line.isprintable() for line in lines)


@pytest.mark.functional
@pytest.mark.parametrize("server", SERVERS)
def test_serves_to_tokens_and_to_nobody_else(cli: CommandLine, packages: Path, server: str) -> None:
    token = cli.token("--query", "name:^demo$", "--max-downloads", "1")["token"]
    with serving(cli, packages, "--server", server, "--access-log") as running:
        assert running.where["simple_url"].endswith("/simple/")
        assert running.where["repository"] == "acme/prod"
        assert running.get("/+health")[0] == 200
        assert running.get("/simple/demo/")[0] == 401
        status, _, page = running.get("/simple/demo/", token)
        assert status == 200
        assert b"demo-1.0-py3-none-any.whl" in page
        assert running.get(f"/+t/{token}/simple/demo/")[0] == 200
        assert running.get("/simple/other/", token)[0] == 404
        assert running.get("/+t/another-custom-secret/simple/demo/")[0] == 410
        status, _, index = running.get("/simple/demo/", token)
        link = index.split(b'href="')[1].split(b"#")[0].split(b'"')[0].decode()
        path = link if link.startswith("/") else _joined("/simple/demo/", link)
        assert running.get(path, token)[0] == 200
        second = path.replace("demo-1.0", "demo-2.0")
        status, reason, body = running.get(second, token)
        assert status == 403
        assert b"download_limit" in body
        if server == "waitress":
            assert "Download limit" in reason
        children = _children(running.process.pid)
        assert running.stop() == 0
        assert not survivors(children)
        log = running.log.read_text()
    # The log shows the requests, and never a secret.
    assert "/+t/***/simple/demo/" in log
    assert token not in log
    assert "another-custom-secret" not in log
    assert "Traceback" not in log


def _joined(base: str, link: str) -> str:
    from urllib.parse import urljoin

    return urljoin(base, link)


@pytest.mark.functional
@pytest.mark.parametrize("server", SERVERS)
def test_ends_with_ctrl_c_and_logs_no_request_unasked(
    cli: CommandLine, packages: Path, server: str
) -> None:
    with serving(cli, packages, "--server", server, "--workers", "1", "--threads", "2") as running:
        assert running.get("/+health")[0] == 200
        assert running.stop(signal.SIGINT) == 0
        assert "+health" not in running.log.read_text()


def complaints(running: Running) -> list[str]:
    """What a server wrote, but for what it thinks of this machine."""
    lines = running.log.read_text().splitlines()
    return [line for line in lines if "Configur" not in line and "Packages here need" not in line]


@pytest.mark.functional
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("server", SERVERS)
def test_a_signal_to_all_of_its_processes_ends_it(
    cli: CommandLine, packages: Path, server: str, number: signal.Signals, times: int
) -> None:
    """As a terminal sends Ctrl-C, and a supervisor its order to end; nobody is cut off."""
    options = ["--server", server, *(["--workers", "3"] if server == "granian" else [])]
    with serving(cli, packages, *options) as running:
        for _ in range(times):
            os.killpg(running.process.pid, number)
        assert running.process.wait(30) in {0, -number}
        assert complaints(running) == []


@pytest.mark.functional
@pytest.mark.parametrize("started", [1, 2, 3])
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_a_server_that_starts(
    cli: CommandLine, packages: Path, started: int, times: int
) -> None:
    """Whatever its workers import, open or wait for."""
    with starting(cli, packages, "--server", "granian", "--workers", "3") as running:
        while len(workers(running)) < started:
            assert running.process.poll() is None
            time.sleep(0.01)
        for _ in range(times):
            os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(30) in {0, 130, -signal.SIGINT}
        assert complaints(running) == []


@pytest.mark.functional
def test_a_worker_that_is_told_to_end_is_started_again(cli: CommandLine, packages: Path) -> None:
    with serving(cli, packages, "--server", "granian", "--workers", "2") as running:
        [first, _] = workers(running)
        first.send_signal(signal.SIGTERM)
        eventually(running, "Respawning")
        assert running.stop() == 0


def eventually(running: Running, words: str, times: int = 1) -> None:
    """Wait until the server has logged something."""
    deadline = time.monotonic() + 60
    while running.log.read_text().count(words) < times:
        assert time.monotonic() < deadline, running.log.read_text()
        time.sleep(0.02)


def workers(running: Running) -> list[psutil.Process]:
    """The processes that answer, as the resource tracker does not."""
    return [one for one in _children(running.process.pid) if "spawn_main" in str(one.cmdline())]


@pytest.mark.functional
def test_a_killed_worker_is_started_again(cli: CommandLine, packages: Path) -> None:
    token = cli.token()["token"]
    with serving(cli, packages, "--workers", "2") as running:
        before = workers(running)
        assert len(before) == 2
        before[0].kill()
        eventually(running, "Respawning worker")
        deadline = time.monotonic() + 60
        while len(now := [one for one in workers(running) if not is_zombie(one)]) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert before[1] in now
        before[1].kill()  # so that the new one has to answer
        while True:
            with contextlib.suppress(OSError):
                status, _, page = running.get("/simple/demo/", token)
                break
            assert time.monotonic() < deadline
        log = running.log.read_text()
        assert status == 200, (page, log)
        assert b"demo-1.0-py3-none-any.whl" in page
        assert log.count("Unexpected exit from worker-") == 2
        assert "Spawning" not in log
        assert running.stop() == 0


@pytest.mark.functional
@pytest.mark.parametrize("number", [1, 2])
def test_workers_that_end_at_once_again_end_the_server(
    cli: CommandLine, packages: Path, number: int
) -> None:
    with serving(cli, packages, "--workers", str(number)) as running:
        before = workers(running)
        (cli.home / "key").rename(cli.home / "lost-key")
        for count, worker in enumerate(before, 1):  # so that they end in turn from then on
            worker.kill()
            eventually(running, "Respawning worker", count)
        assert running.process.wait(60) == 1
        log = running.log.read_text()
        assert "crash loop" in log
        assert "key" in log
        assert "Traceback" not in log


def test_workers_are_started_again_some_times_in_a_minute() -> None:
    known, now = granian.Respawned(), [100.0]
    with mock.patch("time.monotonic", side_effect=lambda: now[0]):
        for start in range(granian.MOST_STARTS):
            now[0] = 100.0 + 6 * start
            assert known.get(start % 2, 0.0) <= now[0] - 5.5
            known.clear()  # as granian does
            known[start % 2] = now[0]
        assert known.get(0, 0.0) == now[0]
        now[0] += 12.0
        assert known.get(0, 0.0) == now[0] - 12.0


@pytest.mark.functional
@pytest.mark.parametrize("server", SERVERS)
def test_what_is_being_sent_arrives_when_the_server_ends(
    cli: CommandLine, packages: Path, server: str
) -> None:
    wheel = build_wheel(packages, "large", "1.0", padding=40 << 20)
    token = cli.token()["token"]
    with serving(cli, packages, "--server", server) as running:
        host, port = running.where["url"].removeprefix("http://").split(":")
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            slow.connect((host, int(port)))
            slow.sendall(
                f"GET /+t/{token}/packages/{wheel.name} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
            )
            head, _, body = slow.recv(4096).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            running.process.send_signal(signal.SIGTERM)
            time.sleep(1.0)  # what is not sent on meanwhile is lost
            left = wheel.stat().st_size - len(body)
            while left and (data := slow.recv(1 << 20)):
                left -= len(data)
        assert left == 0
        assert running.process.wait(30) == 0
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((host, int(port)))


@pytest.mark.functional
def test_workers_end_with_the_server(cli: CommandLine, packages: Path) -> None:
    with serving(cli, packages, "--workers", "2") as running:
        left = _children(running.process.pid)
        running.process.kill()
        running.process.wait(30)
        try:
            assert survivors(left) == []
        finally:
            for one in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()


def test_a_directory_that_the_environment_cannot_name(cli: CommandLine, packages: Path) -> None:
    odd = packages.rename(packages.with_name("a,b"))
    refused = cli.refused("serve", str(odd), "--repo", "acme/prod", "--port", "0")
    assert refused["code"] == "configuration"


@pytest.mark.functional
def test_a_taken_port_is_refused(cli: CommandLine, packages: Path) -> None:
    with serving(cli, packages, "--workers", "1") as running:
        port = running.where["url"].rpartition(":")[2]
        words = ("serve", str(packages), "--repo", "acme/prod", "--port", port)
        refused = cli.refused(*words)
        assert "cannot listen" in refused["detail"]


@pytest.mark.parametrize("upstream", ["", "https://index.example/simple/"])
def test_what_customers_would_look_for_in_vain_is_said(
    cli: CommandLine, tmp_path: Path, upstream: str
) -> None:
    folder = tmp_path / "needing"
    build_wheel(folder, "acme-app", "1.0", requires=["old-need", "acme-util"])
    needs = ["acme-util>=1", "Public_Lib", 'tested; extra == "test"']
    build_wheel(folder, "acme-app", "2.0", requires=needs)
    build_wheel(folder, "acme-util", "1.0")
    # A port that is taken ends it behind the look at the files.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        words = ("serve", str(folder), "--repo", "acme/prod", "--port", f"{taken.getsockname()[1]}")
        ran = cli(*words, ENTITLEMENTS_UPSTREAM=upstream)
    assert ran.status == 1
    said = "Packages here need what is not here: public-lib. With" in ran.err
    assert said == (not upstream)
    assert "old-need" not in ran.err


def test_directories_without_a_distribution_are_warned_of(
    cli: CommandLine, packages: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("Nothing here.")
    # An address that is not this machine's ends it behind the look at the files.
    words = ("--repo", "acme/prod", "--port", "0", "--host", "192.0.2.1")
    said = f"Warning: No distribution is in {empty}: there is nothing to serve yet.\n"
    assert cli("serve", str(empty), *words).err.count(said) == 1
    assert "No distribution" not in cli("serve", str(empty), str(packages), *words).err
    assert cli.refused("serve", str(empty), *words)["code"] == "configuration"


def test_what_cannot_be_served(cli: CommandLine, packages: Path) -> None:
    words = ("serve", str(packages), "--repo")
    assert cli.refused(*words, "acme/nope")["code"] == "not_found"
    assert cli.refused("serve", str(packages / "gone"), "--repo", "acme/prod")["code"] == (
        "configuration"
    )
    refused = cli.refused(*words, "acme/prod", "--port", "0", "--host", "192.0.2.1")
    assert refused["code"] == "configuration"
    assert cli.refused(*words, "acme/prod", "--port", "70000", status=2)["code"] == "usage"


def test_a_server_that_is_not_installed(
    cli: CommandLine, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    refused = cli.refused("serve", str(packages), "--repo", "acme/prod")
    assert "pip install 'index-entitlements[serve]'" in refused["detail"]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("example.org", "http://example.org:1"),
    ],
)
def test_where_to_connect(host: str, url: str, options: listener.ServeOptions) -> None:
    assert replace(options, host=host, port=1).url == url


def test_a_name_stands_for_its_address() -> None:
    with listener.bind_socket("localhost", 0) as bound:
        host, port = bound.getsockname()[:2]
    assert host in {"127.0.0.1", "::1"}
    assert port > 0


@pytest.mark.parametrize("is_fresh", [True, False])
@pytest.mark.parametrize("server", SERVERS)
def test_nobody_takes_a_place_before_its_server_listens(server: str, *, is_fresh: bool) -> None:
    port = 0
    if not is_fresh:  # a connection of a former server is still known to the system
        with socket.create_server(("127.0.0.1", 0)) as former:
            port = former.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)):
                former.accept()[0].close()
    with listener.bind_socket("127.0.0.1", port) as bound:
        port = bound.getsockname()[1]
        require_taken(port)
        if server == "granian":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            require_taken(port)
            for _ in range(2):  # as each of its workers does
                with socket.create_server(("127.0.0.1", port), reuse_port=True):
                    require_taken(port)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as waitress does
            bound.listen()
        require_taken(port)


def require_taken(port: int) -> None:
    with pytest.raises(ConfigurationError, match="Address already in use"):
        listener.bind_socket("127.0.0.1", port)


@pytest.fixture
def options() -> Iterator[listener.ServeOptions]:
    """For a server on a free port."""
    with listener.bind_socket("127.0.0.1", 0) as bound:
        host, port = bound.getsockname()[:2]
        yield listener.ServeOptions(
            host=host, port=port, bound=bound, workers=1, threads=1, access_log=True
        )


class Stopped:
    """Stands for a server: it is told what to serve, and ends at once."""

    given: dict[str, Any]

    def __init__(self, *_: object, **given: object) -> None:
        Stopped.given = given

    def serve(self, **given: object) -> None:
        """Nothing to do."""
        Stopped.given |= given


def test_workers_read_their_settings_from_the_environment(
    cli: CommandLine,
    packages: Path,
    options: listener.ServeOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    core = cli.core()
    core.close()
    changes = {"repository": "acme/prod", "directories": (str(packages), "/b")}
    settings = core.settings.model_copy(update=changes)
    for name in granian.environment(settings):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("granian.server.Server", Stopped)
    monkeypatch.setattr("multiprocessing.set_start_method", lambda *_, **__: None)
    granian.run_granian(options, settings)
    # The tests' process hears what it is told, and more than once.
    monkeypatch.setattr(granian, "_hear_once", lambda: None)
    app = mock.Mock(is_ready=True)
    monkeypatch.setattr("entitlements_core.engine.serving.create_app", lambda: app)
    assert Stopped.given["target_loader"]() is app
    assert type(settings).load() == settings


def test_what_a_worker_cannot_open_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ENTITLEMENTS_HOME", str(tmp_path / "key"))
    (tmp_path / "key").write_text("a file where a directory should be")
    monkeypatch.setenv("ENTITLEMENTS_REPOSITORY", "acme/prod")
    monkeypatch.setenv("ENTITLEMENTS_DIRECTORIES", str(tmp_path))

    with pytest.raises(SystemExit, match="1"):
        granian._load()

    assert "the index cannot be opened" in caplog.text
    assert "Traceback" not in caplog.text


def test_readiness_is_not_waited_for_for_ever(
    options: listener.ServeOptions, monkeypatch: pytest.MonkeyPatch, cli: CommandLine
) -> None:
    monkeypatch.setattr(listener, "PATIENCE", 0.1)
    assert listener.wait_until_ready(options) is False
    options.bound.listen()
    core = cli.core()
    core.close()
    thread = listener.announce_when_ready(options, core.settings, as_json=True)
    thread.join(10)
    assert not thread.is_alive()


def test_waitress_in_this_process(
    cli: CommandLine,
    packages: Path,
    options: listener.ServeOptions,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    import threading

    import waitress

    core = cli.core()
    core.close()
    changes = {"repository": "acme/prod", "directories": (str(packages),)}
    settings = core.settings.model_copy(update=changes)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    made: list[Any] = []
    original = waitress.create_server

    def create(*arguments: object, **given: object) -> object:
        made.append(original(*arguments, **given))
        return made[0]

    monkeypatch.setattr("waitress.create_server", create)
    monkeypatch.setattr("logging.config.dictConfig", lambda _: None)
    thread = threading.Thread(target=run_waitress, args=(options, settings))
    thread.start()
    listener.announce_when_ready(options, settings, as_json=False).join(30)
    assert "Serving acme/prod at http://127.0.0.1:" in capfd.readouterr().err
    made[0].close()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_a_server_is_not_its_own_upstream(cli: CommandLine, packages: Path, host: str) -> None:
    with listener.bind_socket(host, 0) as bound:
        port = bound.getsockname()[1]
    words = ("serve", str(packages), "--repo", "acme/prod", "--host", host, "--port", f"{port}")
    refused = cli.refused(*words, "--upstream", f"http://localhost:{port}/simple/")
    assert "is this server itself" in refused["detail"]


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:{port}/simple/", True),
        ("http://127.0.0.2:{port}/simple/", True),  # also of this machine
        ("http://192.0.2.1:{port}/simple/", False),
        ("http://127.0.0.1:1/simple/", False),
        ("https://127.0.0.1/simple/", False),
        ("http://no.such.name.invalid:{port}/simple/", False),
        ("", False),
    ],
)
def test_what_leads_back_to_a_place(url: str, *, here: bool) -> None:
    with listener.bind_socket("0.0.0.0", 0) as bound:
        port = bound.getsockname()[1]
        assert listener.leads_here(url.format(port=port), bound) is here
