"""Lists and objects as tables, JSON, YAML, CSV or names."""

import csv
import io
import json
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from shutil import get_terminal_size
from typing import Any, Final

from cli.options import Output
from cli.output import emit, pad, paint, width
from cli.speech import t

Item = Mapping[str, Any]
_FORMULA: Final = ("=", "+", "@", "\t", "\r")
_SAMPLE: Final = 1000
"""Rows that decide the widths of a table; later ones that are wider stick out, or are cut."""
_GAP: Final = "   "
_NARROWEST: Final = 8
"""Cells that a column keeps however little room there is: enough to tell rows apart."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what the catalogue calls its heading (`col_<heading>`), and how a cell is made.

    `wide` columns are shown by `-o wide` and in CSV; `right` ones hold numbers.
    """

    heading: str
    cell: Callable[[Item], object]
    wide: bool = False
    right: bool = False
    style: Callable[[str], str | None] | None = None


def show(
    items: Iterable[Item],
    columns: Sequence[Column],
    output: Output,
    *,
    name: Callable[[Item], str],
    whole: object = None,
    empty: str | None = None,
) -> None:
    """Print a list; `whole` is what JSON shows where it is not `{"items": […]}`.

    `empty` is the sentence for a list without items, told only where a table would be.
    """
    if output is Output.TABLE or output is Output.WIDE:
        _table(items, columns, wide=output is Output.WIDE, empty=empty)
    elif output is Output.CSV:
        write_csv([t(f"col_{column.heading}") for column in columns], _cells(items, columns))
    elif output is Output.NAME:
        for item in items:
            emit(name(item))
    else:
        whole = {"items": list(items)} if whole is None else whole
        structured(whole, output)


def structured(value: object, output: Output) -> None:
    """Print a value as JSON or YAML; a list of objects becomes YAML documents, one each."""
    if output is not Output.YAML:
        emit(as_json(value))
        return
    listed = value.get("items") if isinstance(value, Mapping) else None
    if isinstance(listed, list) and all("kind" in item and "metadata" in item for item in listed):
        for item in listed:
            emit(f"---\n{as_yaml(item)}" if len(listed) > 1 else as_yaml(item))
    else:
        emit(as_yaml(value))


def as_json(value: object) -> str:
    """Return indented JSON, Chinese left readable."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def as_yaml(value: object) -> str:
    """Return YAML in the order of the value, Chinese left readable."""
    import yaml

    text: str = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=100)
    return text


def _cells(items: Iterable[Item], columns: Sequence[Column]) -> Iterable[list[str]]:
    return ([text_of(column.cell(item)) for column in columns] for item in items)


def _table(
    items: Iterable[Item], columns: Sequence[Column], *, wide: bool, empty: str | None
) -> None:
    shown = [column for column in columns if wide or not column.wide]
    rows = iter(_cells(items, shown))
    first = list(islice(rows, _SAMPLE))
    if not first and empty is not None:
        from cli.output import note

        note(empty)
        return
    headings = [t(f"col_{column.heading}") for column in shown]
    table(headings, first, shown, rows, whole=wide)


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    columns: Sequence[Column] = (),
    more: Iterable[Sequence[str]] = (),
    indent: str = "",
    *,
    whole: bool = False,
) -> None:
    """Print headings and rows, aligned by cells of the terminal; unless `whole`, cut to its width.

    A table that does not fit however narrow its columns are is left to the terminal.
    """
    cutting = sys.stdout.isatty() and not whole
    room = get_terminal_size().columns - len(indent) if cutting else None
    for line in lines(headings, rows, columns, more, room=room):
        emit(indent + line)


def lines(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    columns: Sequence[Column] = (),
    more: Iterable[Sequence[str]] = (),
    *,
    room: int | None = None,
) -> Iterator[str]:
    """Yield the lines of a table; with `room`, of at most so many cells where that is possible."""
    widths = [width(heading) for heading in headings]
    for row in rows:
        widths = [max(wide, width(cell)) for wide, cell in zip(widths, row, strict=True)]
    if room is not None:
        whole = {0} | {index for index, column in enumerate(columns) if column.right}
        widths = _fitted(widths, whole, room - len(_GAP) * (len(widths) - 1))
    yield paint(
        _line(list(headings), widths, columns, plain=True, cutting=room is not None), "bold"
    )
    for source in (rows, more):
        for row in source:
            yield _line(row, widths, columns, cutting=room is not None)


def _fitted(widths: Sequence[int], whole: Container[int], room: int) -> list[int]:
    """Return widths that fit the room: the widest give way, but names and numbers stay whole."""
    fitted = list(widths)
    yielding = [index for index in range(len(widths)) if index not in whole]
    while sum(fitted) > room and yielding:
        widest = max(yielding, key=lambda index: fitted[index])
        if fitted[widest] <= _NARROWEST:
            return list(widths)
        fitted[widest] -= 1
    return fitted


def cut(text: str, cells: int) -> str:
    """Return the text, or what of it fits so many cells with the mark that says there is more."""
    if width(text) <= cells:
        return text
    kept, used = "", 0
    for character in text:
        used += width(character)
        if used > cells - 1:
            break
        kept += character
    return f"{kept.rstrip()}…"


def _line(
    row: Sequence[str],
    widths: Sequence[int],
    columns: Sequence[Column],
    *,
    plain: bool = False,
    cutting: bool = False,
) -> str:
    cells = []
    for index, (cell, wide) in enumerate(zip(row, widths, strict=True)):
        column = columns[index] if columns else None
        padded = pad(
            cut(cell, wide) if cutting else cell, wide, right=bool(column and column.right)
        )
        style = column.style(cell) if column and column.style and not plain else None
        cells.append(paint(padded, style) if style else padded)
    return _GAP.join(cells).rstrip()


def write_csv(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print CSV; a cell that a spreadsheet would take for a formula gets an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(headings)
    for row in rows:
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row])
    emit(buffer.getvalue())


def text_of(value: object) -> str:
    """Return a value as a cell of a table: one line, `-` for nothing."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return t("yes") if value else t("no")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple):
        return ", ".join(text_of(entry) for entry in value)
    return clean(str(value))


def clean(text: str) -> str:
    """Return text on one line, without what would steer the terminal of whoever reads it."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(filter(str.isprintable, line))
