"""Distribution files of devpi: what is sent, what is counted, and what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pytest

from entitlements_core.services.token_issuer import Issued
from tests.actors import person
from tests.plugins.devpi.apps import UPSTREAM, DevpiApp, basic, bearer, wheel_name
from tests.plugins.devpi.conftest import MakeDevpiApp
from tests.wheelhouse import wheel_bytes

pytestmark = pytest.mark.notransaction

Answer = Any
"""WebTest has no types."""
Terms = Any

PROBLEM: Final = "application/problem+json"
DATA: Final = wheel_bytes("acme-core", "1.0", padding=3_000)
SHA: Final = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def acme(devpi: DevpiApp) -> DevpiApp:
    """A closed index with a project of one wheel."""
    return stocked(devpi)


def stocked(app: DevpiApp) -> DevpiApp:
    app.closed_index("acme/priv", bases=[])
    filename = wheel_name("acme-core", "1.0")
    app.upload_file("acme/priv", "acme-core", "1.0", filename, DATA)
    return app


def wheel(app: DevpiApp, version: str = "1.0") -> str:
    return app.path_of("acme/priv", "acme-core", wheel_name("acme-core", version))


def used(app: DevpiApp, issued: Issued) -> tuple[int, int]:
    """Downloads and bytes that are counted of a token."""
    usage = app.core.lifecycle.read(issued.token.identifier).usage
    return usage.downloads, usage.bandwidth


def issue(app: DevpiApp, name: str = "customer", **terms: Terms) -> tuple[Issued, str]:
    issued = app.issue(["acme/priv"], name=name, **terms)
    assert issued.secret is not None
    return issued, issued.secret


def test_a_file_is_sent_in_full_in_part_or_not_at_all(acme: DevpiApp) -> None:
    path, (issued, secret) = wheel(acme), issue(acme)
    whole = acme.get(path, secret)
    assert (whole.status, whole.body) == ("200 OK", DATA)
    etag = whole.headers["ETag"]
    assert etag == f'"{SHA}"'
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers["Cache-Control"] == "private, no-cache"
    assert whole.headers["Vary"] == "Accept, Authorization"
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert not [name for name in whole.headers if name.lower().startswith("x-devpi")]
    assert used(acme, issued) == (1, len(DATA))

    head = acme.request("HEAD", path, secret, Range="bytes=0-9")
    assert (head.status_code, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(DATA))

    for condition in (etag, f'W/{etag}, "x"', "*"):
        same = acme.get(path, secret, If_None_Match=condition)
        assert (same.status_code, same.body, same.headers["ETag"]) == (304, b"", etag)
        assert acme.request("HEAD", path, secret, If_None_Match=condition).status_code == 304
    assert acme.get(path, secret, If_None_Match='"other"').status_code == 200

    for value, start, stop in (("0-99", 0, 100), ("100-", 100, len(DATA)), ("-10", -10, None)):
        part = acme.get(path, secret, Range=f"bytes={value}")
        assert (part.status, part.body) == ("206 Partial Content", DATA[start:stop])
        assert part.headers["Content-Range"].endswith(f"/{len(DATA)}")
    for value in ("bytes=5-2", "lines=1-2", "bytes=0-1,4-5"):
        assert acme.get(path, secret, Range=value).status_code == 200
    outside = acme.get(path, secret, Range=f"bytes={len(DATA)}-")
    assert (outside.status_code, outside.content_type) == (416, PROBLEM)
    assert outside.headers["Content-Range"] == f"bytes */{len(DATA)}"

    assert acme.get(path, secret, Range="bytes=0-9", If_Range=etag).status_code == 206
    assert acme.get(path, secret, Range="bytes=0-9", If_Range='"older"').status_code == 200


def test_what_is_counted(acme: DevpiApp, monkeypatch: pytest.MonkeyPatch) -> None:
    path, (issued, secret) = wheel(acme), issue(acme)
    size = len(DATA)
    for method, suffix, headers in (
        ("HEAD", "", {}),
        ("GET", ".metadata", {}),
        ("HEAD", ".metadata", {}),
        ("GET", "", {"If_None_Match": f'"{SHA}"'}),
        ("GET", "", {"Range": f"bytes={size}-"}),
    ):
        acme.request(method, path + suffix, secret, **headers)
    acme.projects("acme/priv", secret)
    acme.files("acme/priv", "acme-core", secret)
    assert acme.get(f"{path}x", secret).status_code == 404
    assert used(acme, issued) == (0, 0)

    # A transfer that goes on is the same download; what is sent again is sent again.
    for wanted, downloads, sent in (
        ("bytes=0-99", 1, 100),
        ("bytes=100-", 1, size),
        ("bytes=0-", 1, 2 * size),
        (None, 1, 3 * size),
    ):
        headers = {} if wanted is None else {"Range": wanted}
        assert acme.get(path, secret, **headers).status_code in {200, 206}
        assert used(acme, issued) == (downloads, sent), wanted

    # Ranges that leave out the first byte count, too.
    issued, secret = issue(acme, "clever")
    acme.get(path, secret, Range="bytes=1-1000")
    assert used(acme, issued) == (0, 1000)
    acme.get(path, secret, Range="bytes=1001-")
    assert used(acme, issued) == (1, size - 1)

    # What cannot be sent is not counted.
    issued, secret = issue(acme, "unlucky")
    site = acme.testapp.app.app.registry["entitlements"]
    monkeypatch.setattr(site.sender, "send", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        acme.get(path, secret)
    assert used(acme, issued) == (0, 0)
    monkeypatch.undo()

    [line] = acme.core.reports.usage(by=["repository", "package", "version", "filename"])
    assert line.keys == ("acme/priv", "acme-core", "1.0", path.rpartition("/")[2])
    assert line.downloads == 2


def test_limits_are_told_in_the_status_line(acme: DevpiApp) -> None:
    path = wheel(acme)
    acme.upload("acme/priv", "acme-core", "2.0")
    other = wheel(acme, "2.0")

    issued, secret = issue(acme, limit_num_downloads=1)
    assert acme.get(path, secret).status_code == 200
    assert acme.get(path, secret).status_code == 200  # rides on the same download
    refused(acme.get(other, secret), "403 Download limit", "download_limit")
    assert acme.files("acme/priv", "acme-core", secret) == [
        wheel_name("acme-core", "1.0"),
        wheel_name("acme-core", "2.0"),
    ]
    assert acme.get(f"{other}.metadata", secret).status_code == 200
    assert acme.request("HEAD", other, secret).status_code == 200
    assert used(acme, issued)[0] == 1

    issued, secret = issue(acme, "bandwidth", limit_bandwidth=len(DATA) + 50)
    assert acme.get(path, secret).status_code == 200
    assert acme.get(path, secret, Range="bytes=0-49").status_code == 206
    refused(acme.get(path, secret), "403 Bandwidth limit", "bandwidth_limit")
    assert used(acme, issued) == (1, len(DATA) + 50)

    issued, secret = issue(acme, "clients", limit_num_clients=1)
    with client(acme, "192.0.2.1"):
        assert acme.get(path, secret).status_code == 200
    with client(acme, "192.0.2.2"):
        refused(acme.get(path, secret), "403 Client limit", "client_limit")
    with client(acme, "192.0.2.1"):
        assert acme.get(other, secret).status_code == 200
    assert used(acme, issued)[0] == 2

    _, secret = issue(acme, "nothing", limit_num_downloads=0)
    refused(acme.get(path, secret), "403 Download limit", "download_limit")


@contextmanager
def client(app: DevpiApp, address: str) -> Iterator[None]:
    """Be at another address."""
    before = app.testapp.extra_environ
    app.testapp.extra_environ = {**before, "REMOTE_ADDR": address}
    yield
    app.testapp.extra_environ = before


def refused(answer: Answer, status: str, code: str) -> None:
    assert answer.status.startswith(status), answer.status
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.json["code"] == code
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Retry-After" not in answer.headers
    assert answer.status.partition(" ")[2].isascii()


def test_the_states_of_a_token(acme: DevpiApp) -> None:
    path, page = wheel(acme), "/acme/priv/+simple/acme-core/"
    now = datetime.now(UTC)  # noqa: TID251 - a real server reads the clock
    lifecycle = acme.core.lifecycle

    issued, secret = issue(acme, "disabled")
    lifecycle.disable(issued.token.identifier, actor=person("test"))
    for where in (page, "/acme/priv/+simple/", f"{path}.metadata"):
        assert acme.get(where, secret).status_code == 200
        assert acme.get(where, None, **basic("x", secret)).status_code == 200
    refused(acme.get(path, secret), "403 Entitlement token disabled", "token_disabled")
    refused(acme.get(path, None, **basic("x", secret)), "403", "token_disabled")
    lifecycle.enable(issued.token.identifier, actor=person("test"))
    assert acme.get(path, secret).status_code == 200

    lifecycle.delete(issued.token.identifier, actor=person("test"))
    for where in (page, path, f"{path}.metadata"):
        refused(acme.get(where, secret), "410 Unknown or revoked", "unknown_token")
        for headers in (basic("token", secret), bearer(secret)):
            answer = acme.get(where, None, **headers)
            refused(answer, "401 Unknown or revoked", "unknown_token")
            assert answer.headers["WWW-Authenticate"].startswith("Basic")
        head = acme.request("HEAD", where, secret)
        assert (head.status_code, head.body) == (410, b"")

    for terms, words, code in (
        ({"limit_date_range_to": now - timedelta(days=1)}, "403 Entitlement expired", "expired"),
        (
            {"limit_date_range_from": now + timedelta(days=1)},
            "403 Entitlement valid",
            "not_yet_valid",
        ),
    ):
        _, secret = issue(acme, code, **terms)
        refused(acme.get(path, secret), words, f"token_{code}")
        assert acme.request("HEAD", path, secret).status_code == 403
        assert acme.get(path, secret, If_None_Match=f'"{SHA}"').status_code == 403
        assert acme.files("acme/priv", "acme-core", secret) == [wheel_name("acme-core", "1.0")]
        assert acme.get(f"{path}.metadata", secret).status_code == 200
        assert acme.get(f"{path}x", secret).status_code == 404

    _, secret = issue(acme, "elsewhere", allow_networks=["198.51.100.0/24"])
    with client(acme, "192.0.2.1"):
        refused(acme.get(page, secret), "402 Address 192.0.2.1", "address_denied")
        refused(acme.get(path, secret), "403 Address 192.0.2.1", "address_denied")
        spoofed = acme.get(path, secret, X_Forwarded_For="198.51.100.7")
        refused(spoofed, "403 Address 192.0.2.1", "address_denied")
    with client(acme, "198.51.100.7"):
        assert acme.get(path, secret).status_code == 200

    issued, secret = issue(acme, "unread", eula_required=True)
    acme.core.eulas.add("acme/priv", "You may.", actor=person("test"))
    acme.core.repositories.edit("acme/priv", enforce_eula=True, actor=person("test"))
    refused(acme.get(path, secret), "403 Accept the licence first", "eula_required")
    assert acme.files("acme/priv", "acme-core", secret) == [wheel_name("acme-core", "1.0")]


def test_an_unknown_secret_and_no_secret(acme: DevpiApp) -> None:
    path = wheel(acme)
    for given in ("nonsense", "ent_" + "x" * 38, "${TOKEN}", ""):
        for where in (
            path,
            "/acme/priv/+simple/",
            "/nobody/none/+simple/",
            "/no/such/+f/a/b/c.whl",
        ):
            answer = acme.get(where, given)
            assert (answer.status_code, answer.json["code"]) == (410, "unknown_token"), where
    for headers in (basic("token", "nonsense"), basic("__token__", "x"), bearer("ent_" + "x" * 38)):
        answer = acme.get(path, **headers)
        assert (answer.status_code, answer.json["code"]) == (401, "unknown_token")
    answer = acme.get(path)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="pypi"')
    assert answer.status == "401 Login or entitlement token required"

    # A token of another index is unknown here; in its own, a name that is not there is not.
    acme.closed_index("acme/other", bases=[])
    secret = acme.token("acme/other")
    assert acme.get(path, secret).status_code == 410
    assert acme.get("/acme/gone/+f/12/34/x-1.0.tar.gz", secret).status_code == 410
    assert acme.get("/acme/other/+f/12/34/x-1.0.tar.gz", secret).status_code == 404
    assert acme.get("/acme/other/+f/", secret).status_code == 404
    both = acme.token("acme/other", "acme/priv", name="both")
    assert acme.get(path, both).status_code == 200
    assert acme.get(path + "%23x", both).status_code == 404


def test_a_file_that_is_gone(acme: DevpiApp) -> None:
    path, (issued, secret) = wheel(acme), issue(acme)
    with acme.xom.keyfs.read_transaction():
        on_disk = Path(acme.xom.filestore.get_file_entry(path.strip("/")).file_os_path())
    _, warm = issue(acme, "warm")
    for changed in (DATA, DATA + b"x", DATA):
        on_disk.write_bytes(changed)
        assert acme.get(path, warm).body == changed, "what is remembered is looked at again"
    on_disk.unlink()
    for method in ("GET", "HEAD"):
        for suffix in ("", ".metadata"):
            answer = acme.request(method, path + suffix, secret)
            assert answer.status_code == 404
    assert used(acme, issued) == (0, 0)

    acme.login("acme")
    acme.testapp.delete("/acme/priv/acme-core/1.0")
    acme.logout()
    assert acme.get(path, secret).status_code == 404
    assert used(acme, issued) == (0, 0)


def test_core_metadata(acme: DevpiApp) -> None:
    secret = acme.token("acme/priv")
    path = wheel(acme)
    answer = acme.get(f"{path}.metadata", secret, Accept="application/json")
    assert answer.status_code == 200
    assert answer.body.startswith(b"Metadata-Version:")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Content-Length"] == str(len(answer.body))
    assert "Accept-Ranges" not in answer.headers
    head = acme.request("HEAD", f"{path}.metadata", secret)
    assert (head.status_code, head.body) == (200, b"")
    sdist = acme.upload_sdist("acme/priv", "acme-core", "1.0")
    assert acme.get(f"{sdist}.metadata", secret).status_code == 404
    broken = acme.upload_file(
        "acme/priv", "acme-core", "3.0", wheel_name("acme-core", "3.0"), b"no archive"
    )
    assert acme.get(f"{broken}.metadata", secret).status_code == 404
    assert acme.get(f"{broken}.metadata.metadata", secret).status_code == 404
    assert acme.get(broken, secret).body == b"no archive"


def test_nginx_sends_the_file(make_devpi_app: MakeDevpiApp) -> None:
    app = stocked(make_devpi_app("--entitlements-accel-redirect", "/+protected/"))
    path, (issued, secret) = wheel(app), issue(app, limit_num_downloads=1)
    answer = app.get(path, secret)
    assert (answer.status_code, answer.body) == (200, b"")
    location = unquote(answer.headers["X-Accel-Redirect"])
    assert location.startswith("/+protected/+files/acme/priv/+f/")
    on_disk = app.xom.config.server_path / location.removeprefix("/+protected/")
    assert on_disk.read_bytes() == DATA
    assert answer.headers["ETag"] == f'"{SHA}"'
    assert used(app, issued) == (1, len(DATA))

    part = app.get(path, secret, Range="bytes=0-9")
    assert (part.status_code, part.body) == (206, b"")
    assert "Content-Range" not in part.headers
    assert used(app, issued) == (1, len(DATA) + 10)
    # nginx knows the file by another ETag, and sends all of it when a condition is not its own.
    assert app.get(path, secret, Range="bytes=0-9", If_Range=f'"{SHA}"').status_code == 200
    assert used(app, issued) == (1, 2 * len(DATA) + 10)

    head = app.request("HEAD", path, secret)
    assert "X-Accel-Redirect" not in head.headers
    assert "X-Accel-Redirect" not in app.get(path, secret, If_None_Match=f'"{SHA}"').headers
    assert "X-Accel-Redirect" not in app.get(f"{path}.metadata", secret).headers
    app.upload("acme/priv", "acme-core", "2.0")
    denied = app.get(wheel(app, "2.0"), secret)
    assert denied.status_code == 403
    assert "X-Accel-Redirect" not in denied.headers


def test_a_large_file_is_read_in_pieces(acme: DevpiApp) -> None:
    path, secret = wheel(acme), acme.token("acme/priv")
    with acme.xom.keyfs.read_transaction():
        on_disk = Path(acme.xom.filestore.get_file_entry(path.strip("/")).file_os_path())
    large = DATA * 200
    on_disk.write_bytes(large)
    answer = acme.get(path, secret)
    assert answer.body == large
    assert acme.get(path, secret, Range="bytes=1-").body == large[1:]


LINKS: Final = {"hashed": wheel_name("lab-foo", "1.0"), "bare": wheel_name("lab-foo", "2.0")}


def mirrored(app: DevpiApp, **configuration: object) -> dict[str, bytes]:
    """A mirror and a closed index upon it; gives the contents of the files."""
    data = {name: wheel_bytes("lab-foo", name.split("-")[1]) for name in LINKS.values()}
    digest = hashlib.sha256(data[LINKS["hashed"]]).hexdigest()
    page = (
        f'<a href="{UPSTREAM}/files/{LINKS["hashed"]}#sha256={digest}"'
        f' data-core-metadata="sha256=00">{LINKS["hashed"]}</a>'
        f'<a href="{UPSTREAM}/files/{LINKS["bare"]}">{LINKS["bare"]}</a>'
    )
    app.mirror("acme/up", {"lab-foo": page}, **configuration)
    app.closed_index("acme/cust", bases=["acme/up"])
    for name, body in data.items():
        app.upstream_file(f"files/{name}", body, **{"content-type": "application/zip"})
    return data


def test_the_first_download_from_a_mirror_is_counted_once(devpi: DevpiApp) -> None:
    data = mirrored(devpi)
    issued = devpi.issue(["acme/cust"])
    secret, total = issued.secret, 0
    for downloads, (name, body) in enumerate(data.items(), start=1):
        path = devpi.path_of("acme/up", "lab-foo", name)
        head = devpi.request("HEAD", path, secret)
        assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(body)))
        assert used(devpi, issued) == (downloads - 1, total)
        first = devpi.get(path, secret, Range="bytes=0-9")
        assert (first.status_code, first.body) == (200, body)
        assert "Accept-Ranges" not in first.headers
        assert first.headers["Cache-Control"] == "private, no-cache"
        total += len(body)
        assert used(devpi, issued) == (downloads, total)
        second = devpi.get(path, secret)
        assert (second.status_code, second.body) == (200, body)
        assert second.headers["Accept-Ranges"] == "bytes"
        total += len(body)
        assert used(devpi, issued) == (downloads, total)
    [line] = devpi.core.reports.usage(by=["repository"])
    assert (line.keys, line.downloads, line.bandwidth) == (("acme/cust",), 2, total)


def test_a_refused_download_from_a_mirror_is_not_fetched(devpi: DevpiApp) -> None:
    data = mirrored(devpi)
    name, body = next(iter(data.items()))
    path = devpi.path_of("acme/up", "lab-foo", name)
    limits: dict[str, Terms] = {
        "download_limit": {"limit_num_downloads": 0},
        "bandwidth_limit": {"limit_bandwidth": len(body) - 1},
    }
    for code, terms in limits.items():
        issued = devpi.issue(["acme/cust"], name=code, **terms)
        refused(devpi.get(path, issued.secret), f"403 {code.split('_')[0].title()} limit", code)
        assert used(devpi, issued) == (0, 0)
    with devpi.xom.keyfs.read_transaction():
        assert not devpi.xom.filestore.get_file_entry(path.strip("/")).file_exists()
    calls = len(devpi.xom.http.call_log)
    hidden = devpi.token("acme/cust", query="name:other", name="hidden")
    expired = devpi.token(
        "acme/cust", name="expired", limit_date_range_to=datetime(2020, 1, 1, tzinfo=UTC)
    )
    assert devpi.get(path, hidden).status_code == 404
    assert devpi.get(path, expired).status_code == 403
    assert devpi.get("/acme/up/+e/https_x/other-1.0.tar.gz", hidden).status_code == 404
    assert len(devpi.xom.http.call_log) == calls, "nobody makes a mirror ask for what is hidden"

    everything = devpi.issue(["acme/cust"], name="everything")
    gone = devpi.path_of("acme/up", "lab-foo", LINKS["bare"])
    devpi.xom.http.mockresponse(f"{UPSTREAM}/files/{LINKS['bare']}", code=404)
    assert devpi.get(gone, everything.secret).status_code == 404
    devpi.xom.http.mockresponse(f"{UPSTREAM}/files/{LINKS['bare']}", code=500)
    refused(devpi.get(gone, everything.secret), "502", "index_unavailable")
    assert used(devpi, everything) == (0, 0)


def test_a_size_that_upstream_does_not_tell_is_measured(devpi: DevpiApp) -> None:
    data = mirrored(devpi)
    paths = {name: devpi.path_of("acme/up", "lab-foo", name) for name in data}
    for name, body in data.items():
        devpi.upstream_file(f"files/{name}", body, **{"content-length": None})
    one, two = data
    small = devpi.issue(["acme/cust"], name="small", limit_bandwidth=len(data[one]) - 1)
    refused(devpi.get(paths[one], small.secret), "403 Bandwidth limit", "bandwidth_limit")
    assert used(devpi, small) == (0, 0)
    issued = devpi.issue(["acme/cust"])
    answer = devpi.get(paths[two], issued.secret)
    assert (answer.body, answer.content_length) == (data[two], len(data[two]))
    assert used(devpi, issued) == (1, len(data[two]))


def test_files_that_lie_elsewhere_are_not_pointed_to(devpi: DevpiApp) -> None:
    data = mirrored(devpi, mirror_use_external_urls=True)
    issued = devpi.issue(["acme/cust"])
    for name in data:
        path = devpi.path_of("acme/up", "lab-foo", name)
        for method in ("GET", "HEAD"):
            answer = devpi.request(method, path, issued.secret)
            assert answer.status_code == 403
            assert "Location" not in answer.headers
            assert "upstream" not in answer.text
        refused(devpi.get(path, issued.secret), "403 This index has its files", "external_file")
    assert used(devpi, issued) == (0, 0)


def test_a_mirror_passes_on_core_metadata(devpi: DevpiApp) -> None:
    data = mirrored(devpi, mirror_provides_core_metadata=True)
    issued = devpi.issue(["acme/cust"])
    path = devpi.path_of("acme/up", "lab-foo", LINKS["hashed"])
    devpi.upstream_file(f"files/{LINKS['hashed']}.metadata", b"Metadata-Version: 2.4")
    answer = devpi.get(f"{path}.metadata", issued.secret)
    assert (answer.status_code, answer.body) == (200, b"Metadata-Version: 2.4")
    bare = devpi.path_of("acme/up", "lab-foo", LINKS["bare"])
    assert devpi.get(f"{bare}.metadata", issued.secret).status_code == 404
    assert used(devpi, issued) == (0, 0)
    assert devpi.get(path, issued.secret).body == data[LINKS["hashed"]]
    assert devpi.get(f"{path}.metadata", issued.secret).body.startswith(b"Metadata-Version")
    assert used(devpi, issued)[0] == 1


def test_the_counters_cannot_be_left_out(acme: DevpiApp, monkeypatch: pytest.MonkeyPatch) -> None:
    from entitlements_core.errors import StoreError

    path, secret = wheel(acme), acme.token("acme/priv", limit_num_downloads=5)
    site = acme.testapp.app.app.registry["entitlements"]

    def unwell(_: object) -> None:
        raise StoreError("The store is locked.", "Wait.")

    monkeypatch.setattr(site.gate._ledger, "reserve", unwell)
    refused(acme.get(path, secret), "503 Validation", "validation_unavailable")


@pytest.mark.parametrize("granted", [True, False])
def test_a_mirror_is_told_nothing_of_the_client(
    devpi: DevpiApp, monkeypatch: pytest.MonkeyPatch, *, granted: bool
) -> None:
    mirrored(devpi, mirror_provides_core_metadata=True)
    devpi.index("acme/other", bases=[])
    secret = devpi.token("acme/cust" if granted else "acme/other")
    name = LINKS["hashed"]
    devpi.upstream_file(f"files/{name}.metadata", b"Metadata-Version: 2.4")
    told: list[set[str]] = []
    stream = devpi.xom.http.stream

    def noted(*args: Terms, extra_headers: Terms = None, **given: Terms) -> Answer:
        told.append({key.lower() for key in extra_headers or ()})
        return stream(*args, **given)

    monkeypatch.setattr(devpi.xom.http, "stream", noted)
    path = devpi.path_of("acme/up", "lab-foo", name)
    for headers in (basic("token", secret), bearer(secret)):
        answer = devpi.get(f"{path}.metadata", **headers, Range="bytes=0-1", Cookie="a=b")
        assert (answer.status_code, answer.body) == (200, b"Metadata-Version: 2.4")
    assert len(told) == 2
    for names in told:
        assert "authorization" not in names
        assert not granted or names == {"accept"}
