"""Which form each client gets; the headers of real clients are verbatim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.simple import MediaType, negotiate

JSON, HTML, TEXT = MediaType.JSON, MediaType.HTML, MediaType.TEXT_HTML
J, H = "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
    "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(f"{J}, {H}; q=0.1, text/html; q=0.01", JSON, id="pip, pdm"),
        pytest.param(f"{J}, {H};q=0.2, text/html;q=0.01", JSON, id="uv"),
        pytest.param(f"{J}, */*;q=0.1", JSON, id="poetry"),
        pytest.param("*/*", TEXT, id="pipenv, curl"),
        pytest.param("text/html", TEXT, id="pip before 22.2"),
        pytest.param(CHROME, TEXT, id="chrome"),
        (None, TEXT),
        ("", TEXT),
        ("  ", TEXT),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/vnd.pypi.simple.latest+html", HTML),
        (f"{J};q=0, application/vnd.pypi.simple.latest+json;q=0.5", JSON),
        (J.upper(), JSON),
        (H, HTML),
        (f"{J}, {H}, text/html", JSON),
        (f"text/html, {J}", JSON),
        (f"text/html;q=0.9, {J};q=0.8", TEXT),
        (f"{J};q=0.1, {H};q=0.10001", HTML),
        (f"{J};q=0, */*", TEXT),
        ("text/html;q=0, */*", JSON),
        (f"text/html;q=0, {J};q=0, */*", HTML),
        ("application/*", JSON),
        ("application/*;q=0.5, text/*;q=0.4", JSON),
        ("text/*", TEXT),
        ("text/*;q=0.3, */*;q=0.2", TEXT),
        (f"*/*;q=1, {J};q=1", JSON),
        ("text/html; charset=utf-8", TEXT),
        (f"{J};q=5", None),
        (f"{J};q=1.0", JSON),
        (f"{J};q=.5", JSON),
        (f"{J}; q = 0.5 ", JSON),
        (f"{J};q=nan, text/html;q=0.1", TEXT),
        (f"{J};q=", None),
        (",,", None),
        (f",{J},", JSON),
        ("application/json", None),
        ("application/vnd.pypi.simple.v2+json", None),
        ("image/png", None),
        ("*/*;q=0", None),
        ("text/html;q=0", None),
        (f"{J};q=0.000", None),
        ("garbage", None),
    ],
)
def test_accept(accept: str | None, expected: MediaType | None) -> None:
    assert negotiate(accept) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (J, JSON),
        (H, HTML),
        ("text/html", TEXT),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/json", None),
        ("*/*", None),
        ("", TEXT),
        (None, TEXT),
    ],
)
def test_the_format_parameter_beats_the_header(
    value: str | None, expected: MediaType | None
) -> None:
    assert negotiate("text/html", value) is expected


@given(st.text(st.sampled_from(f"{J}*/;q=01.,\r\n\0 é"), max_size=80))
def test_no_header_is_too_odd(accept: str) -> None:
    assert negotiate(accept) in {*MediaType, None}


def test_the_answer_names_the_concrete_version() -> None:
    assert [form.content_type for form in MediaType] == [J, H, "text/html; charset=utf-8"]
    assert [form.is_json for form in MediaType] == [True, False, False]
