"""Who knows one adapter knows all: the same duty stands in a module of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

PLUGINS: Final = Path(__file__).parents[2] / "plugins"
RECIPE: Final = {
    "configuration": "what a vendor sets",
    "startup": "opens everything, and puts it into the host",
    "site": "what is open while a server runs",
    "middleware": "where requests come in",
    "authentication": "who asks",
    "routes": "which address is for what",
    "authorization": "the policy's questions",
    "responses": "what is answered",
    "uploads": "files that come in",
    "host": "what the core asks its host",
}
WITHOUT: Final = {("flask_static", "uploads"): "an index over a folder takes none"}


@pytest.mark.parametrize("duty", RECIPE)
@pytest.mark.parametrize("adapter", ["devpi", "flask_static", "pypiserver"])
def test_each_duty_has_its_module(adapter: str, duty: str) -> None:
    module = PLUGINS / adapter / f"{adapter}_entitlements" / f"{duty}.py"
    assert module.exists() is ((adapter, duty) not in WITHOUT)
