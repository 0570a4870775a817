"""Uploads with a token: what its grant covers, by the file itself, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import webob.request
from webtest import Upload

from devpi_entitlements.site import SITE
from entitlements_core import hookimpl
from entitlements_core.policy.credential import Access
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Deny, Reason
from tests.actors import person
from tests.plugins.devpi.apps import DevpiApp, basic, upload_form, wheel_name
from tests.wheelhouse import core_metadata, sdist_bytes, wheel_bytes

pytestmark = pytest.mark.notransaction

Answer = Any
INDEX: Final = "acme/priv"


@pytest.fixture
def acme(devpi: DevpiApp) -> DevpiApp:
    """A closed index with a release of another project."""
    devpi.closed_index(INDEX, bases=[])
    devpi.upload(INDEX, "other-lib", "1.0")
    return devpi


def writer(app: DevpiApp, query: str | None = "name:^acme-core$", **terms: Any) -> tuple[str, str]:  # noqa: ANN401 - any term
    """The identifier and the secret of a token that may upload."""
    issued = app.issue([INDEX], query=query, access=Access.WRITE, **terms)
    assert issued.secret is not None
    return issued.token.identifier, issued.secret


def post(
    app: DevpiApp,
    secret: str,
    fields: Iterable[tuple[str, Any]],
    index: str = INDEX,
    **headers: str,
) -> Answer:
    """Send a form through the path of a token; by basic auth when there are headers."""
    prefix = "" if headers else f"/+t/{secret}"
    return app.testapp.post(
        f"{prefix}/{index}/", list(fields), headers=dict(headers), expect_errors=True
    )


def wheel_form(version: str, *metadata: tuple[str, str], **contents: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - see wheel_bytes
    data = wheel_bytes("acme-core", version, **contents)
    return upload_form("acme-core", version, wheel_name("acme-core", version), data, *metadata)


def test_what_is_covered_is_stored_as_the_file_says(acme: DevpiApp) -> None:
    identifier, secret = writer(acme)
    lies = (
        ("license", "Free"),
        ("license", "Very free"),
        ("license_expression", "Apache-2.0"),
        ("summary", "Something else"),
        ("requires_python", "<3"),
        ("requires_dist", "nothing"),
        ("requires_dist", "much"),
        ("filetype", "bdist_wheel"),
    )
    answer = post(
        acme,
        secret,
        wheel_form("1.0", *lies, requires=["urllib3<2", "attrs"], requires_python=">=3.8"),
    )
    assert answer.status == "200 OK"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body == b""
    shown = {name.upper() for name in answer.headers if name.lower().startswith("x-devpi")}
    assert shown == {"X-DEVPI-SERIAL"}, "a replica that passed the upload on waits for it"
    sdist = sdist_bytes("acme-core", "1.1")
    form = upload_form("Acme_Core", "1.1", "acme_core-1.1.tar.gz", sdist)
    assert post(acme, secret, form, **basic("token", secret)).status_code == 200
    named = (("license_expression", "MIT"),)
    assert post(acme, secret, wheel_form("1.2", *named)).status_code == 200
    assert acme.files(INDEX, "acme-core", secret) == [
        wheel_name("acme-core", "1.0"),
        "acme_core-1.1.tar.gz",
        wheel_name("acme-core", "1.2"),
    ]

    with acme.xom.keyfs.read_transaction():
        stage = acme.xom.model.getstage(INDEX)
        data = stage.get_versiondata("acme-core", "1.0")
        assert (data["license"], data["license_expression"]) == ("MIT", "")
        assert data["summary"] == "A package for tests"
        assert data["requires_python"] == ">=3.8"
        assert list(data["requires_dist"]) == ["urllib3<2", "attrs"]
        [link] = stage.get_linkstore_perstage("acme-core", "1.0").get_links()
        [entry] = link.get_logs()
        assert (entry["what"], entry["who"]) == ("upload", f"+entitlement:{identifier}")
        data = stage.get_versiondata("acme-core", "1.2")
        assert (data["license"], data["license_expression"]) == ("", "MIT")
    licensed = acme.token(INDEX, query="license:MIT requires_python:>=3.8", name="licensed")
    assert acme.files(INDEX, "acme-core", licensed) == [wheel_name("acme-core", "1.0")]

    # What was stated before about the version is replaced, too.
    acme.login("acme")
    stated = {
        "name": "acme-core",
        "version": "3.0",
        "license_expression": "GPL",
        "requires_dist": ["urllib3"],
    }
    acme.mapp.set_versiondata(stated, indexname=INDEX, set_whitelist=False)
    acme.logout()
    assert post(acme, secret, wheel_form("3.0")).status_code == 200
    gpl = acme.token(INDEX, query="license:GPL OR dependency:urllib3<9 version:3", name="gpl")
    assert acme.files(INDEX, "acme-core", gpl) == []


@pytest.mark.parametrize(
    ("query", "is_covered"),
    [
        ("tag:internal", True),
        ("NOT tag:internal", False),
        ("tag:other", False),
        ("NOT tag:other", True),
        ("name:^acme-core$ tag:^internal$", True),
    ],
)
def test_an_upload_is_covered_as_its_download_is(
    acme: DevpiApp, query: str, *, is_covered: bool
) -> None:
    """By the vendor's tags, too, which no file states."""
    acme.core.package_tags.add(INDEX, "acme-core", ["internal"], actor=person())
    _, secret = writer(acme, query)

    answer = post(acme, secret, wheel_form("1.0"))

    assert (answer.status_code, acme.files(INDEX, "acme-core", secret)) == (
        (200, [wheel_name("acme-core", "1.0")]) if is_covered else (403, [])
    )


