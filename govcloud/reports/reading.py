"""From the store's facts to the values that figures are computed from, for one report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from sqlmodel import Session

from govcloud.domain.kinds.governance import SurveySpec
from govcloud.domain.suggest import nearest
from govcloud.errors import NotFoundError
from govcloud.figures.estate import NetworkFact, RoomFact, UnitFact
from govcloud.figures.facts import (
    Catalogue,
    ExemptionFact,
    HostFact,
    MachineFact,
    NamespaceFact,
    PlanFact,
    SystemFact,
)
from govcloud.figures.holdings import ACTIVE
from govcloud.figures.movement import Membership
from govcloud.figures.population import Department, Split, View
from govcloud.figures.survey import Survey
from govcloud.figures.targets import TargetFact
from govcloud.figures.tree import below, root
from govcloud.reports.cutoff import Cutoff
from govcloud.store.facts import (
    Digest,
    Fact,
    SpecField,
    Standing,
    departments_of,
    last_fact,
    standing,
)

F = TypeVar("F", bound=tuple[Any, ...])
Parents: TypeAlias = Mapping[str, str | None]


def _text(*paths: str) -> list[SpecField]:
    return [SpecField(tuple(path.split("."))) for path in paths]


def _flag(path: str) -> SpecField:
    return SpecField(tuple(path.split(".")), "flag")


def _integer(path: str) -> SpecField:
    return SpecField((path,), "integer")


SYSTEM: Final = (
    *_text("code", "lifecycle", "origin"),
    _flag("security.classified"),
    *_text("industryCloud"),
)
MACHINE: Final = (
    *_text("system", "environment", "zone"),
    _integer("count"),
    *_text("flavor"),
    _integer("vcpu"),
)
NAMESPACE: Final = (*_text("system", "environment", "zone"), SpecField(("cpu",), "number"))
HOST: Final = (*_text("system", "environment", "room", "state"), _integer("vcpu"))
EXEMPTION: Final = _text(
    "department", "system", "reason", "approvedBy", "approvedOn", "validFrom", "validUntil"
)
PLAN: Final = _text("department", "system", "state")
ROOM: Final = (*_text("state"), _flag("baseline"), _flag("onlyNetworkGear"))
NETWORK: Final = (*_text("state"), _flag("baseline"), _flag("classified"))
UNIT: Final = (
    *_text("level", "parent"),
    _flag("extranet.connected"),
    _flag("extranet.ipv6"),
    *_text("extranet.testedOn"),
)
TARGET: Final = (
    _integer("number"),
    *_text("indicator", "metric", "unit"),
    _integer("year"),
    SpecField(("value",), "number"),
    *_text("property"),
)
CLOUD: Final = (*_text("management"), _flag("docked"))
ZONE: Final = _text("cloud")
FLAVOR: Final = (_integer("vcpu"),)
DEPARTMENT: Final = 3
NAME: Final = 4
OWNER: Final = 7
"""Where the owner stands in the facts of exemptions and migration plans: the first field."""
OWNERS: Final = ("System", "VirtualMachine", "Namespace", "LegacyHost")


@dataclass(frozen=True, slots=True)
class Frame:
    """What decides beside the departments' own facts, at the cut-off and at the opening.

    `exemptions` and `plans` are all that were on record at the cut-off, in force or not.
    """

    now: View
    then: View
    exemptions: list[ExemptionFact]
    plans: list[PlanFact]


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose figures are asked for: those of a node (None: of all), by default with what is below.

    `within`: the node that the asker may not look beyond; None for none.
    """

    node: str | None = None
    below: bool = True
    within: str | None = None


class Scope:
    """What belongs to the node of a report, at the cut-off and at the opening.

    A department that moved in the tree meanwhile belonged to another node then.
    """

    def __init__(self, whose: Whose, now: Parents, then: Parents) -> None:
        self.node = whose.node
        self._whose = whose
        self._now, self._then = self._members(now), self._members(then)
        self.named = whose.node or root(now)
        self.alone = whose.node is not None and not whose.below

    def _members(self, parents: Parents) -> frozenset[str] | None:
        node, within = self._whose.node, self._whose.within
        if within is not None and node not in below(parents, within):
            return frozenset()
        if node is None:
            return None
        return below(parents, node) if self._whose.below else frozenset({node})

    def membership(self, department: str) -> Membership:
        """Return whether a department belonged to the node at the closing, and at the opening."""
        return Membership(
            self._now is None or department in self._now,
            self._then is None or department in self._then,
        )

    def has(self, department: str) -> bool:
        """Whether a department belongs to the node at the cut-off."""
        return self._now is None or department in self._now

    @property
    def everyone(self) -> list[str] | None:
        """Departments that belong or belonged to the node, sorted; None for all there are."""
        if self._now is None or self._then is None:
            return None
        return sorted(self._now | self._then)


