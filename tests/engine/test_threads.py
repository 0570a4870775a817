"""A real thread, also where a thread is a greenlet."""

import _thread
import sys
import threading
from types import ModuleType

import pytest

from entitlements_core.engine.threads import start_thread


def test_a_thread_runs_and_does_not_keep_the_process_alive() -> None:
    ran, daemon = threading.Event(), []

    def work() -> None:
        daemon.append(threading.current_thread().daemon)
        ran.set()

    start_thread(work, name="x")

    assert ran.wait(60)
    assert daemon == [True]


@pytest.mark.parametrize(("patched", "asked"), [("threading", ["_thread"]), ("socket", [])])
def test_under_gevent_the_threads_of_the_system_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, patched: str, asked: list[str]
) -> None:
    seen: list[str] = []
    gevent = ModuleType("gevent.monkey")

    def original(module: str, name: str) -> object:
        seen.append(module)
        return getattr(_thread, name)

    monkeypatch.setattr(gevent, "is_module_patched", patched.__eq__, raising=False)
    monkeypatch.setattr(gevent, "get_original", original, raising=False)
    monkeypatch.setitem(sys.modules, "gevent.monkey", gevent)
    ran = threading.Event()

    start_thread(ran.set, name="x")

    assert ran.wait(60)
    assert seen == asked
