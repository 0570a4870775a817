"""Which of the vendor's names an upstream has, asked of one on loopback that is good or odd."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest
from packaging.utils import NormalizedName

from entitlements_core.policy.upstream import Upstream
from entitlements_core.services import upstream_names
from entitlements_core.services.upstream_names import Bounds, Registered, registered_names
from tests.upstreams import JSON, Answer, Page, missing, project, upstream

__all__ = ["upstream"]

QUICK = Bounds(seconds=1.0, size=100_000)


def huge(page: Page) -> None:
    page.send_response(200)
    page.send_header("Content-Type", JSON)
    page.end_headers()
    try:
        for _ in range(1000):
            page.wfile.write(b" " * 10_000)
    except OSError:
        return


def slow(page: Page) -> None:
    time.sleep(3)


def dripping_body(page: Page) -> None:
    page.send_response(200)
    page.send_header("Content-Type", JSON)
    page.end_headers()
    drip(page, b" ")


def dripping_headers(page: Page) -> None:
    page.wfile.write(b"HTTP/1.0 200 OK\r\n")
    drip(page, b"X: 1\r\n")


def drip(page: Page, what: bytes) -> None:
    try:
        for _ in range(30):
            page.wfile.write(what)
            page.wfile.flush()
            time.sleep(0.1)
    except OSError:
        return


def ask(upstream: Upstream, *names: str, bounds: Bounds = QUICK) -> dict[str, Registered]:
    found = registered_names(upstream, map(NormalizedName, names), bounds=bounds)
    return {str(one.name): one for one in found}


def test_what_is_there_is_told_with_its_files_and_newest_version(upstream: Upstream) -> None:
    Page.answers = {
        "acme-util": project(3, "1.0", "9.0"),
        "acme-html": lambda page: page.send(200, "text/html", b"<a href=x>x</a>"),
        "acme-gone": lambda page: page.send(410, "text/plain", b""),
    }
    found = ask(upstream, "acme-util", "acme-html", "acme-gone", "acme-none", "acme-util")
    assert list(found) == sorted(found)
    assert (found["acme-util"].exists, found["acme-util"].files) == (True, 3)
    assert found["acme-util"].newest == "9.0"
    assert (found["acme-html"].exists, found["acme-html"].files) == (True, 1)
    assert (found["acme-gone"].exists, found["acme-none"].exists) == (False, False)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (slow, "it does not answer within 1 seconds"),
        (dripping_body, "it does not answer within 1 seconds"),
        (dripping_headers, "it does not answer within 1 seconds"),
        (lambda page: page.send(500, "text/html", b"<a >"), "it answers 500"),
        (lambda page: page.send(204, JSON, b""), "it answers 204"),
        (lambda page: page.send(401, JSON, b""), "it answers 401"),
        (lambda page: page.send(200, "text/html", b"Log in"), "something else than a page"),
        (lambda page: page.send(200, JSON, b"{"), "something else than a page"),
        (lambda page: page.wfile.write(b"SSH-2.0\r\n\r\n"), "no HTTP"),
        (lambda page: page.send(302, JSON, b"", Location="file:///etc/passwd"), "302"),
        (lambda page: page.send(302, JSON, b"", Location="ftp://127.0.0.1/"), "302"),
        (lambda page: page.send(302, JSON, b"", Location="/simple/acme-odd/"), "302"),
        (lambda page: page.connection.shutdown(socket.SHUT_RDWR), "no HTTP"),
    ],
)
def test_what_cannot_be_told_is_said_and_hinders_no_other_name(
    upstream: Upstream, answer: Answer, why: str
) -> None:
    Page.answers = {"acme-odd": answer, "acme-util": project(1, "9.0")}
    began = time.monotonic()
    found = ask(upstream, "acme-odd", "acme-util", "acme-none")
    assert found["acme-odd"].exists is None
    assert why in found["acme-odd"].why
    assert (found["acme-util"].exists, found["acme-none"].exists) == (True, False)
    assert time.monotonic() - began < 10


def test_of_a_huge_page_only_its_being_there_is_known(upstream: Upstream) -> None:
    Page.answers = {"acme-huge": huge}
    assert ask(upstream, "acme-huge")["acme-huge"] == Registered(
        name=NormalizedName("acme-huge"), exists=True
    )


def test_a_redirect_to_another_page_is_followed(upstream: Upstream) -> None:
    Page.answers = {
        "acme-old": lambda page: page.send(301, JSON, b"", Location="/other/moved"),
    }
    Page.answers["moved"] = lambda page: page.send(
        200, JSON, b'{"name": "acme-old", "files": [], "versions": ["2.0"]}'
    )
    assert ask(upstream, "acme-old")["acme-old"].newest == "2.0"


def test_an_index_that_has_every_name_tells_nothing(upstream: Upstream) -> None:
    Page.answers = {"*": project(1, "9.0")}
    [found] = ask(upstream, "acme-util").values()
    assert (found.exists, found.why) == (None, "it has a page for every name")


def test_nothing_more_is_asked_of_an_index_that_is_away() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = Upstream.parse(f"http://127.0.0.1:{probe.getsockname()[1]}/simple")
    found = ask(away, *(f"acme-{number}" for number in range(100)))
    assert len(found) == 100
    assert {one.why for one in found.values()} == {"it cannot be reached (Connection refused)"}


def test_an_index_that_hangs_is_given_up(upstream: Upstream) -> None:
    Page.answers = {"*": slow}
    bounds = Bounds(seconds=0.3)
    found = ask(upstream, *(f"acme-{number}" for number in range(200)), bounds=bounds)
    assert {one.exists for one in found.values()} == {None}
    assert len(Page.asked) <= 1 + 2 * upstream_names.IN_FLIGHT


def test_no_credential_is_sent_and_only_a_few_questions_are_on_their_way(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login token password hunter2\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    lock, running, most = threading.Lock(), [0], [0]

    def counted(page: Page) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1
        missing(page)

    Page.answers = {"*": counted}
    told: list[tuple[int, int]] = []
    names = [NormalizedName(f"acme-{number}") for number in range(40)]
    registered_names(upstream, names, tell=lambda done, wanted: told.append((done, wanted)))
    assert told == [(number, 40) for number in range(1, 41)]
    assert 1 < most[0] <= upstream_names.IN_FLIGHT
    for _, headers in Page.asked:
        assert headers.keys() <= {"Host", "Accept", "Accept-Encoding", "User-Agent", "Connection"}
        assert "hunter2" not in str(headers)


def test_no_names_are_no_question(upstream: Upstream) -> None:
    assert registered_names(upstream, []) == ()
    assert Page.asked == []
