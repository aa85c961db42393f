"""Reading desired state: approved objects, and what their references resolve to.

Narrow columns and plain rows, because a comparison reads a hundred thousand of them; the JSON of
specs stays text until `plan.orders.read_spec`, which knows most texts already.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Text as SqlText
from sqlalchemy import cast as sql_cast
from sqlalchemy import select
from sqlmodel import Session, col

from govcloud.domain.demand import demand
from govcloud.domain.kinds.governance import DriftRule, PolicySpec
from govcloud.domain.kinds.platform import CloudSpec, FlavorSpec
from govcloud.plan.asked import read_asked
from govcloud.plan.orders import Approved, Catalogue, MissingReferenceError, make_order, read_spec
from govcloud.policy.context import PARAMETERS
from govcloud.ports.cloud import Order, Provisioner, Resource
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Store
from govcloud.store.work import chunks

_SPEC: Final = sql_cast(col(ObjectRow.spec), SqlText)
_CATALOGUE_KINDS: Final = ("Flavor", "Image", "Zone", "Policy")


class UnplannableError(Exception):
    """The driver broke over an object; the cause is its error."""


UNPLANNABLE: Final = (MissingReferenceError, UnplannableError)
"""Why it may be impossible to say what should be there; it concerns one object only."""


class Wanted(NamedTuple):
    """One approved object of a cloud, with what was last said of it."""

    uid: str
    kind: str
    department: str
    name: str
    system: str
    zone: str
    generation: int
    spec: str
    digest: str
    request_id: str
    asked: str
    phase: str
    ready: bool
    progressing: bool
    reason: str

    @property
    def approved(self) -> Approved:
        """The part that says what is to be built."""
        return Approved(*self[:11])


_COLUMNS: Final[tuple[Any, ...]] = (
    ObjectRow.uid,
    ObjectRow.kind,
    ObjectRow.department,
    ObjectRow.name,
    ObjectRow.system,
    ObjectRow.zone,
    ObjectRow.generation,
    _SPEC,
    ObjectRow.digest,
    ObjectRow.request_id,
    ObjectRow.asked,
    ObjectRow.phase,
    ObjectRow.ready,
    ObjectRow.progressing,
    ObjectRow.reason,
)


@dataclass(slots=True)
class World:
    """What objects refer to, as far as it has been read: catalogue, policy, systems.

    Machines whose lease ended before the day `stops_before` (ISO; empty: none) stand still.
    """

    catalogue: Catalogue = field(default_factory=Catalogue)
    flavors: dict[str, FlavorSpec] = field(default_factory=dict)
    rules: Sequence[DriftRule] = ()
    stops_before: str = ""
    _systems: set[tuple[str, str]] = field(default_factory=set)
    _demands: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, session: Session, today: date) -> "World":
        """Read catalogue and policy; systems follow by `add_systems`."""
        world = cls()
        policies: list[tuple[str, PolicySpec]] = []
        statement = select(ObjectRow.kind, ObjectRow.name, _SPEC)  # type: ignore[call-overload]
        for kind, name, text in session.execute(
            statement.where(col(ObjectRow.kind).in_(_CATALOGUE_KINDS))
        ):
            reading = read_spec(kind, text)
            if isinstance(reading.model, PolicySpec):
                policies.append((name, reading.model))
                continue
            world.catalogue.entries[kind, name] = reading.base
            if isinstance(reading.model, FlavorSpec):
                world.flavors[name] = reading.model
        policy = _in_force(policies, today)
        world.rules = policy.drift if policy else ()
        world.stops_before = _stops_before(policy, today)
        return world

    def lease_over(self, approved: Approved) -> str:
        """Return the last day of a lease after which an object's machines stand still, or ""."""
        if not self.stops_before:
            return ""
        end = str((read_spec(approved.kind, approved.spec).base.get("lease") or {}).get("end", ""))
        return end if end and end < self.stops_before else ""

    def add_systems(self, session: Session, objects: Iterable[Wanted]) -> None:
        """Read the systems of objects, as far as they have not been read yet."""
        missing: dict[str, set[str]] = {}
        for wanted in objects:
            if (wanted.department, wanted.system) not in self._systems:
                missing.setdefault(wanted.department, set()).add(wanted.system)
        for department, names in missing.items():
            self.add_systems_of(session, department, names)

    def add_systems_of(self, session: Session, department: str, names: set[str]) -> None:
        """Read systems of one department by their names."""
        self._systems.update((department, name) for name in names)
        for batch in chunks(sorted(names)):
            statement = select(ObjectRow.name, _SPEC).where(  # type: ignore[call-overload]
                col(ObjectRow.kind) == "System",
                col(ObjectRow.department) == department,
                col(ObjectRow.name).in_(batch),
            )
            for name, text in session.execute(statement):
                base = read_spec("System", text).base
                self.catalogue.entries["System", f"{department}/{name}"] = base

    def order(self, approved: Approved) -> Order:
        """Return the order for an object; raises MissingReferenceError."""
        return make_order(approved, self.catalogue)

    def demand(self, approved: Approved) -> dict[str, int]:
        """Return what an object counts for in the quota; raises MissingReferenceError."""
        key = (approved.kind, approved.spec)
        known = self._demands.get(key)
        if known is None:
            model = read_spec(*key).model
            try:
                known = demand(approved.kind, model, self.flavors)
            except KeyError as error:
                raise MissingReferenceError("Flavor", str(error.args[0])) from None
            self._demands[key] = known
        return known


