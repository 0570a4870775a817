"""Which packages a snippet names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from entitlements_core.errors import InvalidValue
from entitlements_core.policy.facts import FileFacts
from entitlements_core.services.snippets.covered import MOST, Covered, covered
from tests.policy.query.facts import wheel


def file(name: str, *requirements: str) -> FileFacts:
    needs = tuple(map(Requirement, requirements))
    return replace(wheel(), name=canonicalize_name(name), dependencies=needs)


APP = file("acme-app", "Acme_Util>=1", "numpy")
UTIL = file("acme-util", "acme-base; python_version > '3'")
BASE = file("acme-base")


def test_what_others_need_comes_by_itself() -> None:
    found = covered([BASE, UTIL, APP])
    assert found.packages == ("acme-app",)
    assert found.own == ("acme-app", "acme-util", "acme-base")
    assert found.others == 0


def test_what_is_chosen_is_named() -> None:
    found = covered([BASE, UTIL, APP], ["Acme.Util", "acme-util"])
    assert found.packages == ("acme-util",)
    assert found.own == ("acme-util", "acme-base")


def test_a_package_that_is_not_covered() -> None:
    with pytest.raises(InvalidValue, match=r"not cover acme-app\..*It covers acme-base"):
        covered([BASE], ["acme-app"])
    with pytest.raises(InvalidValue, match="It covers nothing"):
        covered([], ["acme-app"])


def test_of_many_some_are_named() -> None:
    found = covered([file(f"lab-{number:02}") for number in range(20)])
    assert found.packages == tuple(f"lab-{number:02}" for number in range(MOST))
    assert found.others == 20 - MOST


def test_a_circle_is_named_whole() -> None:
    found = covered([file("a", "b"), file("b", "a", "b")])
    assert found.packages == ("a", "b")


def test_every_version_counts_and_the_newest_is_named() -> None:
    newer = replace(APP, dependencies=(), version=Version("9"), filename="acme_app-9.tar.gz")
    found = covered([APP, newer, APP, UTIL, BASE])
    assert found.own == ("acme-app", "acme-util", "acme-base")
    assert found.filename == "acme_app-9.tar.gz"
    assert covered([]) == Covered((), ())
