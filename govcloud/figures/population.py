"""The systems of one department, judged at two cut-offs: the report's and the month end before."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Generic, NamedTuple, TypeVar

from govcloud.figures.definition import Definition
from govcloud.figures.facts import (
    Catalogue,
    ExemptionFact,
    HostFact,
    Key,
    MachineFact,
    NamespaceFact,
    PlanFact,
    SystemFact,
)
from govcloud.figures.holdings import Holdings
from govcloud.figures.verdict import Case, Judged, judge

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Split(Generic[F]):
    """Facts by when they stood: at both cut-offs, only at the later, only at the earlier one."""

    kept: list[F] = field(default_factory=list)
    fresh: list[F] = field(default_factory=list)
    former: list[F] = field(default_factory=list)

    @property
    def now(self) -> list[F]:
        """What stands at the later cut-off."""
        return self.kept + self.fresh

    @property
    def then(self) -> list[F]:
        """What stood at the earlier cut-off."""
        return self.kept + self.former

    @property
    def moved(self) -> list[F]:
        """What does not stand at both."""
        return self.fresh + self.former


@dataclass(frozen=True, slots=True)
class Department:
    """What one department has: its systems and what they run on."""

    systems: Split[SystemFact]
    machines: Split[MachineFact] = field(default_factory=Split)
    namespaces: Split[NamespaceFact] = field(default_factory=Split)
    hosts: Split[HostFact] = field(default_factory=Split)


@dataclass(frozen=True, slots=True)
class View:
    """What else decides at one cut-off: the day, the catalogue, exemptions, migrations."""

    day: date
    catalogue: Catalogue
    exemptions: Mapping[Key, ExemptionFact]
    plans: Mapping[Key, PlanFact]

    @classmethod
    def of(
        cls,
        day: date,
        catalogue: Catalogue,
        exemptions: Iterable[ExemptionFact],
        plans: Iterable[PlanFact],
    ) -> "View":
        """Make it of all exemptions (those that hold are kept) and all migration plans.

        Of several of a system the one recorded last decides.
        """
        holding = [fact for fact in exemptions if fact.holds_on(day)]
        return cls(
            day,
            catalogue,
            {Key(fact.owner, fact.system): fact for fact in sorted(holding)},
            {Key(fact.owner, fact.system): fact for fact in sorted(plans)},
        )

    def touches(self, other: "View") -> set[Key]:
        """Return the systems whose exemption or migration is not the same in both views."""
        return {
            key
            for mine, theirs in ((self.exemptions, other.exemptions), (self.plans, other.plans))
            for key in mine.keys() | theirs.keys()
            if mine.get(key) is not theirs.get(key) and mine.get(key) != theirs.get(key)
        }


class Outcome(NamedTuple):
    """A system with its verdicts: at the report's cut-off and at the opening (None: not there)."""

    system: SystemFact
    now: Judged | None
    then: Judged | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """All systems of a department, judged; `holdings` are those of the report's cut-off."""

    outcomes: list[Outcome]
    holdings: Holdings


def holdings_now(department: Department, view: View, definition: Definition) -> Holdings:
    """Return what the systems of a department hold at the report's cut-off."""
    holdings = Holdings(definition, view.catalogue)
    holdings.add_machines(department.machines.now)
    holdings.add_namespaces(department.namespaces.now)
    holdings.add_hosts(department.hosts.now)
    return holdings


def verdicts(
    systems: Iterable[SystemFact], holdings: Holdings, view: View, definition: Definition
) -> Iterator[tuple[SystemFact, Judged]]:
    """Judge systems in one view."""
    exemptions, plans = view.exemptions, view.plans
    for system in systems:
        key = Key(system.department, system.name)
        yield (
            system,
            judge(
                system,
                holdings.parts(system.name),
                Case(view.catalogue, exemptions.get(key), plans.get(key)),
                definition,
            ),
        )


def judge_department(
    department: Department,
    now: View,
    then: View,
    definition: Definition,
    touched: Collection[Key] | None = None,
) -> Judgement:
    """Judge a department's systems at both cut-offs.

    What nothing touched between the two is judged once: that halves the work of a large report.
    `touched` is `now.touches(then)`, where the caller has it already.
    """
    holdings = holdings_now(department, now, definition)
    judged = {s.uid: (s, j) for s, j in verdicts(department.systems.now, holdings, now, definition)}
    touched = now.touches(then) if touched is None else touched
    again = _moved(department, {key.system for key in touched})
    if now.catalogue != then.catalogue:
        again = None
    before = _before(department, then, definition, again)
    outcomes = [
        Outcome(system, verdict, before.pop(uid)[1] if uid in before else None)
        if again is None or system.name in again
        else Outcome(system, verdict, verdict)
        for uid, (system, verdict) in judged.items()
    ]
    outcomes += [Outcome(system, None, verdict) for system, verdict in before.values()]
    return Judgement(outcomes, holdings)


def _moved(department: Department, names: set[str]) -> set[str] | None:
    names |= {fact.name for fact in department.systems.moved}
    for split in (department.machines, department.namespaces, department.hosts):
        names |= {fact.system or "" for fact in split.moved}
    return names


def _before(
    department: Department, view: View, definition: Definition, only: set[str] | None
) -> dict[str, tuple[SystemFact, Judged]]:
    def of_interest(facts: Iterable[F], name: str) -> Iterator[F]:
        return (fact for fact in facts if only is None or getattr(fact, name) in only)

    if only is not None and not only:
        return {}
    holdings = Holdings(definition, view.catalogue)
    holdings.add_machines(of_interest(department.machines.then, "system"))
    holdings.add_namespaces(of_interest(department.namespaces.then, "system"))
    holdings.add_hosts(of_interest(department.hosts.then, "system"))
    systems = of_interest(department.systems.then, "name")
    return {s.uid: (s, j) for s, j in verdicts(systems, holdings, view, definition)}
