"""Whether a devpi-server runs over a directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devpi_entitlements.server_lock import NAME, occupied, occupy


def test_a_server_and_a_command_shut_each_other_out(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("7\n")
    servers = [occupy(tmp_path) for _ in range(2)]  # a second one says what it wants to say itself
    with occupied(tmp_path) as found:
        assert found
    for descriptor in servers:
        assert descriptor is not None
        os.close(descriptor)
    with occupied(tmp_path) as found:
        assert not found
        with pytest.raises(BlockingIOError):
            occupy(tmp_path)
    again = occupy(tmp_path)
    assert again is not None
    os.close(again)


def test_where_there_is_no_lock_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with occupied(tmp_path) as found:  # a directory without a server
        assert not found
    assert occupy(tmp_path) is None

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    (tmp_path / NAME).write_text("7\n")
    monkeypatch.setattr("fcntl.flock", refuse)
    assert occupy(tmp_path) is None
