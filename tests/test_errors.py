"""Errors: one base, stable codes, and a caret under what is wrong."""

import pytest

from entitlements_core import errors
from entitlements_core.errors import EntitlementsError, InvalidValue, NotFound, QuerySyntaxError

KINDS = {
    "EntitlementsError": "error",
    "InvalidValue": "invalid",
    "QuerySyntaxError": "query_syntax",
    "NotFound": "not_found",
    "Conflict": "conflict",
    "Refused": "refused",
    "CredentialInvalid": "unknown_token",
    "ConfigurationError": "configuration",
    "PluginError": "plugin",
    "KeyFileError": "key",
    "StoreError": "store",
}


def test_every_error_has_its_own_code_and_one_base() -> None:
    found = {name: getattr(errors, name) for name in errors.__all__}
    assert {name: kind.code for name, kind in found.items()} == KINDS
    assert all(issubclass(kind, EntitlementsError) for kind in found.values())


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (EntitlementsError("It broke."), "It broke."),
        (EntitlementsError("It broke.", "Mend it."), "It broke. Mend it."),
        (InvalidValue("name", "The name is empty.", "Give one."), "The name is empty. Give one."),
    ],
)
def test_the_text_says_what_and_what_to_do(error: EntitlementsError, text: str) -> None:
    assert str(error) == text


def test_an_invalid_value_names_its_field() -> None:
    assert InvalidValue("name", "The name is empty.").field == "name"


def test_standard_handlers_catch_ours() -> None:
    assert issubclass(InvalidValue, ValueError)
    assert issubclass(NotFound, LookupError)


@pytest.mark.parametrize(
    ("span", "marker"),
    [((0, 4), "~~~^"), ((5, 6), "     ^"), ((6, 6), "      ^")],
)
def test_a_syntax_error_points_at_its_place(span: tuple[int, int], marker: str) -> None:
    error = QuerySyntaxError("Expected a field.", source="what:x", span=span)
    assert str(error) == f"Expected a field.\n    what:x\n    {marker}"
    assert error.field == "query"
