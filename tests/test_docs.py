"""The documentation keeps up with the code."""

import importlib
import inspect
import re
from pathlib import Path
from typing import Final

import pytest

from entitlements_core import hookspecs
from entitlements_core.policy.decision import Reason
from entitlements_core.services.settings import Settings
from tests.pages import PAGES, ROOT, TAKEN, Block, blocks, take

DOCS: Final = ROOT / "docs"
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


def test_each_file_that_a_change_leads_to_exists() -> None:
    named = re.findall(
        r"`((?:\w+/)+[\w.-]*|[\w.-]+\.(?:md|toml|yml))`", (DOCS / "where-do-i.md").read_text()
    )

    assert len(named) > 50
    assert [one for one in named if not (ROOT / one).exists()] == []


RUN_BY_SYBIL: Final = {page for page in PAGES if page not in {"README.md", "docs/flask.md"}}
"""The pages of which `conftest.py` of the project runs every block of Python."""

ENTRY_POINT: Final = take("docs/hooks.md", "toml", "entry-points")

NOT_RUN: Final = {
    "entitlements_core/\n": "a picture of folders",
    "flowchart TD": "a picture of layers",
    "participant L as Ledger": "a picture of a request",
    "participant M as TokenPathMiddleware": "a picture of a request",
    "participant E as enforce": "a picture of a request",
    "participant M as PypiserverMiddleware": "a picture of a request",
    "sudo certbot": "asks somebody else for a certificate, and changes the machine",
    "scp primary:": "needs another machine; tests/functional/test_devpi_replica.py runs one",
    "docker build": "needs a Docker daemon; test_pypiserver.py runs the steps of the image",
    "autoload --install": "tests/plugins/pypiserver/test_autoload.py does, beside more",
}
"""What no test runs as it stands, by a word that is in it, and why."""


def takers() -> list[str]:
    """The test modules that take blocks from pages."""
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted(ROOT.glob("tests/**/test_*.py"))
        if path != Path(__file__) and "from tests.pages import" in path.read_text(encoding="utf-8")
    ]


def test_every_block_is_run() -> None:
    for module in takers():
        importlib.import_module(module)
    missed = [
        str(block)
        for page in PAGES
        for block in blocks(page)
        if block not in TAKEN and not is_run_elsewhere(block)
    ]
    assert not missed


def is_run_elsewhere(block: Block) -> bool:
    """By Sybil, or nowhere for a reason."""
    if block.language == "python" and block.page in RUN_BY_SYBIL:
        return True
    return any(word in block.text for word in NOT_RUN)


@pytest.mark.parametrize("word", NOT_RUN)
def test_what_is_not_run_is_still_there(word: str) -> None:
    found = [block for page in PAGES for block in blocks(page) if word in block.text]
    assert len(found) == 1


def test_the_entry_point_of_the_example_is_that_of_the_page() -> None:
    example = (DOCS / "examples/entitlements-embargo/pyproject.toml").read_text()
    assert ENTRY_POINT in example


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_in_the_table_of_answers(reason: Reason) -> None:
    assert f"`{reason.value}`" in (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
