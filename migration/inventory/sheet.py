"""Reading a spreadsheet: XLSX or CSV in whatever encoding the office saved it in."""

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from govcloud.errors import Diagnostic, InvalidInputError, TooLargeError, UsageError
from govcloud.messages import system_fault
from migration.inventory.cells import Sheet, Value
from migration.inventory.rows import TITLE_ROWS, headings

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell, MergedCell
    from openpyxl.worksheet.worksheet import Worksheet

LARGEST: Final = 16 * 1024**2
"""Bytes of a file."""
UNPACKED: Final = 64 * 1024**2
"""Bytes that the parts of an XLSX file may have: a small file can unpack to any size."""
MOST_ROWS: Final = 20_000
MOST_COLUMNS: Final = 200


def read(path: str) -> Sheet:
    """Return a file's first sheet that is shown and has headings; the first where none has.

    UsageError where it cannot be read, TooLargeError, InvalidInputError where it is no spreadsheet.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError("cli.unreadable", file=path, detail=system_fault(error)) from error
    if len(content) > LARGEST:
        raise TooLargeError("cli.too_large", file=path, limit=LARGEST // 1024**2)
    if content[:2] == b"PK":
        return _workbook(path, content)
    return Sheet(path, tuple(_text(path, content)))


def _workbook(path: str, content: bytes) -> Sheet:
    from openpyxl import load_workbook

    try:
        fits = _unpacked(content) <= UNPACKED
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # About ornaments that are not read.
            # Values and formulas come of two readings: openpyxl has either.
            books = [
                load_workbook(io.BytesIO(content), data_only=values)
                for values in (True, False)
                if fits
            ]
    except Exception as error:
        raise InvalidInputError([Diagnostic("migrate.not_a_workbook", file=path)]) from error
    if not books:
        raise TooLargeError("cli.too_large", file=path, limit=UNPACKED // 1024**2)
    if not books[0].worksheets:
        raise InvalidInputError([Diagnostic("migrate.not_a_workbook", file=path)])
    place = _meant(books[0].worksheets)
    values, formulas = (book.worksheets[place] for book in books)
    return Sheet(
        path,
        tuple(_cells(path, values)),
        frozenset(_unstored(values, formulas)),
        values.title,
        frozenset(number for number, row in values.row_dimensions.items() if row.hidden),
        tuple(one.title for one in books[0].worksheets if one is not values and _holds(one)),
    )


def _meant(sheets: "Sequence[Worksheet]") -> int:
    """Return which sheet is read."""
    shown = [place for place, one in enumerate(sheets) if one.sheet_state == "visible"]
    for place in shown:
        above = sheets[place].iter_rows(max_row=TITLE_ROWS, max_col=MOST_COLUMNS)
        if headings([[_value(cell) for cell in row] for row in above]) is not None:
            return place
    return next((place for place in shown if _holds(sheets[place])), 0)


def _holds(sheet: "Worksheet") -> bool:
    """Whether anything stands in a sheet."""
    return any(value is not None for row in sheet.values for value in row)


def _unstored(values: "Worksheet", formulas: "Worksheet") -> Iterator[tuple[int, int]]:
    """Yield the places of formulas without a value; an empty text is one."""
    for number, row in enumerate(formulas.iter_rows(max_col=MOST_COLUMNS), start=1):
        for column, cell in enumerate(row, start=1):
            if cell.data_type == "f":
                value = values.cell(number, column)
                if value.value is None and value.data_type != "str":
                    yield number, column


def _unpacked(content: bytes) -> int:
    """Return how many bytes the parts of an archive say that they have."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return sum(part.file_size for part in archive.infolist())


def _cells(path: str, sheet: "Worksheet") -> list[tuple[Value, ...]]:
    if sheet.max_row > MOST_ROWS:
        raise TooLargeError("migrate.too_many_rows", file=path, limit=MOST_ROWS)
    rows = [[_value(cell) for cell in row] for row in sheet.iter_rows(max_col=MOST_COLUMNS)]
    for merged in sheet.merged_cells.ranges:
        if merged.min_row > len(rows) or merged.min_col > len(rows[0]):
            continue
        first = rows[merged.min_row - 1][merged.min_col - 1]
        for row in rows[merged.min_row - 1 : merged.max_row]:
            # Along a merged column the value holds for each row; a merged heading holds once.
            row[merged.min_col - 1] = first
    return [tuple(row) for row in rows]


_LITERAL: Final = re.compile(r'"[^"]*"|\\.|_.|\*.')
"""Signs in a number format that are shown as they stand."""


def _value(cell: "Cell | MergedCell") -> Value:
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        # What is shown as 35 % is stored as 0.35; 15 digits are what spreadsheets compute with.
        if "%" in _LITERAL.sub("", cell.number_format or ""):
            return f"{(Decimal(f'{value:.15g}') * 100).normalize():f}%"
        return value
    return value if isinstance(value, str | bool | date) else None


def _text(path: str, content: bytes) -> list[tuple[Value, ...]]:
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise InvalidInputError([Diagnostic("migrate.old_workbook", file=path)])
    text = _decoded(path, content)
    delimiter = max(",;\t", key=text[:4_000].count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False))
    except csv.Error as error:
        raise InvalidInputError([Diagnostic("migrate.not_a_table", file=path)]) from error
    if len(rows) > MOST_ROWS:
        raise TooLargeError("migrate.too_many_rows", file=path, limit=MOST_ROWS)
    return [tuple(cell or None for cell in row[:MOST_COLUMNS]) for row in rows]


def _decoded(path: str, content: bytes) -> str:
    encodings = (
        ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    )
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise InvalidInputError([Diagnostic("migrate.not_a_table", file=path)])
