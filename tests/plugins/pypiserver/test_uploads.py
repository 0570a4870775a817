"""Uploads with a token: what the grant covers, and nothing beside it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from entitlements_core import hookimpl
from entitlements_core.policy.credential import Access
from entitlements_core.policy.decide import Question
from entitlements_core.policy.decision import Deny, Reason
from entitlements_core.policy.resource import DistributionFile
from tests.actors import person
from tests.plugins.pypiserver.conftest import COVERED, REPOSITORY, TOOL, Shop, Start, upload
from tests.wheelhouse import sdist_bytes, wheel_bytes

NEW = "acme_tool-2.0-py3-none-any.whl"
WRITE: dict[str, Any] = {"access": Access.WRITE}


@pytest.mark.parametrize("form", ["basic", "bearer", "path"])
def test_a_token_uploads_what_its_grant_covers(shop: Shop, form: str) -> None:
    writer = shop.issue(COVERED, **WRITE)
    path, user, headers = "/", None, {}
    if form == "path":
        path = f"/+t/{writer}/"
    elif form == "bearer":
        headers = {"Authorization": f"Bearer {writer}"}
    else:
        user = ("__token__", writer)

    answer = shop.open(path, user, method="POST", data=upload(), headers=headers)

    assert (answer.status_code, answer.text) == (200, "")
    shop.await_file(NEW)
    assert NEW in shop.get("/simple/acme-tool/").text


def test_an_sdist_and_a_signature_are_taken(shop: Shop) -> None:
    writer = shop.issue(COVERED, **WRITE)
    name, data = "acme_tool-2.0.tar.gz", sdist_bytes("acme-tool", "2.0")

    answer = shop.post(writer, upload(data, name, signature=(f"{name}.asc", b"signed")))

    assert answer.status_code == 200
    assert (shop.root / name).read_bytes() == data
    assert (shop.root / f"{name}.asc").read_bytes() == b"signed"


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("secret_sauce-1.0-py3-none-any.whl.asc", b"signed"),
        ("acme_tool-1.0-py3-none-any.whl.asc", b"signed"),
        (f"{NEW}.yanked", b"signed"),
        (f"{NEW}.asc", b"x" * 70_000),
    ],
)
def test_a_signature_must_belong_to_the_file(shop: Shop, name: str, contents: bytes) -> None:
    writer = shop.issue(None, **WRITE)

    answer = shop.post(writer, upload(signature=(name, contents)))

    assert answer.status == "400 The signature does not belong to the file"
    assert not (shop.root / NEW).exists()


@pytest.mark.parametrize(
    ("query", "is_covered"),
    [
        ("tag:internal", True),
        ("NOT tag:internal", False),
        ("tag:other", False),
        ("NOT tag:other", True),
        ("name:^acme-tool$ tag:^internal$", True),
    ],
)
def test_an_upload_is_covered_as_its_download_is(
    shop: Shop, query: str, *, is_covered: bool
) -> None:
    """By the vendor's tags, too, which no file states."""
    shop.core.package_tags.add(REPOSITORY, "acme-tool", ["internal"], actor=person())
    writer = shop.issue(query, **WRITE)

    answer = shop.post(writer, upload())

    assert answer.status_code == (200 if is_covered else 403)
    assert is_covered or '"code": "not_covered"' in answer.text
    assert (shop.root / NEW).exists() is is_covered


@pytest.mark.parametrize("action", ["remove_pkg", "doc_upload", "submit", "verify", "x"])
def test_a_token_does_nothing_but_upload(shop: Shop, action: str) -> None:
    writer = shop.issue(None, **WRITE)
    form = upload(action=action) | {"name": "acme_tool", "version": "1.0"}

    assert shop.post(writer, form).status == "403 Only uploads are open to a token"
    assert (shop.root / TOOL).exists()


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({":action": "file_upload"}, "400 The upload has no file 'content'"),
        ({":action": "file_upload", "content": "text"}, "400 The upload has no file 'content'"),
        ({}, "411 An upload needs a Content-Length"),
    ],
)
def test_half_a_form_is_refused(shop: Shop, form: dict[str, str], status: str) -> None:
    assert shop.post(shop.issue(None, **WRITE), form).status == status


