"""Tables of any length."""

import io
import json
from collections.abc import Sequence

import pytest
from rich.cells import cell_len
from rich.console import Console

from entitlements_core.cli import console
from entitlements_core.cli.console import emit, show_fields, show_table

ROWS = [(f"token-{n}", "名前" if n % 2 else "name", str(n)) for n in range(700)]
HEADINGS = ("token", "name", "downloads")


def shown(rows: Sequence[Sequence[str]]) -> list[str]:
    written = io.StringIO()
    console = Console(file=written, markup=False, highlight=False, emoji=False, width=10_000)
    show_table(console, HEADINGS, rows)
    return written.getvalue().splitlines()


def test_a_long_table_has_the_cells_of_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    long = [line.split() for line in shown(ROWS)]
    monkeypatch.setattr(console, "_MANY", len(ROWS))
    short = [line.split() for line in shown(ROWS)]
    assert len(long) == len(ROWS) + 2
    assert long[0] == short[0] == list(HEADINGS)
    assert long[2:] == short[2:] == [list(row) for row in ROWS]


def test_the_columns_of_a_long_table_stand_below_each_other() -> None:
    lines = shown(ROWS)
    heading = lines[0].index("downloads")
    for line, row in zip(lines[2:], ROWS, strict=True):
        assert cell_len(line[: line.rindex(row[2])]) == heading
    assert {*lines[1]} == {"─"}


@pytest.mark.parametrize("count", [1, 501])
def test_what_a_client_sent_steers_no_terminal(count: int) -> None:
    rows = [("a\x1b[31mb", "c\r\nd\x9b2J", "1\x07")] * count
    lines = shown(rows)
    assert len(lines) == count + 2
    assert lines[2].split() == ["a\\x1b[31mb", "c\\x0d\\x0ad\\x9b2J", "1\\x07"]


def test_what_is_said_of_one_thing_keeps_its_lines_and_nothing_else() -> None:
    written = io.StringIO()
    show_fields(Console(file=written, width=100), [("licence", "one\ntwo\x1b[2J")])
    assert [line.split()[-1] for line in written.getvalue().splitlines()] == ["one", "two\\x1b[2J"]


def test_json_escapes_what_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"user_agent": "a\x1b\x9b\x7f\u2028é\udcff"}
    emit(document, lambda _: None, as_json=True)
    text = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\x7f"} & {*text}
    assert json.loads(text) == document


def test_no_line_of_a_file_is_filled_up_with_blanks() -> None:
    written = io.StringIO()
    show_table(Console(file=written, width=10_000), ("name", "note"), [("a", "x" * 700), ("b", "")])
    show_fields(Console(file=written, width=100), [("licence", "one"), ("by", "somebody else")])
    lines = written.getvalue().split("\n")
    assert [line.split()[0] for line in lines[2:-1]] == ["a", "b", "licence", "by"]
    assert [line for line in lines if line != line.rstrip()] == []


def test_an_empty_table_says_so() -> None:
    assert shown([]) == ["Nothing found."]
