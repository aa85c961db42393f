"""Counting department by department, so that memory is bounded by the largest one."""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from govcloud.errors import Text
from govcloud.figures.definition import Definition
from govcloud.figures.facts import SystemFact
from govcloud.figures.holdings import NOTHING, Holdings, Presence
from govcloud.figures.movement import Membership, Movement
from govcloud.figures.population import (
    Department,
    Judgement,
    holdings_now,
    judge_department,
    verdicts,
)
from govcloud.figures.tally import Tally
from govcloud.figures.verdict import Judged, Verdict
from govcloud.reports.evidence import line_of
from govcloud.reports.reading import Frame, Reading
from govcloud.reports.report import Line

SHOWN: Final = 20
"""How many names a remark lists before it only counts."""


@dataclass(slots=True)
class Counted:
    """One department, counted; `had`: whether it belonged to the report's node at the opening.

    What no longer belongs to the node has a movement and the tally before, and no tally.
    """

    name: str
    had: bool = True
    tally: Tally = field(default_factory=Tally)
    before: Tally = field(default_factory=Tally)
    movement: Movement = field(default_factory=Movement)
    presence: Presence = NOTHING
    beside: tuple[Tally, ...] = ()


@dataclass(slots=True)
class Oddities:
    """What does not fit in the facts: told, never hidden and never corrected."""

    codes: Counter[str] = field(default_factory=Counter)
    orphans: list[str] = field(default_factory=list)
    unknown_clouds: list[str] = field(default_factory=list)

    def remarks(self, frame: Frame) -> list[Text]:
        """Return the remarks, each with a number and the first names."""
        repeated = sorted(code for code, times in self.codes.items() if times > 1)
        unapproved = sorted(
            fact.name for fact in frame.exemptions if not (fact.approved_by and fact.approved_on)
        )
        planned = Counter((fact.owner, fact.system) for fact in frame.plans)
        twice = sorted("/".join(key) for key, times in planned.items() if times > 1)
        found = {
            "duplicate_codes": repeated,
            "components_without_system": self.orphans,
            "unknown_industry_cloud": self.unknown_clouds,
            "exemptions_unapproved": unapproved,
            "several_plans": twice,
        }
        return [
            Text(f"reports.remark.{key}", {"count": len(names), "names": names[:SHOWN]})
            for key, names in found.items()
            if names
        ]


class Counting:
    """The count of all departments that a report reads; lines are kept up to a limit."""

    def __init__(
        self,
        reading: Reading,
        definition: Definition,
        beside: Sequence[Definition] = (),
        *,
        lines: int = 0,
        unregistered: bool = False,
    ) -> None:
        self._reading = reading
        self._definition = definition
        self._beside = beside
        self._limit = lines
        self._unregistered = unregistered
        self.frame = reading.frame()
        self._touched = self.frame.now.touches(self.frame.then)
        self.oddities = Oddities()
        self.departments: list[Counted] = []
        self.lines: list[Line] = []
        self.lines_total = 0

    def run(self) -> None:
        """Count every department, in the order of their names."""
        with _collecting_paused():
            for name in self._reading.departments():
                self._count(name, self._reading.department(name))

    def _count(self, name: str, department: Department) -> None:
        judgement = judge_department(
            department,
            self.frame.now,
            self.frame.then,
            self._definition,
            self._touched.get(name, ()),
        )
        membership = self._reading.scope.membership(name)
        counted = Counted(name, had=membership.then)
        self.departments.append(counted)
        self._tally(counted, judgement, membership)
        if not membership.now:
            return
        counted.presence = judgement.holdings.presence
        counted.beside = tuple(self._under(other, department) for other in self._beside)
        present = judgement.present()
        self._note(name, [system for system, _ in present], judgement.holdings)
        self._keep_lines(present, judgement.holdings)

    def _tally(self, counted: Counted, judgement: Judgement, membership: Membership) -> None:
        now, before, movement = Tally(), counted.before, counted.movement
        for system, judged in judgement.steady:
            now.add(judged, self._reason(system, judged))
        before.merge(now)
        movement.add_steady(now.eligible, membership)
        for system, later, earlier in judgement.moved:
            if later is not None:
                now.add(later, self._reason(system, later))
            if earlier is not None:
                before.add(earlier)
            movement.add(earlier, later, membership)
        if membership.now:
            counted.tally = now

    def _reason(self, system: SystemFact, judged: Judged) -> str:
        if judged.verdict is not Verdict.EXEMPT:
            return ""
        return self.frame.now.exemptions[system.department, system.name].reason

    def _under(self, definition: Definition, department: Department) -> Tally:
        view, tally = self.frame.now, Tally()
        holdings = holdings_now(department, view, definition)
        for _, judged in verdicts(department.systems.now, holdings, view, definition):
            tally.add(judged)
        return tally

    def _note(self, name: str, present: list[SystemFact], holdings: Holdings) -> None:
        self.oddities.codes.update([system.code for system in present])
        names = {system.name for system in present}
        self.oddities.orphans += [f"{name}/{system}" for system in holdings.orphans(names)]
        known = self.frame.now.catalogue
        self.oddities.unknown_clouds += [
            f"{name}/{system.name}"
            for system in present
            if system.industry_cloud
            and system.industry_cloud not in known.docked
            and system.industry_cloud not in known.managed
        ]

    def _keep_lines(self, present: list[tuple[SystemFact, Judged]], holdings: Holdings) -> None:
        chosen = [
            pair
            for pair in present
            if self._unregistered or pair[1].verdict is not Verdict.UNREGISTERED
        ]
        self.lines_total += len(chosen)
        room = self._limit - len(self.lines)
        if room <= 0:
            return
        chosen.sort(key=lambda pair: pair[0].name)
        self.lines += [
            line_of(system, judged, holdings, self.frame.now) for system, judged in chosen[:room]
        ]


@contextmanager
def _collecting_paused() -> Iterator[None]:
    # Millions of tuples and not one cycle among them: looking for cycles takes a third of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def total_of(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies: the city is ΣC/ΣE, never a mean."""
    total = Tally()
    for tally in tallies:
        total.merge(tally)
    return total
