"""Documents as bytes: JSON, table rows, CSV, XLSX. Same value in, same bytes out (F1)."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from govcloud.errors import UsageError
from govcloud.reports.report import Explanation, Report
from govcloud.reports.sections import (
    Cell,
    Section,
    header_of,
    sections_of,
    shown,
    title_of,
)

Document: TypeAlias = Report | Explanation
BOM: Final = "\ufeff"
"""Without it Excel takes UTF-8 for the machine's old code page."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def render(document: Document, form: str, language: str) -> bytes:
    """Return a report or an explanation as `json`, `table`, `csv` or `xlsx`.

    `table` is JSON for a terminal: titles, headings and cells as text in the language, numbers
    told apart. UsageError for another form.
    """
    if form not in WRITERS:
        raise UsageError("errors.report_format", format=form, known=sorted(WRITERS))
    return WRITERS[form](document, language)


def _json(document: Document, language: str) -> bytes:
    del language
    return _encoded(document.plain())


def _encoded(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _table(document: Document, language: str) -> bytes:
    sections = sections_of(document, language)
    return _encoded(
        {
            "title": title_of(document, language),
            "header": [[name, shown(value)] for name, value in header_of(document, language)],
            "sections": [_table_section(section) for section in sections],
        }
    )


def _table_section(section: Section) -> dict[str, object]:
    numeric = [
        bool(section.rows)
        and all(not isinstance(row[place], str) or row[place] == "" for row in section.rows)
        for place in range(len(section.headings))
    ]
    return {
        "key": section.key,
        "title": section.title,
        "headings": list(section.headings),
        "numeric": numeric,
        "rows": [[shown(cell) for cell in row] for row in section.rows],
        "total": section.total,
        "alarms": sorted([row, column] for row, column in section.alarms),
    }


def _csv(document: Document, language: str) -> bytes:
    sections = sections_of(document, language)
    width = max(2, *(len(section.headings) for section in sections))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")

    def line(*cells: Cell) -> None:
        # Every line has as many fields as the widest (RFC 4180), so that any reader takes it.
        padded = [*map(_safe, cells), *[""] * (width - len(cells))]
        writer.writerow(padded)

    line(title_of(document, language))
    for pair in header_of(document, language):
        line(*pair)
    for section in sections:
        line()
        if section.key != "rate":
            line(section.title)
        line(*section.headings)
        for row in section.rows:
            line(*row)
    return (BOM + buffer.getvalue()).encode()


def _safe(cell: Cell) -> str:
    text = shown(cell)
    # A spreadsheet would run text that begins like a formula; numbers of ours may begin with "-".
    return f"'{text}" if isinstance(cell, str) and text.startswith(_FORMULA) else text


def _xlsx(document: Document, language: str) -> bytes:
    from govcloud.reports.workbook import workbook

    return workbook(document, language)


WRITERS: Final[Mapping[str, Callable[[Document, str], bytes]]] = {
    "json": _json,
    "table": _table,
    "csv": _csv,
    "xlsx": _xlsx,
}
"""Forms of documents, by the name that `--format` takes."""

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "json": "application/json",
    "table": "application/json",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""What HTTP calls them."""