class Reading:
    """The facts of one report: what stood at its cut-off and at the opening, and their digest.

    Only what is of the departments asked for is read, but for the catalogue. NotFoundError for a
    node that the asker may not see.
    """

    def __init__(self, session: Session, cutoff: Cutoff, opening: Cutoff, whose: Whose) -> None:
        self._session = session
        self._digest = Digest()
        self.cutoff = cutoff
        self.opening = opening
        self._now = last_fact(session, cutoff.instant)
        self._then = last_fact(session, opening.instant)
        tree = standing(session, "Department", UNIT, now=self._now, then=self._then)
        everyone = _split(UnitFact, tree)
        self.scope = Scope(whose, _parents(everyone.now), _parents(everyone.then))
        self._whose, self._parents = whose, _parents(everyone.now)
        if whose.within is not None and whose.node not in (self.scope.everyone or ()):
            raise self.unknown_node()
        self._digest.add(self._of_scope(tree, NAME))
        self._units = [unit for unit in everyone.now if self.scope.has(unit.name)]
        self.names = {
            unit.name: unit.display_name or unit.name for unit in (*everyone.former, *self._units)
        }

    @property
    def digest(self) -> str:
        """The digest of all facts read so far."""
        return self._digest.hex()

    def unknown_node(self) -> NotFoundError:
        """Return the error for a node that is none, with the one meant if the asker may see it."""
        within, name = self._whose.within, self._whose.node or ""
        meant = nearest(name, self._parents if within is None else below(self._parents, within))
        if meant is None:
            return NotFoundError("errors.unknown_department", department=name)
        return NotFoundError("errors.unknown_department_meant", department=name, meant=meant)

    def departments(self) -> list[str]:
        """Return the departments that have, or had, systems or components."""
        everyone = self.scope.everyone
        if everyone is not None:
            return everyone
        return departments_of(self._session, OWNERS, self._now)

    def department(self, name: str) -> Department:
        """Return the systems of one department and what they run on."""
        return Department(
            systems=_split(SystemFact, self._standing("System", SYSTEM, name)),
            machines=_split(MachineFact, self._components("VirtualMachine", MACHINE, name)),
            namespaces=_split(NamespaceFact, self._components("Namespace", NAMESPACE, name)),
            hosts=_split(HostFact, self._standing("LegacyHost", HOST, name)),
        )

    def frame(self) -> Frame:
        """Return what else decides, at the cut-off and at the opening."""
        clouds, zones = self._standing("Cloud", CLOUD), self._standing("Zone", ZONE)
        flavors = self._standing("Flavor", FLAVOR)
        exemptions = _split(ExemptionFact, self._standing("Exemption", EXEMPTION, own=True))
        plans = _split(PlanFact, self._standing("MigrationPlan", PLAN, own=True))
        now = _catalogue(*(part.kept + part.fresh for part in (clouds, zones, flavors)))
        then = _catalogue(*(part.kept + part.former for part in (clouds, zones, flavors)))
        return Frame(
            View.of(self.cutoff.day, now, exemptions.now, plans.now),
            View.of(self.opening.day, then, exemptions.then, plans.then),
            exemptions.now,
            plans.now,
        )

    def rooms(self) -> list[RoomFact]:
        """Return the self-built rooms, also those taken out of the register."""
        return list(map(RoomFact._make, self._owned("ServerRoom", ROOM)))

    def networks(self) -> list[NetworkFact]:
        """Return the private networks, also those taken out of the register."""
        return list(map(NetworkFact._make, self._owned("PrivateNetwork", NETWORK)))

    def units(self) -> list[UnitFact]:
        """Return the nodes of the organisation tree that the report is of."""
        return self._units

    def targets(self) -> list[TargetFact]:
        """Return the plan's targets."""
        return list(map(TargetFact._make, self._present("Target", TARGET)))

    def survey(self) -> Survey | None:
        """Return the latest survey that had been taken by the cut-off's day."""
        surveys = [
            Survey.of(row[0], row[4], SurveySpec.model_validate_json(row[-1]))
            for row in self._present("Survey", (SpecField(),))
        ]
        taken = [survey for survey in surveys if survey.taken_on <= self.cutoff.day]
        latest = max(taken, key=lambda survey: (survey.taken_on, survey.seq), default=None)
        if latest is None or self.scope.node is None:
            return latest
        named = frozenset(filter(self.scope.has, latest.named))
        # What a survey states is of all its units; it says nothing about some of them.
        return latest if named == latest.named and not self.scope.alone else latest.of_units(named)

    def _components(self, kind: str, fields: Iterable[SpecField], department: str) -> Standing:
        # What is pending or releasing carries nothing, so nothing of it has to be looked up.
        return self._standing(kind, fields, department, phase=ACTIVE)

    def _standing(
        self,
        kind: str,
        fields: Iterable[SpecField],
        department: str | None = None,
        *,
        own: bool = False,
        phase: str | None = None,
    ) -> Standing:
        rows = standing(
            self._session,
            kind,
            list(fields),
            now=self._now,
            then=self._then,
            department=department,
            phase=phase,
        )
        if own:
            rows = self._of_scope(rows, OWNER)
        self._digest.add(rows)
        return rows

    def _owned(self, kind: str, fields: Iterable[SpecField]) -> list[Fact]:
        rows = standing(self._session, kind, list(fields), now=self._now, removed=True)
        rows = Standing(fresh=[row for row in rows.fresh if self.scope.has(row[DEPARTMENT])])
        self._digest.add(rows)
        return rows.fresh

    def _of_scope(self, rows: Standing, place: int) -> Standing:
        everyone = self.scope.everyone
        if everyone is None:
            return rows
        wanted = set(everyone)
        parts = (rows.kept, rows.fresh, rows.former)
        return Standing(*([row for row in part if row[place] in wanted] for part in parts))

    def _present(self, kind: str, fields: Iterable[SpecField]) -> list[Fact]:
        rows = standing(self._session, kind, list(fields), now=self._now)
        self._digest.add(rows)
        return rows.fresh


def _split(fact: type[F], rows: Standing) -> Split[F]:
    # What _make does, without its call in Python for each of a million rows.
    make = partial(tuple.__new__, fact)
    return Split(*(list(map(make, part)) for part in (rows.kept, rows.fresh, rows.former)))


def _parents(units: Iterable[UnitFact]) -> Parents:
    return {unit.name: unit.parent for unit in units}


def _catalogue(clouds: list[Any], zones: list[Any], flavors: list[Any]) -> Catalogue:
    return Catalogue.of(
        ((row[4], row[7], row[8]) for row in clouds),
        ((row[4], row[7]) for row in zones),
        ((row[4], row[7]) for row in flavors),
    )
