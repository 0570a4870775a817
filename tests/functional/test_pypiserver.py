"""pypiserver with entitlements: real servers, real pip, uv and twine."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from entitlements_core.policy.credential import Access
from entitlements_core.policy.token import TokenGrant
from tests.actors import person
from tests.functional import nginx
from tests.functional.pypiservers import (
    BIN,
    FORMS,
    PUBLISHER,
    SECONDS,
    Form,
    Server,
    basic,
    serving,
)
from tests.functional.vendors import REPOSITORY, Client, Ended, Vendor, clean_environment
from tests.pages import commands, take
from tests.wheelhouse import build_wheel, wheel_bytes

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
WHEEL: Final = "lab_foo-1.0-py3-none-any.whl"
STARTED: Final = take("docs/pypiserver.md", "console", "uwsgi --http")
BY_NAME: Final = {form.name: form for form in FORMS}
WAITRESS: Final = FORMS[0]
PRELOADED: Final = BY_NAME["run-gunicorn-kgevent--preload"]


def twine(server: Server, user: str, password: str, *files: Path) -> Ended:
    """Upload files with the real twine."""
    command = [
        sys.executable,
        "-m",
        "twine",
        "upload",
        "--non-interactive",
        "--disable-progress-bar",
    ]
    command += ["--repository-url", f"{server.url}/", "-u", user, "-p", password, *map(str, files)]
    ended = subprocess.run(
        command,
        env=clean_environment(HOME=str(server.log.parent)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Ended(ended.returncode, " ".join(ended.stdout.split()))  # it wraps its lines


def writer(vendor: Vendor, query: str | None) -> str:
    """The secret of a token that may upload."""
    grant = TokenGrant(repository=REPOSITORY, access=Access.WRITE, limit_package_query=query)
    return vendor.core.lifecycle.create("writer", [grant], actor=person("test")).secret or ""


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what happens within a second on a machine that has time."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("server", ["uwsgi", "gunicorn --threads", "gunicorn -k gevent"])
def test_what_is_printed_for_other_servers(vendor: Vendor, server: str) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    secret = vendor.token("customer").secret or ""
    [line] = [line for line in commands(STARTED) if line.startswith(f"{server} ")]
    words = shlex.split(line.replace("/srv/packages", str(vendor.packages)))
    words = [word.replace(":8080", "127.0.0.1:{port}") for word in words]

    with serving(vendor, Form("printed", (str(BIN / words[0]), *words[1:]))) as running:
        page = running.with_token(secret, "/simple/lab-foo/")
        log = running.log
    assert page.status == 200
    assert WHEEL in page.text
    said = log.read_text()
    assert secret not in said
    assert "Traceback" not in said


GEVENT: Final = tuple(form for form in FORMS if "gevent" in form.name)


@pytest.mark.parametrize("form", GEVENT, ids=[form.name for form in GEVENT])
def test_changes_are_seen_after_a_long_first_look(vendor: Vendor, form: Form) -> None:
    for number in range(150):
        build_wheel(vendor.packages, f"lab-part{number}", "1.0", padding=100_000)
    build_wheel(vendor.packages, "lab-foo", "1.0")
    secret = vendor.token("customer").secret or ""

    with serving(vendor, form) as server:
        for version in ("2.0", "3.0"):
            build_wheel(vendor.packages, "lab-foo", version)
            eventually(lambda: version in server.with_token(secret, "/simple/lab-foo/").text)  # noqa: B023 - called at once


@pytest.mark.parametrize("form", FORMS, ids=[form.name for form in FORMS])
def test_each_form_of_start_protects(vendor: Vendor, form: Form) -> None:
    data = build_wheel(vendor.packages, "lab-foo", "1.0", padding=300_000).read_bytes()
    build_wheel(vendor.packages, "lab-bar", "1.0")
    secret = vendor.token("customer", "name:^lab-foo$").secret or ""
    uploads = writer(vendor, "name:^lab-foo$")
    new = build_wheel(vendor.root / "new", "lab-foo", "2.0")

    large = b"x" * 3_000_000

    with serving(vendor, form) as server, slow_stranger(server) as stranger_answer:
        listed = server.with_token(secret, "/simple/")
        by_path = server.request(f"/+t/{secret}/packages/{WHEEL}")
        hidden = server.with_token(secret, "/simple/lab-bar/")
        unknown = server.with_token(secret, "/simple/no-such-thing/")
        stranger = server.request("/simple/")
        published = server.request("/simple/", basic(*PUBLISHER))
        health = server.request("/health")
        refused = server.upload(("token", secret), new.name, new.read_bytes())
        taken = server.upload(("token", uploads), new.name, new.read_bytes())
        eventually(lambda: "2.0" in server.with_token(secret, "/simple/lab-foo/").text)
        turned_away = server.upload(("token", "wrong"), new.name, large)
        slow = None if form.name in BUFFERING else stranger_answer()

    assert "lab-foo" in listed.text
    assert "lab-bar" not in listed.text
    assert (by_path.status, by_path.body) == (200, data)
    assert (hidden.status, unknown.status, stranger.status) == (404, 404, 401)
    assert hidden.body == unknown.body
    assert "lab-bar" in published.text
    assert (health.status, health.text) == (200, "Ok")
    assert (refused.status, refused.reason) == (403, "Entitlement is read-only")
    assert taken.status == 200, taken.text
    assert (turned_away.status, turned_away.reason) == (401, "Unknown or revoked entitlement token")
    assert slow is None or b" 401 " in slow
    log = server.log.read_text()
    sent = [secret, uploads, *(coded(*user) for user in (PUBLISHER, ("token", secret)))]
    assert not [word for word in sent if word in log]
    if form.name not in {"run-auto", "python-m", "uwsgi"}:  # they write no access log
        assert f"/+t/***/packages/{WHEEL}" in log


BUFFERING: Final = {"run-auto", "python-m"}
"""waitress asks the application when it has the whole body, which it waits for in no thread."""


@contextmanager
def slow_stranger(server: Server) -> Iterator[Callable[[], bytes]]:
    """Somebody who announces a large upload and sends a little of it; gives the answer's line."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    with socket.create_connection(("127.0.0.1", server.port), SECONDS) as connection:
        connection.sendall(head + b"Content-Length: 5000000\r\n\r\n" + b"x" * 1000)
        yield connection.makefile("rb").readline


