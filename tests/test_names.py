"""One name, one thing; and a module is called by what is in it."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = (
    ROOT / "entitlements_core",
    ROOT / "plugins" / "devpi" / "devpi_entitlements",
    ROOT / "plugins" / "flask_static" / "flask_static_entitlements",
    ROOT / "plugins" / "pypiserver" / "pypiserver_entitlements",
)
MODULES: Final = {
    str(path.relative_to(ROOT)): path for package in PACKAGES for path in package.rglob("*.py")
}

OF_EACH_ADAPTER: Final = {
    "Configuration": "what a vendor sets",
    "HostHooks": "the host's answers to the core's questions",
    "Routes": "which address is for what",
    "Options": "what is given beside the host's own settings",
    "Site": "what is open while a server runs",
}
"""Names that each adapter may have, for the same duty in its own host."""

GERUNDS: Final = {
    "host_binding": "a noun: what binds a grant to its host",
    "keyring": "a noun",
    "metering": "the field's word for counting what is used",
    "serving": "named in the documentation of servers, as Werkzeug's own module is",
    "forwarding": "the proxies' word for a request that is passed on",
    "testing": "for the tests of apps, as Flask's own module is",
}
"""Modules that end in -ing, each with its reason."""


def names_of(tree: ast.Module) -> list[str]:
    """The classes and aliases of types that a module defines; type variables are nobody's."""
    found = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    for node in tree.body:
        if isinstance(node, ast.Assign) and not _is_type_variable(node.value):
            found += [one.id for one in node.targets if isinstance(one, ast.Name)]
    return [name for name in found if name[0].isupper() and not name.isupper()]


def _is_type_variable(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) in {"TypeVar", "ParamSpec"}


def definitions() -> dict[str, list[str]]:
    """Where each name is defined."""
    found: dict[str, list[str]] = defaultdict(list)
    for module, path in MODULES.items():
        for name in names_of(ast.parse(path.read_text(encoding="utf-8"))):
            found[name].append(module)
    return found


def test_no_name_means_two_things() -> None:
    twice = {name: where for name, where in definitions().items() if len(where) > 1}
    for name in OF_EACH_ADAPTER:
        where = twice.pop(name)
        assert all(module.startswith("plugins/") for module in where), where
        assert len({module.split("/")[1] for module in where}) == len(where), where
    assert twice == {}


def test_modules_are_called_by_nouns() -> None:
    gerunds = {Path(module).stem for module in MODULES if module.endswith("ing.py")}
    assert gerunds == set(GERUNDS)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("class Token: ...", ["Token"]),
        ("Token = str\nVALUE = 1\nvalue = 2", ["Token"]),
        ("Item = TypeVar('Item')", []),
    ],
)
def test_what_counts_as_a_name(text: str, names: list[str]) -> None:
    assert names_of(ast.parse(text)) == names
