"""One department counted after the other, by values alone: any process may do it.

What it needs is told by the rules, which are the report's, and by a share of the departments with
what else decides about them; what it finds is handed back as values too.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sqlmodel import Session

from govcloud.figures.definition import Definition
from govcloud.figures.facts import SystemFact
from govcloud.figures.holdings import NOTHING, Holdings, Presence
from govcloud.figures.movement import Membership, Movement, step_of
from govcloud.figures.population import (
    Department,
    Judgement,
    View,
    holdings_now,
    judge_department,
    verdicts,
)
from govcloud.figures.tally import Tally
from govcloud.figures.verdict import Judged, Verdict, Why
from govcloud.reports.departments import Span, read_department
from govcloud.reports.evidence import OUTSIDE, Shown, lines_of_systems
from govcloud.reports.report import Line

Steps: TypeAlias = dict[str, str]
"""By uid, the steps that systems took into the population or out of it."""
NO_MORE: Final = Judged(Verdict.UNREGISTERED, Why.NOT_OPERATING)


@dataclass(frozen=True, slots=True)
class Rules:
    """How a report counts every department.

    `beside`: other definitions whose rate is counted too. In `full`, what is not registered, is no
    more or left the node has a line as well.
    """

    span: Span
    definition: Definition
    beside: tuple[Definition, ...] = ()
    full: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """Some departments, in the order of their names, and the views as far as they are of them.

    `number`: the place of the share among all. `room`: of how many systems lines are wanted yet.
    """

    number: int
    departments: tuple[tuple[str, Membership], ...]
    now: View
    then: View
    room: int


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
class Found:
    """What came to light beside the numbers: the facts' digest, oddities, and lines as wanted."""

    digest: str
    codes: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    unknown_clouds: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    lines_total: int = 0


Answer: TypeAlias = list[tuple[Counted, Found]]


def count_share(session: Session, rules: Rules, share: Share) -> Answer:
    """Count the departments of a share, one after the other."""
    return list(_Counting(session, rules, share).run())


class _Counting:
    def __init__(self, session: Session, rules: Rules, share: Share) -> None:
        self._session, self._rules, self._share = session, rules, share
        self._touched = share.now.touches(share.then)
        self._room = share.room

    def run(self) -> Iterator[tuple[Counted, Found]]:
        for name, membership in self._share.departments:
            department, digest = read_department(self._session, self._rules.span, name)
            counted, found = Counted(name, had=membership.then), Found(digest)
            self._count(counted, found, department, membership)
            self._room -= len(found.lines)
            yield counted, found

    def _count(
        self, counted: Counted, found: Found, department: Department, membership: Membership
    ) -> None:
        touched = self._touched.get(counted.name, ())
        rules, share = self._rules, self._share
        judgement = judge_department(department, share.now, share.then, rules.definition, touched)
        steps = self._tally(counted, judgement, membership)
        if not membership.now:
            self._keep_left(counted.name, found, judgement, steps)
            return
        counted.presence = judgement.holdings.presence
        counted.beside = tuple(self._under(other, department) for other in rules.beside)
        present = judgement.present()
        self._note(counted.name, found, [system for system, _ in present], judgement.holdings)
        self._keep(counted.name, found, present, judgement, steps)

    def _tally(self, counted: Counted, judgement: Judgement, membership: Membership) -> Steps:
        """Count a department; return the steps that its systems took."""
        now, before, movement = Tally(), counted.before, counted.movement
        steps: Steps = {}
        for judged, times in _alike(judgement.steady):
            now.add(judged, times)
        before.merge(now)
        movement.add_steady(now.eligible, membership)
        if membership.now != membership.then:
            for system, judged in judgement.steady:
                if step := step_of(judged, judged, membership):
                    steps[system.uid] = step
        for system, later, earlier in judgement.moved:
            if later is not None:
                now.add(later)
            if earlier is not None:
                before.add(earlier)
            if step := movement.add(earlier, later, membership):
                steps[system.uid] = step
        if membership.now:
            counted.tally = now
        return steps

    def _under(self, definition: Definition, department: Department) -> Tally:
        view, tally = self._share.now, Tally()
        holdings = holdings_now(department, view, definition)
        systems = department.systems.now
        judged = verdicts(department.name, systems, holdings, view, definition)
        for alike, times in _alike(judged):
            tally.add(alike, times)
        return tally

    def _note(self, name: str, found: Found, present: list[SystemFact], holdings: Holdings) -> None:
        found.codes = [system.code for system in present]
        names = {system.name for system in present}
        found.orphans = [f"{name}/{system}" for system in holdings.orphans(names)]
        known = self._share.now.catalogue
        found.unknown_clouds = [
            f"{name}/{system.name}"
            for system in present
            if system.industry_cloud
            and system.industry_cloud not in known.docked
            and system.industry_cloud not in known.managed
        ]

    def _keep(
        self,
        name: str,
        found: Found,
        present: list[tuple[SystemFact, Judged]],
        judgement: Judgement,
        steps: Steps,
    ) -> None:
        """Keep the lines of a department's systems; in full also of those that are no more."""
        if self._rules.full:
            gone = [system for system, now, _ in judgement.moved if now is None]
            chosen = present + [(system, NO_MORE) for system in gone if system.uid in steps]
        else:
            chosen = [pair for pair in present if pair[1].verdict is not Verdict.UNREGISTERED]
        self._add_lines(name, found, chosen, judgement.holdings, steps)

    def _keep_left(self, name: str, found: Found, judgement: Judgement, steps: Steps) -> None:
        """Keep the lines of systems that left the node with their department."""
        if not self._rules.full:
            return
        everyone = [system for system, _ in judgement.steady]
        everyone += [system for system, _, _ in judgement.moved]
        left = [(system, NO_MORE) for system in everyone if system.uid in steps]
        self._add_lines(name, found, left, judgement.holdings, steps)
        found.lines = [line._replace(verdict=OUTSIDE, why="moved_away") for line in found.lines]

    def _add_lines(
        self,
        name: str,
        found: Found,
        chosen: list[tuple[SystemFact, Judged]],
        holdings: Holdings,
        steps: Steps,
    ) -> None:
        found.lines_total = len(chosen)
        if self._room <= 0:
            return
        chosen.sort(key=lambda pair: pair[0].name)
        exemptions = self._share.now.exemptions.get(name, {})
        plans = self._share.now.plans.get(name, {})
        cases = [
            Shown(
                system,
                judged,
                holdings.parts(system.name),
                exemptions.get(system.name),
                plans.get(system.name),
                steps.get(system.uid, ""),
            )
            for system, judged in chosen[: self._room]
        ]
        found.lines = lines_of_systems(self._session, name, cases)


def _alike(judged: Iterable[tuple[SystemFact, Judged]]) -> Iterator[tuple[Judged, int]]:
    """Yield each verdict once, with how many systems have it."""
    # By identity: systems that are alike share a verdict, and its value is slow to hash.
    verdicts_of = [verdict for _, verdict in judged]
    each = {id(verdict): verdict for verdict in verdicts_of}
    for key, times in Counter(map(id, verdicts_of)).items():
        yield each[key], times