@pytest.mark.parametrize("media", ["Multipart/Form-Data", "MULTIPART/FORM-DATA", "multipart/Mixed"])
@pytest.mark.parametrize("who", ["token", "publisher"])
def test_media_types_ignore_case(shop: Shop, media: str, who: str) -> None:
    part = "--b\r\nContent-Disposition: form-data; name="
    body = b"".join(
        [
            f'{part}":action"\r\n\r\nfile_upload\r\n'.encode(),
            f'{part}"content"; filename="{NEW}"\r\n\r\n'.encode(),
            wheel_bytes("acme-tool", "2.0"),
            b"\r\n--b--\r\n",
        ]
    )
    options: dict[str, Any] = {"data": body, "content_type": f"{media}; boundary=b"}
    if who == "publisher":
        answer = shop.publisher("/", method="POST", **options)
    else:
        answer = shop.get("/", ("token", shop.issue(COVERED, **WRITE)), method="POST", **options)

    assert answer.status_code == 200
    shop.await_file(NEW)


@pytest.mark.parametrize("digits", [18, 19, 20, 4_300, 4_301, 10_000])
def test_a_length_of_any_length_is_too_large(shop: Shop, digits: int) -> None:
    """Python reads no number of more than 4,300 digits."""
    answer = shop.get(
        "/",
        ("token", shop.issue(None, **WRITE)),
        method="POST",
        content_type="multipart/form-data; boundary=b",
        environ_overrides={"CONTENT_LENGTH": "9" * digits},
    )
    assert answer.status == "413 The upload is too large"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"x" * 200_000, "application/x-www-form-urlencoded"),
        (b"nothing", "multipart/form-data"),
    ],
)
def test_what_is_no_form_is_refused(shop: Shop, body: bytes, content_type: str) -> None:
    writer = shop.issue(None, **WRITE)

    answer = shop.get(
        "/",
        ("token", writer),
        method="POST",
        input_stream=io.BytesIO(body),
        content_type=content_type,
        content_length=len(body),
    )  # fmt: skip - short

    assert answer.status == "400 The upload is not a form"


def test_a_token_that_may_only_read_uploads_nothing(shop: Shop) -> None:
    answer = shop.post(shop.secret, upload())

    assert answer.status == "403 Entitlement is read-only"
    assert not (shop.root / NEW).exists()


@pytest.mark.parametrize(
    ("terms", "status"),
    [
        ({"enabled": False}, "403 Entitlement token disabled"),
        ({"limit_date_range_to": datetime(2020, 1, 1, tzinfo=UTC)}, "403 Entitlement expired"),
        ({"deny_networks": ["127.0.0.0/8"]}, "403 Address 127.0.0.1 not allowed"),
    ],
)
def test_the_state_of_a_token_counts(shop: Shop, terms: dict[str, Any], status: str) -> None:
    answer = shop.post(shop.issue(None, **WRITE, **terms), upload())

    assert answer.status.startswith(status)


@pytest.mark.parametrize(
    "query", ["license:GPL", "version:<2", "dependency:numpy", "NOT name:^acme-tool$", "size:<10"]
)
def test_the_grant_is_asked_about_the_metadata(shop: Shop, query: str) -> None:
    answer = shop.post(shop.issue(query, **WRITE), upload())

    assert answer.status == "403 This upload is not covered by the entitlement"
    assert not (shop.root / NEW).exists()


def test_what_is_there_is_not_replaced(shop: Shop) -> None:
    writer = shop.issue(COVERED, **WRITE)
    before = (shop.root / TOOL).read_bytes()

    answer = shop.post(writer, upload(wheel_bytes("acme-tool", "1.0", padding=9), TOOL))

    assert answer.status == f"409 File already exists: {TOOL}"
    assert '"code": "file_exists"' in answer.text
    assert "--overwrite" not in answer.text  # a customer has no server to start
    assert (shop.root / TOOL).read_bytes() == before


