"""Small files in memory: what is kept is what its digest says, and never more than fits."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.engine.content_cache import ContentCache


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(0, 100))
def test_what_is_kept_is_right_and_fits(contents: list[bytes], capacity: int) -> None:
    bodies = ContentCache(capacity)
    for data in contents:
        bodies.keep(digest(data), data)
        assert bodies.get(digest(data)) == (data if len(data) <= capacity else None)
    kept = {data for data in contents if bodies.get(digest(data)) is not None}
    assert all(bodies.get(digest(data)) in {None, data} for data in contents)
    assert sum(map(len, kept)) <= capacity


def test_contents_under_another_digest_are_not_kept() -> None:
    bodies = ContentCache()
    bodies.keep(digest(b"one"), b"two")
    assert bodies.get(digest(b"one")) is None


def test_the_one_that_was_asked_for_last_stays() -> None:
    bodies = ContentCache(8)
    bodies.keep(digest(b"aaaa"), b"aaaa")
    bodies.keep(digest(b"bbbb"), b"bbbb")
    bodies.get(digest(b"aaaa"))
    bodies.keep(digest(b"cccc"), b"cccc")
    assert bodies.get(digest(b"aaaa")) is not None
    assert bodies.get(digest(b"bbbb")) is None
