"""`__all__` is true: what other modules take from a module is in it, and nothing that nobody takes.

Package faces (``__init__.py``) are for whoever uses the product, so they may list more than that.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).parents[1]
_PACKAGES: Final = {
    "entitlements_core": _ROOT / "entitlements_core",
    "devpi_entitlements": _ROOT / "plugins/devpi/devpi_entitlements",
    "flask_static_entitlements": _ROOT / "plugins/flask_static/flask_static_entitlements",
    "pypiserver_entitlements": _ROOT / "plugins/pypiserver/pypiserver_entitlements",
}
_OTHERS: Final = ("tests/**/*.py", "benchmarks/**/*.py", "docs/examples/**/*.py", "conftest.py")
_TEXTS: Final = (
    *(
        "docs/**/*.md",
        "README.md",
        "pyproject.toml",
        "entitlements_core/**/*.py",
        "plugins/**/*.py",
    ),
    *_OTHERS,
)
_PACKAGE: Final = f"(?:{'|'.join(_PACKAGES)})"
_NAMED: Final = re.compile(rf"\b({_PACKAGE}(?:\.\w+)*)[.:](\w+)\b")
"""A name as configurations and monkeypatches write it: ``package.module:NAME``."""
_IMPORTED: Final = re.compile(rf"\bfrom ({_PACKAGE}[\w.]*) import (\((?:[^)]*)\)|[\w, ]+)")
"""An import in the text of a page, or in a string that a test runs in a process of its own."""

Use = tuple[str, str]
"""The module, and the name that is taken from it."""


@dataclass(frozen=True)
class Module:
    """One module of the product, as its text says."""

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @property
    def is_face(self) -> bool:
        return self.path.name == "__init__.py"

    @cached_property
    def public(self) -> list[str]:
        """What its `__all__` lists; nothing where it has none."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if "__all__" in {ast.unparse(target) for target in targets}:
                    return list(ast.literal_eval(node.value))
        return []

    @cached_property
    def bound(self) -> frozenset[str]:
        """What it defines or imports, at whatever depth of conditions."""
        return frozenset(_bound(self.tree.body))


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from ((alias.asname or alias.name).partition(".")[0] for alias in names)
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    yield from (one.id for one in ast.walk(target) if isinstance(one, ast.Name))
            case ast.If() | ast.Try() | ast.With():
                for inner in ("body", "orelse", "finalbody"):
                    yield from _bound(getattr(node, inner, []))
                for handler in getattr(node, "handlers", []):
                    yield from _bound(handler.body)
            case _:
                pass


def _modules() -> Iterator[Module]:
    for package, folder in _PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            if "migrations" in path.parts:
                continue  # Alembic finds names there by itself
            words = [package, *path.relative_to(folder).with_suffix("").parts]
            yield Module(".".join(words).removesuffix(".__init__"), path)


MODULES: Final = {module.name: module for module in _modules()}


def _uses(tree: ast.Module, name: str = "") -> Iterator[Use]:
    """What the module `name` takes from others, by ``from`` or as an attribute of a module."""
    aliases: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in MODULES:
                    aliases[alias.asname or alias.name] = whole
                yield node.module, alias.name
        elif isinstance(node, ast.Import):
            aliases |= {alias.asname or alias.name: alias.name for alias in node.names}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name() | ast.Attribute() as owner, attr=attribute):
                dotted = ast.unparse(owner)
                if dotted in aliases:
                    yield aliases[dotted], attribute
            case ast.Attribute(
                value=ast.Call(func=ast.Name(id="import_module"), args=[ast.JoinedStr() as place]),
                attr=attribute,
            ):
                yield ast.unparse(place)[2:-1].replace("{__name__}", name), attribute
            case _:
                pass


def _uses_in_text(text: str) -> Iterator[Use]:
    for found in _NAMED.finditer(text):
        yield found[1], found[2]
    for found in _IMPORTED.finditer(text):
        for name in re.findall(r"(\w+)(?: as \w+)?\s*(?:,|\)|$)", found[2]):
            yield found[1], name


def _inside() -> dict[Use, str]:
    """What modules of the product take from one another, and one that does."""
    return {
        use: module.name
        for module in MODULES.values()
        for use in _uses(module.tree, module.name)
        if use[0] in MODULES and use[0] != module.name
    }


def _outside() -> frozenset[Use]:
    """What tests, benchmarks, examples and pages take, and what is named in a text anywhere."""
    found: set[Use] = set()
    for path in (one for pattern in _OTHERS for one in _ROOT.glob(pattern)):
        found.update(_uses(ast.parse(path.read_text(encoding="utf-8"))))
    for path in (one for pattern in _TEXTS for one in _ROOT.glob(pattern)):
        found.update(_uses_in_text(path.read_text(encoding="utf-8")))
    return frozenset(found)


INSIDE: Final = _inside()
OUTSIDE: Final = _outside()
HIDDEN: Final[dict[str, set[str]]] = defaultdict(set)
TAKEN: Final[dict[str, set[str]]] = defaultdict(set)
for _owner, _name in {*INSIDE, *OUTSIDE}:
    TAKEN[_owner].add(_name)
for (_owner, _name), _by in INSIDE.items():
    is_public = not _name.startswith("_") and f"{_owner}.{_name}" not in MODULES
    if is_public and _name not in MODULES[_owner].public:
        HIDDEN[_owner].add(f"{_name} (by {_by})")

every_module = pytest.mark.parametrize("module", MODULES.values(), ids=MODULES)


@every_module
def test_what_others_take_is_public(module: Module) -> None:
    assert not HIDDEN[module.name], f"not in __all__ of {module.path.relative_to(_ROOT)}"


@every_module
def test_what_is_public_is_there_and_taken(module: Module) -> None:
    assert len(module.public) == len(set(module.public))
    assert set(module.public) <= module.bound
    if not module.is_face:
        assert set(module.public) <= TAKEN[module.name], "nobody takes it: leave it out of __all__"


def test_the_search_finds_something() -> None:
    assert len(MODULES) > 200
    assert INSIDE[("entitlements_core.errors", "StoreError")]
    assert ("entitlements_core.cli", "main") in OUTSIDE