@pytest.mark.parametrize("links", [True, False])
def test_of_two_uploads_at_once_one_is_taken(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    def without(*_: object) -> None:
        raise PermissionError("no links here")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", without)
    writer = shop.issue(COVERED, **WRITE)
    store = shop.config.backend.backend.add_package

    def meanwhile(hidden: str, stream: object) -> None:
        store(hidden, stream)
        (shop.root / NEW).write_bytes(b"the other one's")

    monkeypatch.setattr(shop.config.backend.backend, "add_package", meanwhile)

    answer = shop.post(writer, upload())

    assert answer.status == f"409 File already exists: {NEW}"
    assert (shop.root / NEW).read_bytes() == b"the other one's"
    assert list(shop.root.glob(".upload-*")) == []


def test_without_links_an_upload_is_stored(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(Path, "hardlink_to", without)

    assert shop.post(shop.issue(COVERED, **WRITE), upload()).status_code == 200
    assert (shop.root / NEW).exists()
    assert list(shop.root.glob(".upload-*")) == []


def test_with_overwrite_it_is_if_the_grant_covers_the_old_one_too(start: Start) -> None:
    shop = start(overwrite=True)
    data = wheel_bytes("acme-tool", "1.0", overrides={"License-Expression": "BSD-2-Clause"})
    narrow = shop.issue("license:BSD", **WRITE)
    wide = shop.issue("name:^acme-tool$", **WRITE)

    assert shop.post(narrow, upload(data, TOOL)).status_code == 403
    assert shop.post(wide, upload(data, TOOL)).status_code == 200
    assert (shop.root / TOOL).read_bytes() == data
    assert [path.name for path in shop.root.glob(".upload-*")] == []


def test_an_upload_that_breaks_off_leaves_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(hidden: str, stream: object) -> None:
        (shop.root / hidden).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(shop.config.backend.backend, "add_package", full)

    answer = shop.publisher("/", method="POST", data=upload())

    assert answer.status_code == 500
    assert not (shop.root / NEW).exists()
    assert list(shop.root.glob(".upload-*")) == []


def test_uploads_work_where_pypiserver_asks_for_no_password(start: Start) -> None:
    shop = start(password_file=".", authenticate=[])
    writer = shop.issue(COVERED, **WRITE)

    assert shop.post(writer, upload()).status_code == 200
    assert shop.anonymous("/", method="POST", data=upload()).status_code == 401


class NoFriday:
    """A rule of a vendor's own."""

    @hookimpl
    def entitlements_veto(self, question: Question) -> Deny | None:
        writes = question.request.writes and isinstance(question.resource, DistributionFile)
        return Deny(Reason.VETOED, "Not on a Friday") if writes else None


def test_a_plugin_may_refuse_an_upload(start: Start) -> None:
    shop = start(entitlements_plugins=(NoFriday(),))

    assert shop.post(shop.issue(COVERED, **WRITE), upload()).status == "403 Not on a Friday"


def test_a_fact_that_cannot_be_found_out_refuses(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = shop.issue(COVERED, **WRITE)
    gone = Deny(Reason.VALIDATION_UNAVAILABLE, "Validation service unavailable")
    monkeypatch.setattr(shop.core.gate, "complete_facts", lambda *_: gone)

    assert shop.post(writer, upload()).status_code == 503


@pytest.mark.parametrize(
    ("name", "words"),
    [("acme\0tool-2.0.tar.gz", "form cannot be read"), (f"a-{'9' * 300}.tar.gz", "255 characters")],
)
def test_a_publisher_is_told_what_is_wrong_with_a_name(shop: Shop, name: str, words: str) -> None:
    part = "--b\r\nContent-Disposition: form-data; name="
    body = (
        f'{part}":action"\r\n\r\nfile_upload\r\n'
        f'{part}"content"; filename="{name}"\r\n\r\nx\r\n--b--'
    )
    answer = shop.publisher(
        "/", method="POST", data=body.encode(), content_type="multipart/form-data; boundary=b"
    )
    assert answer.status_code == 400
    assert words in answer.text


def test_without_its_password_file_nobody_publishes_and_customers_go_on(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    for file in shop.root.parent.glob("*htpasswd*"):
        file.unlink()
    assert shop.publisher("/", method="POST", data=upload()).status_code == 503
    assert "Traceback" not in caplog.text
    assert "no publisher is let in" in caplog.text
    assert shop.get("/simple/").status_code == 200
