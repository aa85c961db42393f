"""From verdicts to the lines that auditors read: each object with the records behind it (F2)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from sqlmodel import Session

from govcloud.figures.estate import Item, Measure
from govcloud.figures.facts import ExemptionFact, PlanFact, SystemFact
from govcloud.figures.holdings import Part
from govcloud.figures.verdict import Judged
from govcloud.reports.report import Line, Record
from govcloud.store.facts import Label, labels

COUNTED: Final = "counted"
NOT_COUNTED: Final = "not-counted"
OUTSIDE: Final = "outside"


class Shown(NamedTuple):
    """A system that has a line: what was found of it, and the step that it took, if any."""

    system: SystemFact
    judged: Judged
    parts: Sequence[Part] = ()
    exemption: ExemptionFact | None = None
    plan: PlanFact | None = None
    step: str = ""

    @property
    def seqs(self) -> Iterator[int]:
        """The numbers of the facts behind it."""
        yield self.system.seq
        if self.exemption is not None:
            yield self.exemption.seq
        if self.plan is not None:
            yield self.plan.seq
        for part in self.parts:
            yield part.seq


def lines_of_systems(session: Session, department: str, systems: Sequence[Shown]) -> list[Line]:
    """Return the lines of systems of a department; only for these are labels read."""
    known = labels(session, (seq for shown in systems for seq in shown.seqs))
    return [_line_of_system(department, shown, known) for shown in systems]


def _line_of_system(department: str, shown: Shown, known: Mapping[int, Label]) -> Line:
    system, judged = shown.system, shown.judged

    def record(kind: str, name: str, seq: int, note: str) -> Record:
        return Record(kind, name, seq, known[seq].request_id, note)

    records = [record("System", system.name, system.seq, system.lifecycle)]
    if fact := shown.exemption:
        note = f"{fact.reason}, {fact.approved_by}, –{fact.valid_until}"
        records.append(record("Exemption", fact.name, fact.seq, note))
    if plan := shown.plan:
        records.append(record("MigrationPlan", plan.name, plan.seq, plan.state))
    records += [
        record(part.kind, part.name, part.seq, f"{part.place} ×{part.units}")
        for part in shown.parts
    ]
    return Line(
        department=department,
        kind="System",
        name=system.name,
        display_name=known[system.seq].display_name or "",
        code=system.code,
        verdict=judged.verdict.value,
        why=judged.why.value,
        share=(judged.on, judged.total) if judged.eligible else None,
        records=tuple(records),
        step=shown.step,
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
