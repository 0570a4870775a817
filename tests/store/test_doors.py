"""Databases are opened in one place each, with one set of options and a bound on every wait."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import entitlements_core

CORE: Final = Path(entitlements_core.__file__).parent
PLUGINS: Final = CORE.parent / "plugins"
DOORS: Final = {
    ("sqlite3", "connect"): {"entitlements_core/store/sqlite.py"},
    ("psycopg", "connect"): set(),
    ("BoundConnection", "connect"): {"entitlements_core/store/postgres.py"},
    ("Connection", "connect"): set(),
}
ELSEWHERE: Final = {"entitlements_core/engine/catalog_cache.py"}
"""The cache of a catalog is no store: nothing in it is asked for by a request."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for root in (CORE, PLUGINS):
        for path in sorted(root.rglob("*.py")):
            yield str(path.relative_to(CORE.parent)), ast.parse(path.read_text())


def calls(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What is called as ``name.attribute(…)``."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            yield node.func.value.id, node.func.attr


@pytest.mark.parametrize("called", DOORS, ids=".".join)
def test_each_database_has_one_door(called: tuple[str, str]) -> None:
    found = {name for name, tree in modules() if called in set(calls(tree))}
    assert found - ELSEWHERE == DOORS[called]


def test_sqlalchemy_comes_through_the_same_doors() -> None:
    engines = (CORE / "store" / "engines.py").read_text()
    made = re.findall(r"create_engine\((.*?)\n    \)", engines, re.DOTALL)
    assert len(made) == 2
    assert all("creator=" in one for one in made)
    assert [name for name, tree in modules() if "create_engine" in ast.dump(tree)] == [
        "entitlements_core/store/engines.py"
    ]
