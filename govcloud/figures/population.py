"""The systems of one department, judged at two cut-offs: the report's and the month end before."""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from govcloud.figures.definition import Definition
from govcloud.figures.facts import (
    Catalogue,
    ExemptionFact,
    HostFact,
    MachineFact,
    NamespaceFact,
    PlanFact,
    SystemFact,
)
from govcloud.figures.holdings import Holdings
from govcloud.figures.verdict import Case, Judged, judge, likeness

F = TypeVar("F")
Owned = TypeVar("Owned", ExemptionFact, PlanFact)
BySystem: TypeAlias = Mapping[str, Mapping[str, Owned]]
"""By the department and then the name of the system that they are of."""


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

    name: str
    systems: Split[SystemFact]
    machines: Split[MachineFact] = field(default_factory=Split)
    namespaces: Split[NamespaceFact] = field(default_factory=Split)
    hosts: Split[HostFact] = field(default_factory=Split)


@dataclass(frozen=True, slots=True)
class View:
    """What else decides at one cut-off: the day, the catalogue, exemptions, migrations."""

    day: date
    catalogue: Catalogue
    exemptions: BySystem[ExemptionFact]
    plans: BySystem[PlanFact]

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
            _by_system(sorted(holding)),
            _by_system(sorted(plans)),
        )

    def of_departments(self, names: Collection[str]) -> "View":
        """Return the view as far as it is of some departments."""
        exemptions = {name: self.exemptions[name] for name in names if name in self.exemptions}
        plans = {name: self.plans[name] for name in names if name in self.plans}
        return replace(self, exemptions=exemptions, plans=plans)

    def touches(self, other: "View") -> dict[str, set[str]]:
        """Return, by department, the systems whose exemption or migration differs in the views."""
        touched: defaultdict[str, set[str]] = defaultdict(set)
        for owner, system in _unlike(self.exemptions, other.exemptions):
            touched[owner].add(system)
        for owner, system in _unlike(self.plans, other.plans):
            touched[owner].add(system)
        return dict(touched)


def _by_system(facts: Iterable[Owned]) -> dict[str, dict[str, Owned]]:
    known: defaultdict[str, dict[str, Owned]] = defaultdict(dict)
    for fact in facts:
        known[fact.owner][fact.system] = fact
    return dict(known)


def _unlike(mine: BySystem[Owned], theirs: BySystem[Owned]) -> Iterator[tuple[str, str]]:
    for owner in mine.keys() | theirs.keys():
        differing = mine.get(owner, {}).items() ^ theirs.get(owner, {}).items()
        yield from {(owner, system) for system, _ in differing}


class Outcome(NamedTuple):
    """A system with its verdicts: at the report's cut-off and at the opening (None: not there)."""

    system: SystemFact
    now: Judged | None
    then: Judged | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """All systems of a department, judged; `holdings` are those of the report's cut-off.

    `steady` systems were at the opening what they are now; nothing about them was recorded since.
    """

    steady: list[tuple[SystemFact, Judged]]
    moved: list[Outcome]
    holdings: Holdings

    def present(self) -> list[tuple[SystemFact, Judged]]:
        """Return the systems at the report's cut-off with their verdicts."""
        moved = [(system, now) for system, now, _ in self.moved if now is not None]
        return self.steady + moved


def holdings_now(department: Department, view: View, definition: Definition) -> Holdings:
    """Return what the systems of a department hold at the report's cut-off."""
    holdings = Holdings(definition, view.catalogue)
    holdings.add_machines(department.machines.now)
    holdings.add_namespaces(department.namespaces.now)
    holdings.add_hosts(department.hosts.now)
    return holdings


def verdicts(
    department: str,
    systems: Iterable[SystemFact],
    holdings: Holdings,
    view: View,
    definition: Definition,
) -> Iterator[tuple[SystemFact, Judged]]:
    """Judge systems of a department in one view; those that are alike are judged once."""
    exemptions, plans = view.exemptions.get(department, {}), view.plans.get(department, {})
    known: dict[Hashable, Judged] = {}
    for system in systems:
        name = system.name
        parts, exemption, plan = holdings.parts(name), exemptions.get(name), plans.get(name)
        key = likeness(system, parts, exemption, plan)
        judged = known.get(key)
        if judged is None:
            judged = judge(system, parts, Case(view.catalogue, exemption, plan), definition)
            known[key] = judged
        yield system, judged


def judge_department(
    department: Department,
    now: View,
    then: View,
    definition: Definition,
    touched: Collection[str] = (),
) -> Judgement:
    """Judge a department's systems at both cut-offs.

    What nothing touched between the two is judged once: that halves the work of a large report.
    `touched` are those of its systems that `now.touches(then)` names.
    """
    holdings = holdings_now(department, now, definition)
    judged = verdicts(department.name, department.systems.now, holdings, now, definition)
    again = _moved(department, set(touched))
    if now.catalogue != then.catalogue:
        again = None
    if again is not None and not again:
        return Judgement(list(judged), [], holdings)
    steady: list[tuple[SystemFact, Judged]] = []
    changed: list[tuple[SystemFact, Judged]] = []
    for pair in judged:
        (changed if again is None or pair[0].name in again else steady).append(pair)
    before = {s.uid: (s, j) for s, j in _before(department, then, definition, again)}
    moved = [
        Outcome(system, verdict, before.pop(system.uid, (system, None))[1])
        for system, verdict in changed
    ]
    moved += [Outcome(system, None, verdict) for system, verdict in before.values()]
    return Judgement(steady, moved, holdings)


def _moved(department: Department, touched: set[str]) -> set[str] | None:
    names = touched | {fact.name for fact in department.systems.moved}
    for split in (department.machines, department.namespaces, department.hosts):
        names |= {fact.system or "" for fact in split.moved}
    return names


def _before(
    department: Department, view: View, definition: Definition, only: set[str] | None
) -> Iterator[tuple[SystemFact, Judged]]:
    def of_interest(facts: Iterable[F], name: str) -> Iterator[F]:
        return (fact for fact in facts if only is None or getattr(fact, name) in only)

    holdings = Holdings(definition, view.catalogue)
    holdings.add_machines(of_interest(department.machines.then, "system"))
    holdings.add_namespaces(of_interest(department.namespaces.then, "system"))
    holdings.add_hosts(of_interest(department.hosts.then, "system"))
    systems = of_interest(department.systems.then, "name")
    return verdicts(department.name, systems, holdings, view, definition)