def test_nothing_else_is_stored(acme: DevpiApp) -> None:
    _, secret = writer(acme, 'name:^acme-core$ license:MIT "version:<9"')
    read_only = acme.token(INDEX, name="reader")
    good = wheel_bytes("acme-core", "1.0")
    name = wheel_name("acme-core", "1.0")
    gpl = {"overrides": {"License-Expression": "GPL-3.0-only"}}
    other = upload_form(
        "other-lib", "2.0", wheel_name("other-lib", "2.0"), wheel_bytes("other-lib", "2.0")
    )
    file = ("content", Upload(name, good))
    action = (":action", "file_upload")
    release = [("name", "acme-core"), ("version", "1.0")]
    cases: list[tuple[int, str, list[tuple[str, Any]]]] = [
        (403, "not_covered", other),
        (403, "not_covered", wheel_form("9.1")),
        (403, "not_covered", wheel_form("1.0", ("license", "MIT"), **gpl)),
        (400, "bad_upload", upload_form("other-lib", "1.0", name, good)),
        (400, "bad_upload", upload_form("acme-core", "2.0", name, good)),
        (400, "bad_upload", upload_form("acme-core", "not a version", name, good)),
        (400, "bad_upload", upload_form("acme-core", "2.0", wheel_name("acme-core", "2.0"), good)),
        (400, "bad_upload", upload_form("acme-core", "1.0", name, good[:-50])),
        (400, "bad_upload", upload_form("acme-core", "1.0", name, b"no archive")),
        (400, "bad_upload", upload_form("acme-core", "1.0", "acme_core-1.0.tar.gz", b"no archive")),
        (400, "bad_upload", upload_form("acme-core", "1.0", "acme_core-1.0.egg", good)),
        (400, "bad_upload", upload_form("acme-core", "1.0", "../acme_core-1.0.tar.gz", good)),
        (400, "bad_upload", wheel_form("1.0", metadata=core_metadata("other-lib", "1.0"))),
        (400, "bad_upload", [(":action", "submit"), *release]),
        (400, "bad_upload", [(":action", "doc_upload"), *release, file]),
        (400, "bad_upload", [*release, file]),
        (400, "bad_upload", [action, *release]),
        (400, "bad_upload", [action, *release, ("content", "text")]),
        (400, "bad_upload", [action, ("content", Upload(name, good))]),
        (400, "bad_upload", [action, ("name", Upload("n", b"acme-core")), release[1], file]),
    ]
    for status, code, form in cases:
        answer = post(acme, secret, form)
        assert (answer.status_code, answer.json["code"]) == (status, code), (form, answer.text)
        assert answer.headers["Cache-Control"] == "no-store"
        denied = post(acme, read_only, form)
        assert (denied.status_code, denied.json["code"]) == (403, "read_only")
    for body, kind in (
        (
            b'{"name": "acme-core", "version": "1.0", "targetindex": "acme/other"}',
            "application/json",
        ),
        (b"\xff\xfe", "text/plain"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"nothing", "multipart/form-data"),
        (b"%ff=%ff&:action=file_upload", "application/x-www-form-urlencoded"),
    ):
        answer = acme.testapp.post(
            f"/+t/{secret}/{INDEX}/", body, content_type=kind, expect_errors=True
        )
        assert (answer.status_code, answer.json["code"]) == (400, "bad_upload"), kind
    assert acme.projects(INDEX, read_only) == ["other-lib"]
    assert acme.files(INDEX, "other-lib", read_only) == [wheel_name("other-lib", "1.0")]
    answer = post(acme, secret, cases[2][2])
    assert answer.status == "403 This upload is not covered by the entitlement"


