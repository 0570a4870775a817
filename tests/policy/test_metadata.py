"""The vendor's JSON object: what can be kept, and what no database could."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.metadata import MAX_BYTES, MAX_DEPTH, check_metadata


def nested(levels: int) -> dict[str, Any]:
    """An object with `levels` objects inside each other, the outermost included."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"plan": "gold", "seats": 5, "ratio": 0.5, "active": True, "note": None},
        {"list": [1, [2, [3]]], "object": {"a": {"b": []}}},
        {"emoji": "🐍", "escaped": '"\\\n\t'},
        {"a": "x" * (MAX_BYTES - 8)},
        nested(MAX_DEPTH),
    ],
)
def test_an_object_is_kept(value: dict[str, Any]) -> None:
    assert check_metadata(value) is value


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "is not a JSON object"),
        ("text", "is not a JSON object"),
        (None, "is not a JSON object"),
        ({"a": float("nan")}, "holds NaN or infinity"),
        ({"a": [float("-inf")]}, "holds NaN or infinity"),
        ({"a": "nul\x00"}, "holds a NUL character"),
        ({"nul\x00": 1}, "holds a NUL character"),
        ({1: "a"}, "has a key that is not text"),
        ({"a": {None: 1}}, "has a key that is not text"),
        ({"a": "\ud800"}, "cannot be written as JSON"),
        ({"a": object()}, "cannot be written as JSON"),
        ({"a": "x" * (MAX_BYTES - 7)}, "is larger than 16384 bytes"),
        ({"a": "ü" * (MAX_BYTES // 2)}, "is larger than 16384 bytes"),
        (nested(MAX_DEPTH + 2), "is nested deeper than 16 levels"),
        ({"a": [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}, "is nested deeper than 16 levels"),
    ],
)
def test_what_cannot_be_kept_is_refused(value: object, problem: str) -> None:
    with pytest.raises(InvalidValue, match=problem) as caught:
        check_metadata(value)
    assert caught.value.field == "metadata"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(value=st.dictionaries(st.text(), JSON, max_size=3))
def test_what_is_kept_can_be_read_again(value: dict[str, Any]) -> None:
    try:
        kept = check_metadata(value)
    except InvalidValue:
        return
    assert json.loads(json.dumps(kept, allow_nan=False)) == value
    assert "\\u0000" not in json.dumps(kept)
