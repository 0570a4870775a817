"""The page for vendors names every field, and its examples are queries."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entitlements_core.policy.query import FIELDS, PackageQuery
from entitlements_core.policy.query.syntax import Term
from entitlements_core.policy.token_search import TOKEN_FIELDS, parse_token_search

_PAGE = Path(__file__).parents[3].joinpath("docs", "query.md").read_text(encoding="utf-8")
_PACKAGES, _TOKENS = _PAGE.split("## Searching tokens")
_LAST_CELL = re.compile(r"^\|.*\| `([^`]+)` \|$", re.MULTILINE)
_FIRST_CELL = re.compile(r"^\| (.*?) \|", re.MULTILINE)


def _named(page: str) -> set[str]:
    return {word for cell in _FIRST_CELL.findall(page) for word in re.findall(r"`(\w+)`", cell)}


def test_every_field_is_documented() -> None:
    assert set(FIELDS) <= _named(_PACKAGES)
    assert set(TOKEN_FIELDS) <= _named(_TOKENS)


@pytest.mark.parametrize("query", _LAST_CELL.findall(_PACKAGES))
def test_package_example(query: str) -> None:
    assert PackageQuery.parse(query).warnings == ()


@pytest.mark.parametrize("query", _LAST_CELL.findall(_TOKENS))
def test_token_example(query: str) -> None:
    tree = parse_token_search(query, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert isinstance(tree, Term)
