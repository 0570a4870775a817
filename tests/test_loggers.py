"""One tree of loggers, so that one name sets the level of everything that the product says."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCT = [
    ROOT / "entitlements_core",
    *(folder for folder in (ROOT / "plugins").glob("*/*") if (folder / "__init__.py").is_file()),
]
FOREIGN = {
    "entitlements_core/cli/serve/waitress.py": "the access log of the server that it starts",
    "entitlements_core/services/redaction.py": "puts its filter on the loggers of servers",
    "plugins/flask_static/flask_static_entitlements/extension.py": "the logger of the app",
    "plugins/pypiserver/pypiserver_entitlements/servers.py": "the access log of the server",
}


def loggers(path: Path) -> Iterator[object]:
    """The names that a module asks for loggers by; None for one that is computed."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("getLogger"):
            continue
        name = node.args[0] if node.args else None
        yield name.value if isinstance(name, ast.Constant) else None


def test_all_loggers_are_in_one_tree() -> None:
    asked = {
        str(path.relative_to(ROOT)): names
        for folder in PRODUCT
        for path in folder.rglob("*.py")
        if (names := list(loggers(path)))
    }
    assert len(asked) > 20
    strays = {
        module: names
        for module, names in asked.items()
        if module not in FOREIGN
        and not all(str(name).startswith("entitlements.") for name in names)
    }
    assert not strays
    assert set(FOREIGN) <= set(asked), "a module that is excused asks for no logger any more"