def coded(user: str, password: str) -> str:
    return basic(user, password)["Authorization"].removeprefix("Basic ")


@pytest.fixture(params=["pip", "uv"])
def client(request: pytest.FixtureRequest) -> Client:
    """Each client in turn; how old ones behave is tested with the engine."""
    found: Client = request.getfixturevalue(request.param)
    return found


def test_a_customer_installs(vendor: Vendor, client: Client, tmp_path: Path) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0", requires=["lab-bar"])
    build_wheel(vendor.packages, "lab-bar", "1.0")
    token = vendor.token("customer")

    with serving(vendor, WAITRESS) as server:
        host = server.url.removeprefix("http://")
        by_header = f"http://token:{token.secret}@{host}/simple/"
        by_path = f"http://{host}/+t/{token.secret}/simple/"
        ends = [
            client.install("lab-foo", by_header, tmp_path / "by-header"),
            client.install("lab-foo", by_path, tmp_path / "by-path"),
        ]
        vendor.core.lifecycle.edit(
            token.token.identifier,
            actor=person("test"),
            limit_date_range_to=datetime(2020, 1, 1, tzinfo=UTC),
        )
        refused = client.install("lab-foo", by_path, tmp_path / "refused")

    assert [ended.status for ended in ends] == [0, 0], ends
    assert (tmp_path / "by-header" / "lab_bar-1.0.dist-info").is_dir()
    assert (tmp_path / "by-path" / "lab_bar-1.0.dist-info").is_dir()
    assert vendor.downloads(token, NOW) == 2
    assert refused.status != 0
    assert "Entitlement expired" in refused.text


