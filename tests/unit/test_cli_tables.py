"""Tables in a terminal: aligned by cells whatever the script, and cut where there is no room."""

import os
import pty
import subprocess
import sys
from collections.abc import Sequence

import pytest
from rich.cells import cell_len

from cli import render
from cli.output import width
from cli.render import Column

MIXED = [
    "abc",
    "政务云",
    "政务外网（三级）",
    "café",
    "cafe\u0301",
    "a\u200bb",
    "全角ＡＢＣ",
    "…",
    "한국",
    "﹏",
]


@pytest.mark.parametrize("text", MIXED)
def test_width_is_what_a_terminal_takes(text: str) -> None:
    assert width(text) == cell_len(text)


@pytest.mark.parametrize("cells", range(1, 12))
@pytest.mark.parametrize("text", MIXED)
def test_what_is_cut_fits(text: str, cells: int) -> None:
    cut = render.cut(text, cells)
    assert cell_len(cut) <= cells
    assert cut == text if cell_len(text) <= cells else cut.endswith("…")


def drawn(headings: Sequence[str], rows: Sequence[Sequence[str]], room: int | None) -> list[str]:
    columns = [Column(name, lambda _: "", right=name == "count") for name in headings]
    return list(render.lines(headings, rows, columns, room=room))


ROWS = [
    [
        "web",
        "社会保险经办系统及其外围的若干附属子系统",
        "7",
        "云平台拒绝了创建请求：容量不足，稍后重试。",
    ],
    ["database-1", "short", "12", "ok"],
]
HEADINGS = ["名称", "显示名称", "count", "说明"]


def starts(line: str, row: Sequence[str]) -> list[int]:
    """In which cell of the line each cell of a row begins."""
    return [cell_len(line[: line.index(cell[:2])]) for cell in row]


@pytest.mark.parametrize("room", [None, 20, 45, 60, 80, 100, 200])
def test_columns_begin_where_their_headings_begin(room: int | None) -> None:
    first, *rest = drawn(HEADINGS, ROWS, room)
    for line, row in zip(rest, ROWS, strict=True):
        left = [0, 1, 3]
        assert [starts(line, row)[i] for i in left] == [starts(first, HEADINGS)[i] for i in left]


@pytest.mark.parametrize("room", [60, 80, 100])
def test_a_table_has_room_and_names_and_numbers_stay_whole(room: int) -> None:
    lines = drawn(HEADINGS, ROWS, room)
    assert max(map(cell_len, lines)) <= room
    assert "database-1" in lines[2]
    assert "12" in lines[2]
    assert "…" in lines[1]


def test_nothing_is_cut_where_no_terminal_is() -> None:
    assert "稍后重试。" in drawn(HEADINGS, ROWS, None)[1]


def test_rows_wider_than_the_first_are_cut_in_a_terminal() -> None:
    first = [["a", "甲"]]
    columns = [Column("name", lambda _: ""), Column("title", lambda _: "")]
    made = list(render.lines(["名称", "标题"], first, columns, [["b", "很长" * 40]], room=40))
    assert max(map(cell_len, made)) <= 40


def test_a_real_terminal_gets_a_table_of_its_width() -> None:
    program = (
        "from cli import render\n"
        "from cli.render import Column\n"
        f"render.table({HEADINGS!r}, {ROWS!r}, [Column(h, str) for h in {HEADINGS!r}])\n"
    )
    main, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": "70", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    subprocess.run(
        [sys.executable, "-c", program], stdout=terminal, check=True, env=environment, timeout=60
    )
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(main, 65_536):
            shown += part
    except OSError:
        pass  # How Linux says that the other end is closed.
    os.close(main)
    lines = shown.decode().splitlines()
    assert len(lines) == 3
    assert max(map(cell_len, lines)) <= 70


def test_a_table_that_cannot_fit_is_not_cut() -> None:
    assert drawn(HEADINGS, ROWS, 20) == drawn(HEADINGS, ROWS, None)
