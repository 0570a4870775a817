"""The examples of the documentation are tests: every ``python`` block in a page is run.

And a run of continuous integration is the same each time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
from flask import Flask, Response, send_from_directory
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from sybil.region import Lexeme

from entitlements_core.plugins import Plugins
from entitlements_core.policy.events import Download
from entitlements_core.policy.token import TokenGrant
from entitlements_core.services.settings import Settings
from entitlements_core.services.wiring import Core
from flask_static_entitlements import Entitlements
from tests.wheelhouse import build_wheel

# Everywhere else the search for a counter-example goes on with every run.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


@contextmanager
def vendor() -> Iterator[dict[str, Any]]:
    """A machine as the pages on Flask assume it: directories in /srv, a store, a customer."""
    root = Path(tempfile.mkdtemp(prefix="docs-"))
    for name in ("prod", "beta", "simple", "packages"):
        build_wheel(root / "srv" / name, "acme-core", "1.0")
    core = Core.open(Settings.load(home=root / "home"), create=True, plugins=Plugins())
    for name in ("acme/prod", "acme/beta"):
        core.repositories.add(name, actor="docs")
    issued = core.lifecycle.create("x", [TokenGrant(repository="acme/prod")], actor="docs")
    core.close()
    with mock.patch.dict(os.environ, {"ENTITLEMENTS_HOME": str(root / "home")}):
        yield {"srv": f"{root}/srv/", "secret": issued.secret}
    # An app of a block may still be looking at its directories.
    shutil.rmtree(root, ignore_errors=True)


class FlaskEvaluator:
    """Runs a block with an application of its own, and with /srv where it really is."""

    def __init__(self) -> None:
        self._python = PythonEvaluator()

    def __call__(self, example: Example) -> None:
        """Run one block; an assertion that fails is a failed test."""
        names = example.namespace
        app = Flask("vendor")
        names.update(app=app, application=app.wsgi_app)
        if "test_client" in example.parsed:
            names["extension"] = Entitlements(
                app, repository="acme/prod", directories=[f"{names['srv']}prod"]
            )
        code = example.parsed
        moved = code.replace("/srv/", names["srv"])
        example.parsed = Lexeme(moved, code.offset, code.line_offset)
        self._python(example)


def setup(namespace: dict[str, Any]) -> None:
    """What the blocks of a page on Flask may use without saying so."""
    stack = namespace["stack"] = ExitStack()
    namespace.update(stack.enter_context(vendor()))
    namespace.update(
        __name__="vendor",
        Download=Download,
        Entitlements=Entitlements,
        Flask=Flask,
        Response=Response,
        send_from_directory=send_from_directory,
    )


def teardown(namespace: dict[str, Any]) -> None:
    """Take the machine away again."""
    namespace["stack"].close()


PAGES_ON_HOSTS = ["docs/flask.md", "docs/pypiserver.md", "README.md"]

pytest_collect_file = (
    Sybil(parsers=[PythonCodeBlockParser()], patterns=["docs/*.md"], excludes=PAGES_ON_HOSTS)
    + Sybil(
        parsers=[CodeBlockParser("python", FlaskEvaluator())],
        patterns=PAGES_ON_HOSTS,
        setup=setup,
        teardown=teardown,
    )
).pytest()