def test_a_publisher_publishes_while_customers_install(
    vendor: Vendor, pip: Client, tmp_path: Path
) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0", padding=100_000)
    token = vendor.token("customer", "name:^lab-foo$")
    secret = token.secret or ""
    news = [build_wheel(vendor.root / "new", "lab-foo", f"1.{number}") for number in range(1, 4)]

    with serving(vendor, BY_NAME["gunicorn-w2--threads4"]) as server, ThreadPoolExecutor(6) as pool:
        url = f"{server.url}/+t/{secret}/simple/"
        uploads = [pool.submit(twine, server, *PUBLISHER, path) for path in news]
        installs = [
            pool.submit(pip.install, "lab-foo", url, tmp_path / f"site{number}")
            for number in range(3)
        ]
        for task in (*uploads, *installs):
            assert task.result().status == 0, task.result().text
        eventually(lambda: "1.3" in server.with_token(secret, "/simple/lab-foo/").text)
        newest = pip.install("lab-foo", url, tmp_path / "newest")

    assert (tmp_path / "newest" / "lab_foo-1.3.dist-info").is_dir(), newest.text


def test_twine_and_uv_publish_with_a_grant_and_not_beyond_it(vendor: Vendor) -> None:
    secret = writer(vendor, "name:^lab-foo$")
    good = build_wheel(vendor.root / "new", "lab-foo", "1.0")
    other = build_wheel(vendor.root / "new", "lab-bar", "1.0")
    renamed = vendor.root / "lab_foo-9.0-py3-none-any.whl"
    renamed.write_bytes(wheel_bytes("lab-bar", "9.0"))
    readonly = vendor.token("customer").secret or ""

    with serving(vendor, WAITRESS) as server:
        statuses = [publish(server, secret, path) for path in (good, other, renamed)]
        reading = twine(server, "token", readonly, good)
        again = twine(server, "token", secret, good)

    assert [status == 0 for status, _ in statuses] == [True, False, False], statuses
    assert "not covered" in statuses[1][1]
    assert reading.status != 0
    assert "Entitlement is read-only" in reading.text
    assert again.status == 0, again.text
    assert [path.name for path in vendor.packages.iterdir()] == [WHEEL]


@pytest.mark.parametrize("who", ["token", "publisher"])
def test_twine_and_uv_say_that_a_file_exists(vendor: Vendor, who: str) -> None:
    there = build_wheel(vendor.packages, "lab-foo", "1.0")
    again = build_wheel(vendor.root / "new", "lab-foo", "1.0", padding=9)
    secret = writer(vendor, None)
    user = ("__token__", secret) if who == "token" else PUBLISHER
    before = there.read_bytes()
    keeping = tuple(word for word in WAITRESS.command if word != "--overwrite")

    with serving(vendor, Form("keeps", keeping)) as server:
        by_twine = twine(server, *user, again)
        status, by_uv = publish(server, user[1], again, user=user[0])

    assert "409" in by_twine.text
    assert f"File already exists: {WHEEL}" in by_twine.text
    assert status != 0
    assert f"File already exists: {WHEEL}" in by_uv
    assert ("--overwrite" in by_uv) == (who == "publisher")
    assert there.read_bytes() == before


