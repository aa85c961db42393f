"""Tables for people: sections of headings and typed cells, in a language; every writer uses them.

A cell is a number, a `date`, a `str`, a `Percent` (a rate) or a `Points` (a difference of rates),
or None where there is no value. Writers decide how each looks; none of them computes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

from govcloud.figures.movement import Movement
from govcloud.figures.rates import NO_VALUE, show_tenths
from govcloud.figures.survey import SHARES, Compared
from govcloud.figures.tally import OFFICE
from govcloud.messages import lookup, render
from govcloud.reports.report import Explanation, Line, Metric, Moved, Record, Report, Row


@dataclass(frozen=True, slots=True)
class Percent:
    """A rate, in tenths of a percent; None where the whole is empty."""

    tenths: int | None


@dataclass(frozen=True, slots=True)
class Points:
    """A difference of rates, in tenths of a percentage point; None where one is missing."""

    tenths: int | None


Cell: TypeAlias = int | float | str | date | Percent | Points | None


@dataclass(frozen=True, slots=True)
class Section:
    """One table of a document. `key` names it in no language; `total` tells a last row apart.

    `alarms` are (row, column) of cells that show a missed binding target.
    """

    key: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: bool = False
    alarms: frozenset[tuple[int, int]] = frozenset()


def shown(cell: Cell) -> str:
    """Return a cell as text: `47.8`, `+1.2`, “—” where there is no value."""
    if cell is None:
        return NO_VALUE
    if isinstance(cell, Percent):
        return show_tenths(cell.tenths)
    if isinstance(cell, Points):
        return show_tenths(cell.tenths, signed=True)
    if isinstance(cell, float):
        return f"{cell:g}"
    return str(cell)


RATE_COLUMNS: Final = (
    "number",
    "unit",
    "registered",
    "classified",
    "exempt",
    "industry",
    "eligible",
    "on_cloud",
    "partial",
    "not_on_cloud",
    "rate",
    "rate_with_partial",
    "rate_thorough",
    "change",
    "target",
    "gap",
    "rank",
)
"""The columns of RPT-1."""
GAP: Final = RATE_COLUMNS.index("gap")


class Speaker:
    """Says things in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **params: object) -> str:
        """Return the sentence of `reports.<key>`."""
        return render(f"reports.{key}", self.language, params)

    def word(self, group: str, value: str) -> str:
        """Return the word for a value, or the value itself where the catalogue has none."""
        return lookup(f"reports.{group}.{value}", self.language) or value

    def total(self, name: str) -> str:
        """Return what the total of a node is called; of none in particular where it has no name."""
        return self("total_of", unit=name) if name else self("total")

    def headings(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Return the headings of columns."""
        return tuple(self(f"column.{column}") for column in columns)


def title_of(document: Report | Explanation, language: str) -> str:
    """Return what the document is called."""
    say = Speaker(language)
    if isinstance(document, Explanation):
        return say("title_explain", metric=say(f"metric.{document.metric.id}"))
    return say("title")


def header_of(document: Report | Explanation, language: str) -> tuple[tuple[str, Cell], ...]:
    """Return the header block: cut-off, definition, digest, and whose figures they are."""
    say = Speaker(language)
    cutoff = document.cutoff
    pairs: list[tuple[str, Cell]] = [
        ("as_of", cutoff.day),
        ("cutoff", str(cutoff)),
        ("time_zone", cutoff.zone),
        ("definition", document.definition),
        ("digest", document.digest),
    ]
    if isinstance(document, Report):
        pairs.insert(3, ("opening", str(document.opening)))
        if document.survey:
            pairs.append(("survey", document.survey))
    if document.department is not None:
        pairs.append(("scope", _scope(document)))
    return tuple((say(f"header.{key}"), value) for key, value in pairs)


def _scope(document: Report | Explanation) -> str:
    node = document.department or ""
    name = document.total.display_name if isinstance(document, Report) else node
    return name if name == node else f"{name} ({node})"


def sections_of(document: Report | Explanation, language: str) -> tuple[Section, ...]:
    """Return all tables of a document but the evidence."""
    say = Speaker(language)
    if isinstance(document, Explanation):
        return (lines_section(document.lines, document.total, say),)
    builders: tuple[Callable[[Report, Speaker], Section | None], ...] = (
        rate_section,
        metrics_section,
        movement_section,
        exclusions_section,
        headline_section,
        beside_section,
        remarks_section,
        definition_section,
    )
    built = (build(document, say) for build in builders)
    return tuple(section for section in built if section is not None)


def rate_section(report: Report, say: Speaker) -> Section:
    """Return RPT-1: a line a department and the total."""
    rows = [_rate_row(row, say, number) for number, row in enumerate(report.rows, start=1)]
    rows.append(_rate_row(report.total, say, None))
    all_rows = (*report.rows, report.total)
    return Section(
        key="rate",
        title=say("title"),
        headings=say.headings(RATE_COLUMNS),
        rows=tuple(rows),
        total=True,
        alarms=frozenset((index, GAP) for index, row in enumerate(all_rows) if row.missed),
    )


def _rate_row(row: Row, say: Speaker, number: int | None) -> tuple[Cell, ...]:
    tally = row.tally
    return (
        number if number is not None else "",
        row.display_name if number is not None else say.total(row.display_name),
        tally.registered,
        tally.classified,
        tally.exempt,
        tally.industry,
        tally.eligible,
        tally.on_cloud,
        tally.partial,
        tally.missing,
        Percent(tally.rate.tenths),
        Percent(tally.rate_with_partial.tenths),
        Percent(tally.rate_thorough.tenths),
        Points(row.change),
        Percent(row.aim.tenths if row.aim else None),
        Points(row.gap),
        row.rank if number is not None else "",
    )


METRIC_COLUMNS: Final = (
    "metric",
    "name",
    "counted_unit",
    "numerator",
    "denominator",
    "value",
    "target",
    "target_year",
    "property",
    "gap",
)


def metrics_section(report: Report, say: Speaker) -> Section:
    """Return the metrics of the whole beside their targets."""
    return Section(
        key="metrics",
        title=say("section.metrics"),
        headings=say.headings(METRIC_COLUMNS),
        rows=tuple(_metric_row(metric, say) for metric in report.metrics),
        alarms=frozenset(
            (index, len(METRIC_COLUMNS) - 1)
            for index, metric in enumerate(report.metrics)
            if metric.missed
        ),
    )


def _metric_row(metric: Metric, say: Speaker) -> tuple[Cell, ...]:
    made_of = metric.rate.plain()
    aim = metric.aim
    return (
        metric.id,
        say(f"metric.{metric.id}"),
        say(f"counted.{metric.unit}"),
        _number(made_of["numerator"]),
        _number(made_of["denominator"]),
        Percent(metric.rate.tenths),
        Percent(aim.tenths) if aim else None,
        aim.year if aim else None,
        say("binding" if aim.binding else "expected") if aim else None,
        Points(aim.gap(metric.rate.tenths)) if aim else None,
    )


def _number(value: object) -> int | float:
    return value if isinstance(value, int | float) else 0


STEPS: Final = (
    "opening",
    "new",
    "retired",
    "exempted",
    "exemption_ended",
    "reclassified_in",
    "reclassified_out",
    "transferred_in",
    "transferred_out",
    "closing",
)


def movement_section(report: Report, say: Speaker) -> Section:
    """Return why the number of systems that should be on the cloud is another one (F3)."""
    rows = [_movement_row(entry, entry.display_name) for entry in report.movement]
    rows.append(_movement_row(report.movement_total, say.total(report.movement_total.display_name)))
    return Section(
        key="movement",
        title=say("section.movement", opening=report.opening, closing=report.cutoff),
        headings=say.headings(("unit", *(f"step_{step}" for step in STEPS))),
        rows=tuple(rows),
        total=True,
    )


def _movement_row(entry: Moved, name: str) -> tuple[Cell, ...]:
    movement: Movement = entry.movement
    return (name, *(getattr(movement, step) for step in STEPS))


def exclusions_section(report: Report, say: Speaker) -> Section | None:
    """Return what is not counted, with reason and number; None where all is counted."""
    if not report.exclusions:
        return None
    rows = [(_exclusion(reason, say), count) for reason, count in report.exclusions]
    rows.append((say("total"), sum(count for _, count in report.exclusions)))
    return Section(
        key="exclusions",
        title=say("section.exclusions"),
        headings=say.headings(("reason", "systems")),
        rows=tuple(rows),
        total=True,
    )


def _exclusion(reason: str, say: Speaker) -> str:
    if reason.startswith(OFFICE):
        return say("exempted_for", reason=say.word("exemption", reason.removeprefix(OFFICE)))
    return say.word("verdict", reason)


def headline_section(report: Report, say: Speaker) -> Section:
    """Return what is stated, listed and counted, with the differences (none is derived)."""
    return Section(
        key="headline",
        title=say("section.headline", survey=report.survey or NO_VALUE),
        headings=say.headings(("figure", "stated", "listed", "counted", "counted_less_stated")),
        rows=tuple(
            (
                say.word("figure", compared.figure),
                _figure(compared.figure, compared.stated),
                _figure(compared.figure, compared.listed),
                _figure(compared.figure, compared.counted),
                _less(compared),
            )
            for compared in report.headline
        ),
    )


def _figure(figure: str, value: float | None) -> Cell:
    if value is None:
        return None
    if figure in SHARES:
        return Percent(round(value * 10))
    return int(value) if float(value).is_integer() else value


def _less(compared: Compared) -> Cell:
    if compared.counted is None or compared.stated is None:
        return None
    if compared.figure in SHARES:
        return Points(round(compared.counted * 10) - round(compared.stated * 10))
    return _figure(compared.figure, round(compared.counted - compared.stated, 1))


def beside_section(report: Report, say: Speaker) -> Section | None:
    """Return each metric under all definitions; None where there is only one (MET-R3)."""
    if not report.beside:
        return None
    every = [(report.definition, report.metrics)]
    every += [(other.definition, other.metrics) for other in report.beside]
    alike = zip(*(metrics for _, metrics in every), strict=False)  # ours go on with the estate's
    return Section(
        key="beside",
        title=say("section.beside"),
        headings=say.headings((*METRIC_COLUMNS[:2], "definition", *METRIC_COLUMNS[2:6])),
        rows=tuple(
            (*row[:2], version, *row[2:6])
            for metrics in alike
            for (version, _), metric in zip(every, metrics, strict=True)
            for row in (_metric_row(metric, say),)
        ),
    )


def remarks_section(report: Report, say: Speaker) -> Section | None:
    """Return what does not fit in the data; None where everything does."""
    if not report.remarks:
        return None
    return Section(
        key="remarks",
        title=say("section.remarks"),
        headings=say.headings(("remark",)),
        rows=tuple((render(r.key, say.language, r.params),) for r in report.remarks),
    )


def definition_section(report: Report, say: Speaker) -> Section:
    """Return the definition, clause by clause."""
    return Section(
        key="definition",
        title=say("section.definition", version=report.definition),
        headings=say.headings(("clause",)),
        rows=tuple((say(f"clause.{clause}"),) for clause in report.clauses),
    )


LINE_COLUMNS: Final = (
    "department",
    "kind",
    "object",
    "object_name",
    "code",
    "verdict",
    "why",
    "components_on_cloud",
    "components",
    "step",
    "records",
)


def evidence_section(report: Report, language: str) -> Section:
    """Return the objects that the rate counts, each with its verdict and records (F2)."""
    return lines_section(report.evidence, report.evidence_total, Speaker(language))


def lines_section(lines: Sequence[Line], total: int, say: Speaker) -> Section:
    """Return lines of evidence; the title tells where some were left off."""
    key = "section.evidence" if total == len(lines) else "section.evidence_cut"
    return Section(
        key="evidence",
        title=say(key, total=total, shown=len(lines)),
        headings=say.headings(LINE_COLUMNS),
        rows=tuple(_line_row(line, say) for line in lines),
    )


def _line_row(line: Line, say: Speaker) -> tuple[Cell, ...]:
    return (
        line.department,
        line.kind,
        line.name,
        line.display_name,
        line.code,
        say.word("verdict", line.verdict),
        say.word("why", line.why),
        *(line.share or ("", "")),
        say(f"column.step_{line.step}") if line.step else "",
        "; ".join(
            f"{record.kind}/{record.name} #{record.seq}"
            + (f" {record.request_id}" if record.request_id else "")
            + (f" ({_note(record, say)})" if record.note else "")
            for record in line.records
        ),
    )


_NOTED: Final = {
    "System": "lifecycle",
    "Exemption": "exemption-reason",
    "MigrationPlan": "migration-state",
}
"""Kinds whose record notes a value of an enumeration, and where its words stand."""


def _note(record: Record, say: Speaker) -> str:
    """Return what a record says, its value in the reader's words."""
    value, comma, rest = record.note.partition(",")
    area = _NOTED.get(record.kind)
    shown = lookup(f"labels.{area}.{value}", say.language) if area else None
    return f"{shown or value}{comma}{rest}"
