"""From verdicts to the lines that auditors read: each object with the records behind it (F2)."""

from collections.abc import Iterator
from typing import Final

from govcloud.figures.estate import Item, Measure
from govcloud.figures.facts import SystemFact
from govcloud.figures.holdings import Holdings
from govcloud.figures.population import View
from govcloud.figures.verdict import Judged
from govcloud.reports.report import Line, Record

COUNTED: Final = "counted"
NOT_COUNTED: Final = "not-counted"
OUTSIDE: Final = "outside"


def line_of(
    system: SystemFact, judged: Judged, holdings: Holdings, view: View, step: str = ""
) -> Line:
    """Return the line of one system; `step`: how it came into the population or left it."""
    key = (system.department, system.name)
    records = [Record("System", system.name, system.seq, system.request_id, system.lifecycle)]
    if exemption := view.exemptions.get(key):
        note = f"{exemption.reason}, {exemption.approved_by}, –{exemption.valid_until}"
        records.append(
            Record("Exemption", exemption.name, exemption.seq, exemption.request_id, note)
        )
    if plan := view.plans.get(key):
        records.append(Record("MigrationPlan", plan.name, plan.seq, plan.request_id, plan.state))
    records += [
        Record(
            part.kind,
            part.name,
            part.seq,
            part.request_id,
            f"{part.place} ×{part.units}",
        )
        for part in holdings.parts(system.name)
    ]
    return Line(
        department=system.department,
        kind="System",
        name=system.name,
        display_name=system.display_name or "",
        code=system.code,
        verdict=judged.verdict.value,
        why=judged.why.value,
        share=(judged.on, judged.total) if judged.eligible else None,
        records=tuple(records),
        step=step,
    )


def lines_of(measure: Measure) -> Iterator[Line]:
    """Return the lines of a measure of rooms, networks or units."""
    return map(_line_of_item, measure.items)


def _line_of_item(item: Item) -> Line:
    verdict = COUNTED if item.counts else NOT_COUNTED if item.of_whole else OUTSIDE
    return Line(
        department=item.department,
        kind=item.kind,
        name=item.name,
        display_name=item.display_name or "",
        code="",
        verdict=verdict,
        why=item.why,
        share=None,
        records=(Record(item.kind, item.name, item.seq, item.request_id),),
    )