def publish(server: Server, secret: str, path: Path, *, user: str = "__token__") -> tuple[int, str]:
    command = [str(BIN / "uv"), "publish", "--publish-url", f"{server.url}/"]
    ended = subprocess.run(
        [*command, "-u", user, "-p", secret, "--trusted-publishing", "never", str(path)],
        env=clean_environment(HOME=str(server.log.parent)),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return ended.returncode, " ".join((ended.stdout + ended.stderr).split())


def test_600_requests_at_once_under_gevent_see_each_their_own(vendor: Vendor) -> None:
    names = [f"lab-{number}" for number in range(20)]
    for name in names:
        build_wheel(vendor.packages, name, "1.0")
    secrets = {name: vendor.token(name, f"name:^{name}$").secret or "" for name in names}
    uploading = writer(vendor, "name:^new-*")
    news = {
        f"new_{number}-1.0-py3-none-any.whl": wheel_bytes(f"new-{number}", "1.0", padding=9_999)
        for number in range(5, 600, 6)
    }

    def ask(number: int) -> str:
        name = names[number % 20]
        other = names[(number + 7) % 20]
        match number % 6:
            case 0:
                answer = server.with_token(secrets[name], "/simple/")
                return "" if seen(answer.text) == [name] else answer.text
            case 1:
                answer = server.request(f"/+t/{secrets[name]}/simple/{name}/")
                return "" if answer.text.count("<a ") == 1 else answer.text
            case 2:
                answer = server.with_token(secrets[name], f"/simple/{other}/")
                return "" if answer.status == 404 else answer.text
            case 3:
                filename = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
                answer = server.with_token(secrets[name], f"/packages/{filename}")
                expected = (vendor.packages / filename).read_bytes()
                return "" if answer.body == expected else f"{answer.status} {filename}"
            case 4:
                answer = server.request("/simple/", basic(*PUBLISHER))
                return "" if set(names) <= set(seen(answer.text)) else answer.text
            case _:
                name = f"new_{number}-1.0-py3-none-any.whl"
                answer = server.upload(("token", uploading), name, news[name], pause=0.01)
                return "" if answer.status == 200 else f"{answer.status} {answer.text}"

    with serving(vendor, PRELOADED) as server, ThreadPoolExecutor(60) as pool:
        wrong = [answer for answer in pool.map(ask, range(600)) if answer]

    assert wrong == []
    assert {path.name: path.read_bytes() for path in vendor.packages.glob("new_*")} == news


def seen(page: str) -> list[str]:
    return re.findall(r'<a href="[^"]+">([^<]+)</a>', page)


def test_a_file_is_overwritten_while_customers_download_it(vendor: Vendor) -> None:
    path = build_wheel(vendor.packages, "lab-foo", "1.0", padding=2_000_000)
    token = vendor.token("customer")
    versions = {hashlib.sha256(path.read_bytes()).hexdigest()}
    news = [wheel_bytes("lab-foo", "1.0", padding=2_000_000 - number) for number in range(8)]
    versions |= {hashlib.sha256(new).hexdigest() for new in news}
    stop = threading.Event()
    wrong: list[str] = []
    served: set[str] = set()

    def download() -> None:
        while not stop.is_set():
            answer = server.with_token(token.secret or "", f"/packages/{WHEEL}")
            digest = hashlib.sha256(answer.body).hexdigest()
            if answer.status == 200:
                served.add(digest)
                if digest not in versions or answer.headers["etag"] != f'"{digest}"':
                    wrong.append(digest)
            elif answer.status != 404:
                wrong.append(f"{answer.status} {answer.reason}")

    with serving(vendor, WAITRESS) as server:
        customers = [threading.Thread(target=download) for _ in range(3)]
        for customer in customers:
            customer.start()
        for new in news:
            assert server.upload(PUBLISHER, WHEEL, new).status == 200
        last = hashlib.sha256(news[-1]).hexdigest()
        eventually(lambda: last in served)
        stop.set()
        for customer in customers:
            customer.join(SECONDS)

    assert wrong == []
    assert len(served) >= 2


def test_a_cache_in_front_keeps_no_private_file(vendor: Vendor, tmp_path: Path) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    mine, theirs = vendor.token("customer"), vendor.token("other", "name:^other$")
    caching = """
        location / {
            proxy_pass %s;
            proxy_cache shared;
            proxy_cache_key $uri;
            proxy_cache_valid 200 303 10m;
            add_header X-Cache $upstream_cache_status;
        }
    """
    paths = ("/simple/", "/simple/lab-foo/", f"/packages/{WHEEL}", f"/packages/{WHEEL}.metadata")

    with (
        serving(vendor, WAITRESS, "--cache-control", "600") as server,
        nginx.running(tmp_path / "nginx", caching % server.url) as front,
    ):
        cached = Server(int(front.rpartition(":")[2]), server.log)
        publisher = [cached.request(path, basic(*PUBLISHER)) for path in paths[:3]]
        first = [cached.with_token(mine.secret or "", path) for path in paths]
        other = [cached.with_token(theirs.secret or "", path) for path in paths]
        stranger = [cached.request(path) for path in paths]

    assert [answer.status for answer in publisher + first] == [200] * 7
    assert [answer.status for answer in other] == [200, 404, 404, 404]
    assert "lab-foo" not in other[0].text
    assert [answer.status for answer in stranger] == [401] * 4
    everything = publisher + first + other + stranger
    assert not any(answer.headers.get("x-cache") == "HIT" for answer in everything)
    assert publisher[2].headers["cache-control"] == "private, max-age=600"


def test_below_a_base_path_pip_installs(vendor: Vendor, pip: Client, tmp_path: Path) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    token = vendor.token("customer")

    with serving(vendor, WAITRESS, "--server-base-url", "/idx/", base="/idx") as server:
        url = f"{server.url}/+t/{token.secret}/simple/"
        ended = pip.install("lab-foo", url, tmp_path / "site")

    assert ended.status == 0, ended.text


def test_what_is_wrong_ends_the_start_in_words(vendor: Vendor) -> None:
    vendor.core.close()
    command = [str(BIN / "pypi-server-entitled"), "run", "-p", "0", str(vendor.packages)]
    environment = {"ENTITLEMENTS_HOME": str(vendor.home), "ENTITLEMENTS_REPOSITORY": "acme/none"}

    ended = subprocess.run(
        command,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )

    assert ended.returncode == 1
    assert "entitlements repo add acme/none" in ended.stderr
    assert "Traceback" not in ended.stderr


DOCKERFILE: Final = Path(__file__).parents[2] / "plugins" / "pypiserver" / "Dockerfile"


def test_the_steps_of_the_image_make_pypi_server_ours(vendor: Vendor, tmp_path: Path) -> None:
    build_wheel(vendor.packages, "lab-foo", "1.0")
    secret = vendor.token("customer").secret or ""
    python = environment_of_its_own(tmp_path / "image")
    arguments = {
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PACKAGE": f"{DOCKERFILE.parents[2]}[pypiserver]",
        "OWNER": f"{os.getuid()}:{os.getgid()}",
        "ENTITLEMENTS_HOME": str(vendor.home),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say no
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }

    for step in steps(DOCKERFILE):
        ran = subprocess.run(
            ["sh", "-c", step],
            env=clean_environment(**arguments),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert ran.returncode == 0, f"{step}\n{ran.stdout}{ran.stderr}"

    image = Form("image", (str(python.with_name("pypi-server")), *RUN_IN_IMAGE))
    with serving(vendor, image) as server:
        assert server.request("/simple/").status == 401
        assert "lab-foo" in server.with_token(secret, "/simple/").text
    by_import = Form("by-import", (str(python), "-m", "pypiserver", *RUN_IN_IMAGE))
    with serving(vendor, by_import) as server:
        assert server.request("/simple/").status == 401
        assert "lab-foo" in server.with_token(secret, "/simple/").text


RUN_IN_IMAGE: Final = ("run", "-p", "{port}", "-i", "127.0.0.1", "{packages}")


def steps(dockerfile: Path) -> list[str]:
    """The commands of RUN, each as one line."""
    text = dockerfile.read_text().replace("\\\n", " ")
    return [line.removeprefix("RUN ") for line in text.splitlines() if line.startswith("RUN ")]


def environment_of_its_own(root: Path) -> Path:
    """The interpreter of a virtual environment that sees what is installed here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], check=True, timeout=60)
    python = root / "bin" / "python"
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    here = [path for path in sys.path if "site-packages" in path]
    Path(found.stdout.strip(), "here.pth").write_text("".join(f"{path}\n" for path in here))
    return python
