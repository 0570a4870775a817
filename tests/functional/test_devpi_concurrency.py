"""Many at once: nobody sees another's view, and a limit is met exactly."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from tests.functional import devpis
from tests.functional.devpi_vendor import EVERY_REQUEST, INDEX, DevpiVendor
from tests.functional.devpi_verbs import SECONDS, Devpi
from tests.wheelhouse import build_wheel

NOW: Final = datetime.now(UTC)  # noqa: TID251 - real servers have the real time
VERSIONS: Final = ("1.0", "2.0", "3.0")
WHEELS: Final = {version: f"lab_foo-{version}-py3-none-any.whl" for version in VERSIONS}
THREADS: Final = 8
REQUESTS: Final = 300


@dataclass(frozen=True)
class Shop:
    """A vendor with one token for each version."""

    vendor: DevpiVendor
    server: Devpi
    secrets: dict[str, str]
    paths: dict[str, str]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    vendor = DevpiVendor(tmp_path_factory.mktemp("crowd"))
    wheels = [build_wheel(vendor.root / "wheels", "lab-foo", version) for version in VERSIONS]
    others = [build_wheel(vendor.root / "wheels", f"only-{v[0]}", v) for v in VERSIONS]
    secrets = {
        version: vendor.secret(version, f"(name:^lab-foo$ OR name:^only-) AND version:{version}")
        for version in VERSIONS
    }
    with vendor.serving(without=devpis.WEB, environment=EVERY_REQUEST) as server:
        server.index(INDEX, bases=[], acl_pkg_read=["acme"])
        server.upload(INDEX, *wheels, *others)
        paths = server.files_of(INDEX, "lab-foo", headers=server.logins["acme"])
        yield Shop(vendor, server, secrets, paths)


def fetch(port: int, path: str) -> tuple[int, bytes]:
    """The status of a GET, and all that came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": "application/json;q=0.1, */*"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_eight_threads_with_three_tokens_see_their_own_views(shop: Shop) -> None:
    wrong: list[str] = []
    done = Counter[str]()
    stop = threading.Event()

    def work(thread: int) -> None:
        for number in range(REQUESTS):
            version = VERSIONS[(thread + number) % 3]
            problem = look(shop, version, number)
            if problem:
                wrong.append(problem)
            done[version] += 1

    def commit() -> None:
        # What is remembered of a page is void after a commit: both ways are taken by all.
        while not stop.wait(0.2):
            shop.server.request("PATCH", f"/{INDEX}", "acme", json=[f"title={done.total()}"])

    committing = threading.Thread(target=commit)
    committing.start()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    stop.set()
    committing.join(SECONDS)

    assert not wrong, wrong[:3]
    assert done.total() == THREADS * REQUESTS


def look(shop: Shop, version: str, number: int) -> str:
    """Ask for one thing with the token of a version; what is wrong with the answer, if anything."""
    prefix = f"/+t/{shop.secrets[version]}"
    other = VERSIONS[(VERSIONS.index(version) + 1) % 3]
    kind = number % 4
    if kind == 0:
        status, body = fetch(shop.server.port, f"{prefix}/{INDEX}/+simple/lab-foo/")
        seen = {found for found in VERSIONS if WHEELS[found].encode() in body}
        right = status == 200 and seen == {version}
    elif kind == 1:
        status, body = fetch(shop.server.port, f"{prefix}/{INDEX}/+simple/only-{other[0]}/")
        right = status == 404
    elif kind == 2:
        status, body = fetch(shop.server.port, prefix + shop.paths[WHEELS[other]])
        right = status in {403, 404}
    else:
        status, body = fetch(shop.server.port, prefix + shop.paths[WHEELS[version]])
        right = status == 200 and body.startswith(b"PK")
    return "" if right else f"{version}, {kind}: {status} {body[:300]!r}"


@pytest.mark.parametrize("limit", [0, 5])
def test_twenty_parallel_downloads_meet_a_limit_exactly(shop: Shop, limit: int) -> None:
    token = shop.vendor.token("limited", limit_num_downloads=limit)
    path = f"/+t/{token.secret}{shop.paths[WHEELS['1.0']]}"

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: fetch(shop.server.port, path), range(20)))

    assert Counter(status for status, _ in answers) == Counter({200: limit, 403: 20 - limit})
    assert {len(body) for status, body in answers if status == 200} <= {
        Path(shop.vendor.root / "wheels" / WHEELS["1.0"]).stat().st_size
    }
    assert shop.vendor.downloads(token, NOW) == limit
