"""From the store's facts to the values that figures are computed from, for one report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlmodel import Session, col, func, select

from govcloud.domain import city
from govcloud.domain.kinds.governance import PolicySpec, SurveySpec
from govcloud.domain.suggest import nearest
from govcloud.errors import NotFoundError
from govcloud.figures.estate import NetworkFact, RoomFact, UnitFact
from govcloud.figures.facts import Catalogue, ExemptionFact, PlanFact
from govcloud.figures.movement import Membership
from govcloud.figures.population import View
from govcloud.figures.survey import Survey
from govcloud.figures.targets import TargetFact
from govcloud.figures.tree import below, root
from govcloud.policy.calendar import in_force
from govcloud.reports.cutoff import Cutoff
from govcloud.reports.departments import OWNERS, Span, flag, integer, split_of, text
from govcloud.store.facts import (
    Digest,
    Fact,
    SpecField,
    Standing,
    departments_of,
    last_fact,
    map_file,
    standing,
)
from govcloud.store.tables import FactRow

Parents: TypeAlias = Mapping[str, str | None]
EXEMPTION: Final = text(
    "department", "system", "reason", "approvedBy", "approvedOn", "validFrom", "validUntil"
)
PLAN: Final = text("department", "system", "state")
ROOM: Final = (*text("state"), flag("baseline"), flag("onlyNetworkGear"))
NETWORK: Final = (*text("state"), flag("baseline"), flag("classified"))
UNIT: Final = (
    *text("level", "parent"),
    flag("extranet.connected"),
    flag("extranet.ipv6"),
    *text("extranet.testedOn"),
)
TARGET: Final = (
    integer("number"),
    *text("indicator", "metric", "unit"),
    integer("year"),
    SpecField(("value",), "number"),
    *text("property"),
)
CLOUD: Final = (*text("management"), flag("docked"))
ZONE: Final = text("cloud")
FLAVOR: Final = (integer("vcpu"),)
NAME: Final = 3
DEPARTMENT: Final = 4
OWNER: Final = 4
"""Where the owner stands in the brief facts of exemptions and migration plans: the first field."""


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
        map_file(session)
        self.session = session
        self._digest = Digest()
        self.cutoff = cutoff
        self.opening = opening
        now, then = last_fact(session, cutoff.instant), last_fact(session, opening.instant)
        self.span = Span(now, then)
        tree = standing(session, "Department", UNIT, now=now, then=then)
        everyone = split_of(UnitFact, tree)
        self.scope = Scope(whose, _parents(everyone.now), _parents(everyone.then))
        self._whose, self._parents = whose, _parents(everyone.now)
        if whose.within is not None and whose.node not in (self.scope.everyone or ()):
            raise self.unknown_node()
        self._digest.add(self._of_scope(tree, NAME))
        self._listed = len(everyone.now)
        self._units = [unit for unit in everyone.now if self.scope.has(unit.name)]
        self.names = {
            unit.name: unit.display_name or unit.name for unit in (*everyone.former, *self._units)
        }

    @property
    def digest(self) -> str:
        """The digest of all facts read so far."""
        return self._digest.hex()

    def take_in(self, digest: str) -> None:
        """Take facts of a department into the digest, by their own."""
        self._digest.add_digest(digest)

    @property
    def size(self) -> int:
        """About how many facts there are to read."""
        everyone = self.scope.everyone
        if everyone is None:
            return self.span.now
        return self.span.now * len(everyone) // max(1, self._listed)

    def unknown_node(self) -> NotFoundError:
        """Return the error for a node that is none, with the one meant if the asker may see it."""
        within, name = self._whose.within, self._whose.node or ""
        since = self._since(name)
        if since is not None and since > self.cutoff.instant and within in (None, name):
            said = {"as_of": str(self.cutoff), "since": city.shown(since)}
            return NotFoundError("errors.department_later", department=name, **said)
        meant = nearest(name, self._parents if within is None else below(self._parents, within))
        if meant is None:
            return NotFoundError("errors.unknown_department", department=name)
        return NotFoundError("errors.unknown_department_meant", department=name, meant=meant)

    def _since(self, department: str) -> datetime | None:
        """Return when a department was recorded first."""
        of_it = (col(FactRow.kind) == "Department", col(FactRow.name) == department)
        return self.session.exec(select(func.min(FactRow.recorded_at)).where(*of_it)).one()

    def departments(self) -> list[str]:
        """Return the departments that have, or had, systems or components."""
        everyone = self.scope.everyone
        if everyone is not None:
            return everyone
        return departments_of(self.session, OWNERS, self.span.now)

    def frame(self) -> Frame:
        """Return what else decides, at the cut-off and at the opening."""
        clouds, zones = self._standing("Cloud", CLOUD), self._standing("Zone", ZONE)
        flavors = self._standing("Flavor", FLAVOR)
        exemptions = split_of(ExemptionFact, self._standing("Exemption", EXEMPTION, own=True))
        plans = split_of(PlanFact, self._standing("MigrationPlan", PLAN, own=True))
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

    def policy(self) -> PolicySpec:
        """Return the policy in force on the cut-off's day."""
        return in_force(
            {
                row[NAME]: PolicySpec.model_validate_json(row[-1])
                for row in self._present("Policy", (SpecField(),))
            },
            self.cutoff.day,
        )

    def survey(self) -> Survey | None:
        """Return the latest survey that had been taken by the cut-off's day."""
        surveys = [
            Survey.of(row[0], row[NAME], SurveySpec.model_validate_json(row[-1]))
            for row in self._present("Survey", (SpecField(),))
        ]
        taken = [survey for survey in surveys if survey.taken_on <= self.cutoff.day]
        latest = max(taken, key=lambda survey: (survey.taken_on, survey.seq), default=None)
        if latest is None or self.scope.node is None:
            return latest
        named = frozenset(filter(self.scope.has, latest.named))
        # What a survey states is of all its units; it says nothing about some of them.
        return latest if named == latest.named and not self.scope.alone else latest.of_units(named)

    def _standing(self, kind: str, fields: Iterable[SpecField], *, own: bool = False) -> Standing:
        now, then = self.span
        rows = standing(self.session, kind, list(fields), now=now, then=then, brief=own)
        if own:
            rows = self._of_scope(rows, OWNER)
        self._digest.add(rows)
        return rows

    def _owned(self, kind: str, fields: Iterable[SpecField]) -> list[Fact]:
        rows = standing(self.session, kind, list(fields), now=self.span.now, removed=True)
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
        rows = standing(self.session, kind, list(fields), now=self.span.now)
        self._digest.add(rows)
        return rows.fresh


def _parents(units: Iterable[UnitFact]) -> Parents:
    return {unit.name: unit.parent for unit in units}


def _catalogue(clouds: list[Any], zones: list[Any], flavors: list[Any]) -> Catalogue:
    return Catalogue.of(
        ((row[NAME], row[7], row[8]) for row in clouds),
        ((row[NAME], row[7]) for row in zones),
        ((row[NAME], row[7]) for row in flavors),
    )