def test_who_may_not_upload_is_told_before_the_body_is_read(
    acme: DevpiApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_disabled, disabled = writer(acme, name="disabled")
    acme.core.lifecycle.disable(now_disabled, actor=person("test"))
    for secret, index, status, code in (
        (acme.token(INDEX, name="reader"), INDEX, 403, "read_only"),
        (disabled, INDEX, 403, "token_disabled"),
        (writer(acme, name="elsewhere")[1], "acme/none", 410, "unknown_token"),
        ("nonsense", INDEX, 410, "unknown_token"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(webob.request.BaseRequest, "POST", property(lambda _: 1 / 0))
            answer = post(acme, secret, wheel_form("1.0", padding=3_000), index)
        assert (answer.status_code, answer.json["code"]) == (status, code)


class NoFriday:
    """A rule of a vendor's own about all that writes."""

    @hookimpl
    def entitlements_veto(self, question: Question) -> Deny | None:
        return Deny(Reason.VETOED, "Not on a Friday") if question.request.writes else None


@pytest.mark.parametrize("is_replica", [False, True])
def test_a_plugin_may_refuse_an_upload_before_the_body_is_read(
    acme: DevpiApp, monkeypatch: pytest.MonkeyPatch, *, is_replica: bool
) -> None:
    """On a replica, too, which passes a body on unread."""
    _, secret = writer(acme)
    acme.testapp.app.app.registry[SITE].core.plugins.register(NoFriday())
    monkeypatch.setattr(acme.xom, "is_replica", lambda: is_replica)
    monkeypatch.setattr(webob.request.BaseRequest, "POST", property(lambda _: 1 / 0))
    answer = post(acme, secret, wheel_form("1.0"))
    assert (answer.status, answer.json["code"]) == ("403 Not on a Friday", "vetoed")


def test_states_and_limits(acme: DevpiApp) -> None:
    _, secret = writer(acme, limit_num_downloads=0, limit_bandwidth=1, limit_num_clients=0)
    for version in ("1.0", "1.1"):
        assert post(acme, secret, wheel_form(version)).status_code == 200
    past = datetime(2020, 1, 1, tzinfo=UTC)
    _, expired = writer(acme, name="expired", limit_date_range_to=past)
    answer = post(acme, expired, wheel_form("1.2"))
    assert (answer.status_code, answer.json["code"]) == (403, "token_expired")
    _, frozen = writer(acme, name="frozen", updates_until=past)
    answer = post(acme, frozen, wheel_form("1.2"))
    assert (answer.status_code, answer.json["code"]) == (403, "not_covered")


def test_what_devpi_refuses_is_told_in_its_words(
    acme: DevpiApp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, secret = writer(acme, None)
    assert post(acme, secret, wheel_form("1.0")).status_code == 200
    acme.configure(INDEX, volatile=False)
    stored = acme.get(acme.path_of(INDEX, "acme-core", wheel_name("acme-core", "1.0")), secret)
    name = wheel_name("acme-core", "1.0")
    same = post(acme, secret, upload_form("acme-core", "1.0", name, stored.body))
    assert same.status == "200 Upload of identical file to non volatile index."
    other = post(acme, secret, wheel_form("1.0", summary="Other"))
    assert other.status == f"409 {name} already exists in non-volatile index"
    assert (other.json["code"], other.headers["Cache-Control"]) == ("upload_refused", "no-store")
    kept = acme.get(acme.path_of(INDEX, "acme-core", name), secret)
    assert kept.body == stored.body
    spelled = post(
        acme, secret, upload_form("acme-core", "1.0.0", name, wheel_bytes("acme-core", "1.0"))
    )
    assert (spelled.status_code, spelled.json["code"]) == (400, "upload_refused")
    assert "/+t/***" in caplog.text
    assert secret not in caplog.text


def test_a_mirror_takes_nothing(devpi: DevpiApp) -> None:
    devpi.mirror("acme/up", {})
    secret = devpi.token("acme/up", access=Access.WRITE)
    answer = post(devpi, secret, wheel_form("1.0"), "acme/up")
    assert answer.status == "404 cannot submit to mirror index"
    assert answer.json["code"] == "upload_refused"


def test_a_token_replaces_its_own_files_alone(acme: DevpiApp) -> None:
    acme.configure(INDEX, volatile=True)
    of_vendor = acme.upload(INDEX, "acme-core", "1.0")
    before = acme.get(of_vendor, acme.token(INDEX)).body
    _, first = writer(acme)
    _, second = writer(acme, name="another partner")

    for secret in (first, second):
        refused = post(acme, secret, wheel_form("1.0", summary="not the vendor's"))
        assert (refused.status_code, refused.json["code"]) == (409, "file_exists")
    assert acme.get(of_vendor, acme.token(INDEX, name="reader")).body == before

    assert post(acme, first, wheel_form("2.0")).status_code == 200
    for summary in ("once more", "and again"):
        assert post(acme, first, wheel_form("2.0", summary=summary)).status_code == 200
    assert post(acme, second, wheel_form("2.0")).status_code == 409
    # What the vendor has replaced is the vendor's.
    acme.upload(INDEX, "acme-core", "2.0", summary="of the vendor")
    assert post(acme, first, wheel_form("2.0")).status_code == 409
