"""A pytest plugin for pypiserver's own tests: its applications are protected, everybody publishes.

Loaded with ``-p pypiserver_suite`` in a process of its own, whose package `tests` is that of
pypiserver. With SUITE_BARE in the environment nothing is protected, for comparison.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Final

import pypiserver
import pytest

from entitlements_core.http import Presented
from entitlements_core.policy.network import IPAddress
from pypiserver_entitlements import startup
from pypiserver_entitlements.authentication import Publishers
from pypiserver_entitlements.current_user import Publisher
from pypiserver_entitlements.patch import patch_pypiserver
from pypiserver_entitlements.site import Site

_opened: Final[list[Site]] = []


class _NotedSite(Site):
    """Remembered, so that it is closed when its test is over."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as those of Site
        super().__init__(*arguments, **options)
        _opened.append(self)


def _everybody(
    _: Publishers, _presented: Presented | None, _address: IPAddress | None
) -> Publisher:
    return Publisher("everybody")


def pytest_configure() -> None:
    pypiserver.backend.ENABLE_CACHING = False  # each cache keeps a watcher of the system for good
    if os.environ.get("SUITE_BARE"):
        return
    Publishers.recognise = _everybody  # type: ignore[method-assign,assignment] # on purpose
    vars(startup)["Site"] = _NotedSite
    patch_pypiserver(pypiserver)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _opened:
        with contextlib.suppress(OSError):  # the directory of the test may be gone
            _opened.pop().close()
