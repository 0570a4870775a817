"""Names that are the vendor's: of files, and reserved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.project_names import NamePattern, names_in, parse_patterns

NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "shown", "matching", "other"),
    [
        ("acme-app", "acme-app", ["acme-app"], ["acme", "acme-app2", "the-acme-app"]),
        ("Acme_App", "acme-app", ["acme-app"], ["acme_app"]),
        (" acme-* ", "acme-*", ["acme-app", "acme-a-b"], ["acme", "acmeapp", "my-acme-app"]),
        ("ACME.*", "acme-*", ["acme-app"], ["acme"]),
        ("acme--_*", "acme-*", ["acme-app"], ["acme"]),
        ("acme*", "acme*", ["acme", "acmeapp", "acme-app"], ["acm", "my-acme"]),
        ("a", "a", ["a"], ["ab"]),
    ],
)
def test_a_pattern(text: str, shown: str, matching: list[str], other: list[str]) -> None:
    pattern = NamePattern.parse(text)
    assert str(pattern) == shown
    assert NamePattern.parse(shown) == pattern
    assert all(pattern.matches(canonicalize_name(name)) for name in matching)
    assert not any(pattern.matches(name) for name in other)  # type: ignore[arg-type] # as they are


@pytest.mark.parametrize(
    "text",
    ["", "*", "-*", "*-acme", "acme-*-app", "acme**", "ac me", "acme/app", "é", "acme-", "a" * 201],
)
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(InvalidValue, match="no project name"):
        NamePattern.parse(text)


def test_several_patterns() -> None:
    assert list(map(str, parse_patterns(["acme-*", "Acme.*", "b"]))) == ["acme-*", "b"]


@given(name=NAMES, rest=st.sampled_from(["", "x", "-x"]))
def test_a_beginning_reserves_whatever_begins_with_it(name: str, rest: str) -> None:
    assert NamePattern.parse(f"{name}*").matches(canonicalize_name(name + rest))


@pytest.mark.parametrize(
    ("filename", "names"),
    [
        ("acme_app-1.0-py3-none-any.whl", {"acme-app"}),
        ("Acme.App-1.0-py3-none-any.whl", {"acme-app"}),
        ("acme_app-broken.whl", {"acme-app", "acme-app-broken"}),
        ("acme_app.whl", {"acme-app"}),
        ("acme_app-1.0-py3-none-any.WHL", {"acme-app"}),
        ("acme_app -1.0-py3-none-any.whl", {"acme-app"}),
        ("acme-app-2.x.WHL", {"acme", "acme-app", "acme-app-2-x"}),
        ("acme-2fa-1.0-py3-none-any.whl", {"acme", "acme-2fa"}),
        ("acme_app-1.0-1-py3-none-any.whl", {"acme-app", "acme-app-1-0"}),
        ("acme_app-dev.tar.gz", {"acme-app", "acme-app-dev"}),
        ("acme-the-app-dev.zip", {"acme", "acme-the", "acme-the-app", "acme-the-app-dev"}),
        ("acme_app-1.0.tar.gz", {"acme-app"}),
        ("acme-app-1.0.tar.gz", {"acme-app"}),
        ("numpy-helper-1.0.tar.gz", {"numpy-helper"}),
        ("acme-2-tools-1.0.zip", {"acme", "acme-2-tools"}),
        ("acme-1.0-2.tar.gz", {"acme", "acme-1-0"}),
        ("acme-v1.0.tar.gz", {"acme"}),
        ("acme_1.0.deb", {"acme"}),
        ("acme-app.tar.gz", {"acme", "acme-app"}),
        ("acme_app.ZIP", {"acme-app"}),
        ("acme-app.tgz", {"acme", "acme-app"}),
        ("acme_app.TAR.Z", {"acme-app"}),
        ("acme_app.deb", {"acme-app"}),
        ("-1.0.tar.gz", set()),
        ("é-1.0.tar.gz", set()),
        ("acme app-1.0.tar.gz", {"acme-app"}),
        ("acme+app-1.0-py3-none-any.whl", {"acme-app"}),
        ("(acme)-1.0.zip", {"acme"}),
        ("readme.txt", set()),
        ("", set()),
    ],
)
def test_the_names_of_a_file(filename: str, names: set[str]) -> None:
    assert names_in(filename) == names


@given(name=NAMES, version=st.from_regex(r"v?[0-9]{1,2}(\.[0-9]{1,2}){0,2}", fullmatch=True))
def test_the_name_of_an_sdist_is_among_them(name: str, version: str) -> None:
    for end in (".tar.gz", ".zip"):
        assert canonicalize_name(name) in names_in(f"{name}-{version}{end}")
        assert canonicalize_name(name) in names_in(f"{name.replace('-', '_')}-{version}{end}")


@given(st.text(max_size=30))
def test_any_text_may_be_a_file_name(filename: str) -> None:
    assert all(name == canonicalize_name(name) for name in names_in(filename))
