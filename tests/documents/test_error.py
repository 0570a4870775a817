"""Errors as documents."""

from entitlements_core.documents.error import error_document, problem_document
from entitlements_core.errors import InvalidValue, NotFound, QuerySyntaxError


def test_an_error_has_a_detail_and_a_code() -> None:
    assert error_document(NotFound("There is no token.", "Look at the list.")) == {
        "detail": "There is no token. Look at the list.",
        "code": "not_found",
    }
    assert problem_document("It is full.", "system") == {"detail": "It is full.", "code": "system"}


def test_a_value_that_does_not_fit_names_its_field() -> None:
    found = error_document(InvalidValue("name", "It is empty.", "Give one."))
    assert found["fields"] == {"name": ["It is empty. Give one."]}


def test_a_query_shows_where_it_cannot_be_understood() -> None:
    error = QuerySyntaxError("A value is missing.", source="name:(", span=(0, 5))
    assert error_document(error) == {
        "detail": "A value is missing.",
        "code": "query_syntax",
        "fields": {"query": ["A value is missing."]},
        "query": "name:(",
        "span": [0, 5],
    }
