"""The examples of the documentation are tests: the ``python`` blocks of its pages are run.

And a run of continuous integration is the same each time.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.region import Lexeme

from entitlements_core.plugins import Plugins
from entitlements_core.policy.actor import Actor, ActorKind
from entitlements_core.services.core import Core
from entitlements_core.services.settings import Settings
from tests.wheelhouse import build_wheel

# Programs that tests start again and again, some of which lie in fresh environments, are compiled
# once only.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Everywhere else the search for a counter-example goes on with every run.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


@contextmanager
def vendor() -> Iterator[str]:
    """A machine as the page on pypiserver assumes it: what is /srv, and a store with acme/prod."""
    root = Path(tempfile.mkdtemp(prefix="docs-"))
    build_wheel(root / "srv" / "packages", "acme-core", "1.0")
    core = Core.open(Settings.load(home=root / "home"), create=True, plugins=Plugins())
    core.repositories.add("acme/prod", actor=Actor("docs", ActorKind.PERSON))
    core.close()
    with mock.patch.dict(os.environ, {"ENTITLEMENTS_HOME": str(root / "home")}):
        yield f"{root}/srv/"
    # An app of a block may still be looking at its directories.
    shutil.rmtree(root, ignore_errors=True)


class MovedEvaluator:
    """Runs a block with /srv where it really is."""

    def __init__(self) -> None:
        self._python = PythonEvaluator()

    def __call__(self, example: Example) -> None:
        """Run one block; an assertion that fails is a failed test."""
        code = example.parsed
        moved = code.replace("/srv/", example.namespace["srv"])
        example.parsed = Lexeme(moved, code.offset, code.line_offset)
        self._python(example)


def setup(namespace: dict[str, Any]) -> None:
    """Make the machine of the page."""
    stack = namespace["stack"] = ExitStack()
    namespace.update(srv=stack.enter_context(vendor()), __name__="vendor")


def teardown(namespace: dict[str, Any]) -> None:
    """Take the machine away again."""
    namespace["stack"].close()


ON_A_HOST = ["docs/pypiserver.md"]
RUN_ELSEWHERE = ["docs/flask.md"]

pytest_collect_file = (
    Sybil(
        parsers=[PythonCodeBlockParser()],
        patterns=["docs/*.md"],
        excludes=ON_A_HOST + RUN_ELSEWHERE,
    )
    + Sybil(
        parsers=[CodeBlockParser("python", MovedEvaluator())],
        patterns=ON_A_HOST,
        setup=setup,
        teardown=teardown,
    )
).pytest()
