"""Which lines get a priority; `tests/functional/test_journal.py` asks a real journal."""

from __future__ import annotations

import io
import logging
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entitlements_core.services.systemd_journal import (
    JournalFormatter,
    error_prefix,
    formatter,
    prioritize,
)


def record(level: int, text: str) -> logging.LogRecord:
    return logging.LogRecord("entitlements", level, __file__, 1, text, None, None)


@given(level=st.integers(0, 60), text=st.text())
def test_each_line_has_the_priority_of_its_record(level: int, text: str) -> None:
    lines = JournalFormatter(logging.Formatter()).format(record(level, text)).split("\n")
    prefixes = {line[:3] for line in lines}
    assert len(prefixes) == 1
    assert [line[3:] for line in lines] == text.split("\n")
    steps = (("<7>", 0), ("<6>", 20), ("<4>", 30), ("<3>", 40), ("<2>", 50))
    assert prefixes == {[name for name, least in steps if level >= least][-1]}


def test_only_a_stream_that_is_the_journals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w") as journal, (tmp_path / "other").open("w") as other:
        found = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        with (tmp_path / "closed").open("w") as closed:
            pass
        for stream in (other, closed, io.StringIO(), None):
            monkeypatch.setattr(sys, "stderr", stream)
            handler: logging.StreamHandler[Any] = logging.StreamHandler(io.StringIO())
            handler.stream = stream
            prioritize(handler)
            assert handler.formatter is None
            assert error_prefix() == ""
            assert type(formatter("%(message)s")) is logging.Formatter
        monkeypatch.setattr(sys, "stderr", journal)
        handler = logging.StreamHandler(journal)
        handler.setFormatter(logging.Formatter("of mine: %(message)s"))
        for _ in range(2):
            prioritize(handler)
        assert handler.format(record(logging.WARNING, "x")) == "<4>of mine: x"
        assert error_prefix() == "<3>"
        assert formatter("%(message)s").format(record(logging.INFO, "x")) == "<6>x"
