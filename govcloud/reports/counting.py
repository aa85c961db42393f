"""Counting department by department, so that memory is bounded by the largest one."""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from govcloud.errors import Text
from govcloud.figures.definition import Definition
from govcloud.figures.facts import SystemFact
from govcloud.figures.holdings import NOTHING, Holdings, Presence
from govcloud.figures.movement import Membership, Movement, step_of
from govcloud.figures.population import (
    Department,
    Judgement,
    holdings_now,
    judge_department,
    verdicts,
)
from govcloud.figures.tally import Tally
from govcloud.figures.verdict import Judged, Verdict, Why
from govcloud.reports.evidence import OUTSIDE, line_of
from govcloud.reports.reading import Frame, Reading
from govcloud.reports.report import Line

Steps: TypeAlias = dict[str, str]
"""By uid, the steps that systems took into the population or out of it."""
NO_MORE: Final = Judged(Verdict.UNREGISTERED, Why.NOT_OPERATING)
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
    """The count of all departments that a report reads; lines are kept up to a limit.

    In `full`, what is not registered, is no more or left the node has a line as well.
    """

    def __init__(
        self,
        reading: Reading,
        definition: Definition,
        beside: Sequence[Definition] = (),
        *,
        lines: int = 0,
        full: bool = False,
    ) -> None:
        self._reading = reading
        self._definition = definition
        self._beside = beside
        self._limit = lines
        self._full = full
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
        steps = self._tally(counted, judgement, membership)
        if not membership.now:
            self._keep_left(judgement, steps)
            return
        counted.presence = judgement.holdings.presence
        counted.beside = tuple(self._under(other, department) for other in self._beside)
        present = judgement.present()
        self._note(name, [system for system, _ in present], judgement.holdings)
        self._keep(present, judgement, steps)

    def _tally(self, counted: Counted, judgement: Judgement, membership: Membership) -> Steps:
        """Count a department; return the steps that its systems took."""
        now, before, movement = Tally(), counted.before, counted.movement
        steps: Steps = {}
        for system, judged in judgement.steady:
            now.add(judged, self._reason(system, judged))
        before.merge(now)
        movement.add_steady(now.eligible, membership)
        if membership.now != membership.then:
            for system, judged in judgement.steady:
                if step := step_of(judged, judged, membership):
                    steps[system.uid] = step
        for system, later, earlier in judgement.moved:
            if later is not None:
                now.add(later, self._reason(system, later))
            if earlier is not None:
                before.add(earlier)
            if step := movement.add(earlier, later, membership):
                steps[system.uid] = step
        if membership.now:
            counted.tally = now
        return steps

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

    def _keep(
        self, present: list[tuple[SystemFact, Judged]], judgement: Judgement, steps: Steps
    ) -> None:
        """Keep the lines of a department's systems; in full also of those that are no more."""
        chosen = present
        if self._full:
            gone = [system for system, now, _ in judgement.moved if now is None]
            chosen = present + [(system, NO_MORE) for system in gone if system.uid in steps]
        else:
            chosen = [pair for pair in present if pair[1].verdict is not Verdict.UNREGISTERED]
        self._add_lines(chosen, judgement.holdings, steps)

    def _keep_left(self, judgement: Judgement, steps: Steps) -> None:
        """Keep the lines of systems that left the node with their department."""
        if not self._full:
            return
        everyone = [system for system, _ in judgement.steady]
        everyone += [system for system, _, _ in judgement.moved]
        left = [(system, NO_MORE) for system in everyone if system.uid in steps]
        start = len(self.lines)
        self._add_lines(left, judgement.holdings, steps)
        self.lines[start:] = [
            line._replace(verdict=OUTSIDE, why="moved_away") for line in self.lines[start:]
        ]

    def _add_lines(
        self, chosen: list[tuple[SystemFact, Judged]], holdings: Holdings, steps: Steps
    ) -> None:
        self.lines_total += len(chosen)
        room = self._limit - len(self.lines)
        if room <= 0:
            return
        chosen.sort(key=lambda pair: pair[0].name)
        self.lines += [
            line_of(system, judged, holdings, self.frame.now, steps.get(system.uid, ""))
            for system, judged in chosen[:room]
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
