"""The XLSX form: typed cells, totals, a chart, sheets for definitions and evidence, ready to print.

The file's dates are the cut-off, not the time of making, so that it is the same to the byte
whenever it is made. Only writing commands import this module.
"""

import io
from datetime import date
from typing import Any, Final
from unicodedata import east_asian_width

import xlsxwriter
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from govcloud.reports.report import Explanation, Report
from govcloud.reports.sections import (
    RATE_COLUMNS,
    Cell,
    Percent,
    Points,
    Section,
    Speaker,
    evidence_section,
    header_of,
    sections_of,
    shown,
    title_of,
)

MOST_ROWS: Final = 1_048_576
LONGEST: Final = 32_767
"""Characters that a cell of this format holds; a longer one would be left out without a word."""
WIDEST: Final = 60
"""Columns are as wide as their longest cell, up to this many half-width characters."""
NARROWEST: Final = 6
DAY: Final = 12
"""A column this wide shows a date; a narrower one only hash signs."""
CHARTED: Final = 60
"""Departments in the chart; more bars than this nobody can read."""
PERCENT_FORMAT: Final = "0.0%"
POINTS_FORMAT: Final = "+0.0;-0.0;0.0"
DATE_FORMAT: Final = "yyyy-mm-dd"
A4: Final = 9


def workbook(document: Report | Explanation, language: str) -> bytes:
    """Return the document as an XLSX file."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.set_properties(
        {
            "title": title_of(document, language),
            "created": document.cutoff.instant.replace(tzinfo=None, microsecond=0),
        }
    )
    writer = _Writer(book, language)
    sections = list(sections_of(document, language))
    if isinstance(document, Report):
        sections.append(evidence_section(document, language))
    for section in sections:
        writer.sheet(section, header_of(document, language))
    book.close()
    return buffer.getvalue()


class _Writer:
    """Writes sections into sheets; one object a file, because formats belong to the file."""

    def __init__(self, book: Workbook, language: str) -> None:
        self._book = book
        self._say = Speaker(language)
        self._formats: dict[tuple[str, bool, bool], Any] = {}
        self._date = book.add_format({"num_format": DATE_FORMAT, "align": "left"})
        self._title = book.add_format({"bold": True, "font_size": 14})
        self._heading = book.add_format(
            {"bold": True, "bg_color": "#D9E2F3", "border": 1, "text_wrap": True, "align": "center"}
        )

    def sheet(self, section: Section, header: tuple[tuple[str, Cell], ...]) -> None:
        """Write one section into a sheet of its own, with the header block, fit to be printed."""
        sheet = self._book.add_worksheet(self._say(f"sheet.{section.key}"))
        sheet.write_string(0, 0, section.title, self._title)
        for row, (name, value) in enumerate(header, start=1):
            sheet.write_string(row, 0, name)
            if isinstance(value, date):
                sheet.write_datetime(row, _beside(section), value, self._date)
            else:
                sheet.write_string(row, _beside(section), shown(value))
        top = len(header) + 2
        self._table(sheet, section, top)
        self._print_setup(sheet, section, top)
        if section.key == "rate":
            self._chart(sheet, section, top)

    def _print_setup(self, sheet: Worksheet, section: Section, top: int) -> None:
        sheet.set_paper(A4)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(top)
        sheet.set_footer(f"&L{section.title.replace('&', '&&')[:180]}&R&P / &N")

    def _table(self, sheet: Worksheet, section: Section, top: int) -> None:
        beside = _beside(section)
        sheet.set_column(beside, beside, DAY)
        for column, heading in enumerate(section.headings):
            sheet.write_string(top, column, heading, self._heading)
            width = self._width(section, column)
            sheet.set_column(column, column, max(width, DAY) if column == beside else width)
        last = len(section.rows) - 1
        for index, row in enumerate(section.rows[: MOST_ROWS - top - 1]):
            total = section.total and index == last
            for column, cell in enumerate(row):
                alarm = (index, column) in section.alarms
                self._write(sheet, (top + 1 + index, column), cell, total=total, alarm=alarm)
        sheet.freeze_panes(top + 1, 2 if section.key == "rate" else 0)

    def _write(
        self, sheet: Worksheet, at: tuple[int, int], cell: Cell, *, total: bool, alarm: bool
    ) -> None:
        row, column = at
        style = self._format(cell, total=total, alarm=alarm)
        if isinstance(cell, Percent) and cell.tenths is not None:
            sheet.write_number(row, column, cell.tenths / 1000, style)
        elif isinstance(cell, Points) and cell.tenths is not None:
            sheet.write_number(row, column, cell.tenths / 10, style)
        elif isinstance(cell, int | float):
            sheet.write_number(row, column, cell, style)
        else:
            # Always as a string: what begins with "=" must not become a formula.
            text = shown(cell)
            cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
            sheet.write_string(row, column, cut, style)

    def _format(self, cell: Cell, *, total: bool, alarm: bool) -> Any:
        kind = type(cell).__name__
        key = (kind, total, alarm)
        if key not in self._formats:
            look: dict[str, object] = {"border": 1, "bold": total}
            if isinstance(cell, Percent):
                look |= {"num_format": PERCENT_FORMAT, "align": "right"}
            elif isinstance(cell, Points):
                look |= {"num_format": POINTS_FORMAT, "align": "right"}
            elif cell is None:
                look["align"] = "right"
            else:
                look |= {"text_wrap": isinstance(cell, str), "valign": "top"}
            if alarm:
                look["font_color"] = "#C00000"
            self._formats[key] = self._book.add_format(look)
        return self._formats[key]

    def _width(self, section: Section, column: int) -> int:
        longest = max(
            (_columns(shown(row[column])) for row in section.rows[:2000]),
            default=0,
        )
        heading = min(_columns(section.headings[column]), 14)
        return max(NARROWEST, min(WIDEST, max(longest, heading) + 2))

    def _chart(self, sheet: Worksheet, section: Section, top: int) -> None:
        bars = min(len(section.rows) - 1, CHARTED)
        if bars < 1:
            return
        name = self._say(f"sheet.{section.key}")
        unit, rate = RATE_COLUMNS.index("unit"), RATE_COLUMNS.index("rate")
        chart = self._book.add_chart({"type": "column"})
        chart.add_series(
            {
                "name": section.headings[rate],
                "categories": [name, top + 1, unit, top + bars, unit],
                "values": [name, top + 1, rate, top + bars, rate],
                "data_labels": {"value": bars <= 30, "num_format": PERCENT_FORMAT},
            }
        )
        chart.set_title({"name": section.title})
        chart.set_y_axis({"min": 0, "max": 1, "num_format": "0%"})
        chart.set_legend({"none": True})
        chart.set_size({"width": 1100, "height": 420})
        sheet.insert_chart(top + len(section.rows) + 3, 1, chart)


def _beside(section: Section) -> int:
    """Return the column of the header block's values: names need two, or the one there is."""
    return min(2, len(section.headings))


def _columns(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WFA" else 1 for letter in text)
