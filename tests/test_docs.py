"""The documentation keeps up with the code."""

import inspect
import re
from pathlib import Path
from typing import Final

import pytest

from entitlements_core import hookspecs
from entitlements_core.services.settings import Settings

DOCS: Final = Path(__file__).parent.parent / "docs"
HOOKS: Final = {
    name: tuple(inspect.signature(spec).parameters)
    for name, spec in vars(hookspecs).items()
    if name.startswith("entitlements_")
}


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_is_described_with_its_exact_arguments(hook: str) -> None:
    headings = re.findall(r"^### `(.+)`$", (DOCS / "hooks.md").read_text(), re.MULTILINE)

    assert f"{hook}({', '.join(HOOKS[hook])})" in headings


def test_no_hook_is_described_that_does_not_exist() -> None:
    headings = re.findall(r"^### `(\w+)\(", (DOCS / "hooks.md").read_text(), re.MULTILINE)

    assert set(headings) == set(HOOKS)


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_each_setting_is_described(setting: str) -> None:
    table = (DOCS / "serving.md").read_text().partition("## Settings")[2]

    assert f"`{setting.upper()}`" in table


@pytest.mark.parametrize("room", ["store", "engine"])
def test_each_module_that_the_architecture_names_exists(room: str) -> None:
    text = (DOCS / "architecture.md").read_text()
    named = re.findall(rf"`{room}/(\w+\.py)`", text)

    assert named
    for module in named:
        assert (DOCS.parent / "entitlements_core" / room / module).exists()
