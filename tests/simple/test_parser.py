"""Pages of other indexes, as far as they can be read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import NormalizedName

from entitlements_core.simple.parser import PageRead, read_page

NAME = NormalizedName("acme-util")
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "text/html; charset=utf-8"


def page(**changes: object) -> bytes:
    fields = {"name": "Acme_Util", "files": [{}, {}], "versions": ["1.0", "9.0", "10.0"]}
    return json.dumps({**fields, **changes}).encode()


@pytest.mark.parametrize(
    ("media", "body", "expected"),
    [
        (JSON, page(), PageRead(2, "10.0")),
        (f"{JSON.upper()}; charset=utf-8", page(), PageRead(2, "10.0")),
        (JSON, page(files=[], versions=[]), PageRead(0, "")),
        (JSON, page(versions=["odd", 5, "1" * 50, "2.0"]), PageRead(2, "2.0")),
        (JSON, page(versions="1.0"), PageRead(2, "")),
        (JSON, page(name="acme-utils"), None),
        (JSON, page(name=None), None),
        (JSON, page(files={}), None),
        (JSON, b"[]", None),
        (JSON, b"{", None),
        (JSON, b"\xff\xfe", None),
        (JSON, b"[" * 100_000, None),
        (HTML, b'<a href="x">x</a><A\nhref="y">y</A>', PageRead(2)),
        (HTML, b"<p>Log in, please.</p>", None),
        ("application/json", page(), None),
        ("", page(), None),
    ],
)
def test_what_a_page_says(media: str, body: bytes, expected: PageRead | None) -> None:
    assert read_page(media, body, NAME) == expected


@given(st.sampled_from([JSON, HTML, "text/plain"]), st.binary())
def test_no_answer_breaks_it(media: str, body: bytes) -> None:
    found = read_page(media, body, NAME)
    assert found is None or media != "text/plain"
