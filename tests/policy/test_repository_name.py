"""What a repository can be called."""

from typing import Final

import pytest

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.repository_name import check_repository_name

IMPOSSIBLE: Final = (
    "",
    "acme",
    "acme/",
    "/main",
    "a/b/c",
    "-a/b",
    "a/.b",
    "../b",
    "a/+b",
    "a b/c",
    "ä/b",
    "a/b\n",
    "a/simple",
    "a/" + "x" * 101,
)
"""Names that no repository can have."""


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_repository_name(name)
    assert caught.value.field == "repository"


def test_a_name_is_no_secret() -> None:
    secret = "ent_" + "a" * 38
    with pytest.raises(InvalidValue, match="secret of a token") as caught:
        check_repository_name(f"acme/{secret}")
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["root/pypi", "A1._-/z.Z-_", "a/" + "x" * 100, "ann@acme.example/_dev", "@a/b@"]
)
def test_names_that_can_be(name: str) -> None:
    assert check_repository_name(name) == name


@pytest.mark.parametrize("name", ["admin/prod", "acme/Simple", "packages/static"])
def test_reserved_words_are_no_harm_where_a_host_has_them(name: str) -> None:
    with pytest.raises(InvalidValue, match="reserved word"):
        check_repository_name(name)
    assert check_repository_name(name, hosted=True) == name