def resources_of(
    provisioner: Provisioner, world: World, approved: Approved
) -> tuple[Resource, ...]:
    """Return what a cloud should hold for an object; raises one of UNPLANNABLE."""
    order = world.order(approved)
    try:
        resources = provisioner.resources(order)
    except Exception as error:
        raise UnplannableError(approved.uid) from error
    asked = read_asked(approved.asked)
    if world.lease_over(approved):
        asked = replace(asked, all_off=True)
    return asked.over(resources) if asked.stops else resources


def _in_force(policies: Sequence[tuple[str, PolicySpec]], today: date) -> PolicySpec | None:
    begun = [(p.effective_from, name, p) for name, p in policies if p.effective_from <= today]
    return max(begun, key=lambda entry: entry[:2])[2] if begun else None


def _stops_before(policy: PolicySpec | None, today: date) -> str:
    days = (policy.parameters if policy else PARAMETERS).get(_STOP, PARAMETERS[_STOP])
    return (today - timedelta(days=days)).isoformat() if days >= 0 else ""


_STOP: Final = "lease-stop-days"


def pages(store: Store, cloud: str, size: int) -> Iterator[list[Wanted]]:
    """Yield the approved objects of a cloud in pages, by uid; each page is read for itself."""
    last = ""
    while True:
        statement = (
            select(*_COLUMNS)
            .where(col(ObjectRow.cloud) == cloud, col(ObjectRow.uid) > last)
            .order_by(col(ObjectRow.uid))
            .limit(size)
        )
        with store.reading() as session:
            page = [_wanted(row) for row in session.execute(statement)]
        if page:
            last = page[-1].uid
            yield page
        if len(page) < size:
            return


def by_uid(session: Session, uids: Sequence[str]) -> list[Wanted]:
    """Return the approved objects with these uids that (still) exist."""
    found: list[Wanted] = []
    for batch in chunks(uids):
        statement = select(*_COLUMNS).where(col(ObjectRow.uid).in_(batch))
        found += [_wanted(row) for row in session.execute(statement)]
    return found


def with_status(session: Session, uids: Sequence[str]) -> list[tuple[Wanted, dict[str, Any]]]:
    """Return the approved objects with these uids, each with its stored status."""
    found: list[tuple[Wanted, dict[str, Any]]] = []
    for batch in chunks(uids):
        statement = select(*_COLUMNS, col(ObjectRow.status)).where(col(ObjectRow.uid).in_(batch))
        found += [(_wanted(row[:-1]), row[-1]) for row in session.execute(statement)]
    return found


def of_systems(session: Session, cloud: str, systems: set[tuple[str, str]]) -> list[Wanted]:
    """Return the approved objects of systems, `(department, name)` each, in a cloud."""
    found: list[Wanted] = []
    for department, system in sorted(systems):
        statement = select(*_COLUMNS).where(
            col(ObjectRow.department) == department,
            col(ObjectRow.system) == system,
            col(ObjectRow.cloud) == cloud,
        )
        found += [_wanted(row) for row in session.execute(statement)]
    return found


def _wanted(row: Any) -> Wanted:
    values = list(row)
    for index in (4, 5, 9):  # system, zone, request_id may be NULL
        values[index] = values[index] or ""
    return Wanted._make(values)


def clouds(session: Session) -> dict[str, tuple[int, CloudSpec]]:
    """Return all clouds: generation and spec by name."""
    statement = select(ObjectRow.name, ObjectRow.generation, _SPEC).where(  # type: ignore[call-overload]
        col(ObjectRow.kind) == "Cloud"
    )
    found: dict[str, tuple[int, CloudSpec]] = {}
    for name, generation, text in session.execute(statement):
        model = read_spec("Cloud", text).model
        assert isinstance(model, CloudSpec)
        found[name] = (generation, model)
    return found
