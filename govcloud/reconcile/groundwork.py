"""Ground: what the objects of a system share in a cloud, wanted for as long as one stands on it.

A project or a network has no document of its own. Its row follows from the objects: it is made
before the first of them is built, changed when what it follows from changes, and given back when
the last of them is gone. In between it is an object like any other: leased, reconciled, compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from govcloud.domain.access import CONTROLLER
from govcloud.domain.keys import GROUND
from govcloud.plan.conditions import ground_stopped, preparing
from govcloud.plan.orders import ground_spec
from govcloud.plan.phases import Phase
from govcloud.policy.context import city_day
from govcloud.ports.cloud import Order, Provisioner
from govcloud.reconcile import desired
from govcloud.reconcile.attempt import Attempt
from govcloud.reconcile.desired import UNPLANNABLE, World
from govcloud.reconcile.ground import Survey, System, digest_of_ground, ground_of
from govcloud.store import work
from govcloud.store.engine import lock_row
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Store, Unit

_NAME_MOST: Final = 52
"""Characters of an order's name in the name of its row."""


class Groundwork:
    """The ground of one cloud."""

    def __init__(self, cloud: str, provisioner: Provisioner, store: Store) -> None:
        self._cloud = cloud
        self._provisioner = provisioner
        self._store = store

    # --- Before objects are built ---

    def prepare(self, attempts: Sequence[Attempt], world: World) -> None:
        """See that there is ground for what is to be built; what has to wait for it says so."""
        needs = {attempt.claim.uid: self._needed(attempt, world) for attempt in attempts}
        orders = {order.uid: order for found in needs.values() for order in found}
        if not orders:
            return
        fresh = {
            order.uid
            for attempt in attempts
            if attempt.claim.fresh
            for order in needs[attempt.claim.uid]
        }
        try:
            with self._store.unit(CONTROLLER) as unit:
                rows = self._locked(unit, sorted(orders))
                for uid in sorted(orders):
                    self._follow(unit, rows, orders[uid], retry=uid in fresh)
                for attempt in attempts:
                    _wait_for(attempt, [rows[order.uid] for order in needs[attempt.claim.uid]])
        except IntegrityError:
            # Another controller makes the same ground at this moment; the next look finds it.
            for attempt in attempts:
                names = [order.name for order in needs[attempt.claim.uid]]
                attempt.conditions = preparing(names) if names else None

    def _needed(self, attempt: Attempt, world: World) -> Sequence[Order]:
        if attempt.releasing or attempt.conditions is not None:
            return ()
        try:
            return ground_of(self._provisioner, world, attempt.wanted)
        except UNPLANNABLE:
            return ()

    @staticmethod
    def _locked(unit: Unit, uids: Sequence[str]) -> dict[str, ObjectRow]:
        """Lock and return rows: whether they are given back is decided under the same lock."""
        dialect = unit.session.get_bind().dialect.name
        statement = select(ObjectRow).where(col(ObjectRow.uid).in_(uids)).order_by(ObjectRow.uid)
        found = unit.session.execute(lock_row(statement, dialect)).scalars()
        return {row.uid: row for row in found}

    def follow(self, survey: Survey) -> None:
        """Bring the rows of ground to what a survey of all objects says."""
        if survey.otherwise:
            # Where another controller makes the same ground at this moment, the next look finds it.
            with suppress(IntegrityError), self._store.unit(CONTROLLER) as unit:
                rows = self._locked(unit, sorted(survey.otherwise))
                for uid in sorted(survey.otherwise):
                    self._follow(unit, rows, survey.otherwise[uid], retry=False)
        self.give_back(survey.unused)

    def _follow(self, unit: Unit, rows: dict[str, ObjectRow], order: Order, *, retry: bool) -> None:
        """Let the row of ground be what its order says, and wanted."""
        row, spec = rows.get(order.uid), ground_spec(order)
        digest = digest_of_ground(order)
        if row is None:
            row = rows[order.uid] = self._new(unit, order)
        elif row.digest != digest or row.phase == Phase.RELEASING:
            row.generation += 1
            row.phase = Phase.ACTIVE if row.status.get("built") else Phase.PENDING
            row.releasing_since = None
        elif not retry or row.ready or row.progressing:
            return
        row.spec, row.digest, row.progressing = spec, digest, True
        row.updated_at = unit.now
        unit.session.add(row)
        unit.session.flush()
        work.enqueue(unit.session, [(row.uid, self._cloud, row.generation)], unit.now)

    def _new(self, unit: Unit, order: Order) -> ObjectRow:
        return ObjectRow(
            uid=order.uid,
            kind=GROUND,
            department=order.department,
            name=f"{order.name[:_NAME_MOST]}-{order.uid[-8:]}",
            display_name=f"{order.kind} {order.name}",
            spec={},
            digest="",
            system=order.system,
            cloud=self._cloud,
            created_at=unit.now,
            updated_at=unit.now,
            phase=Phase.PENDING,
        )

    # --- When objects are gone ---

    def give_back(self, systems: Iterable[System]) -> int:
        """Give back the ground of these systems that nothing stands on; return how much that is."""
        given = 0
        for department, system in sorted(set(systems)):
            with self._store.unit(CONTROLLER) as unit:
                given += self._give_back(unit, department, system)
        return given

    def _give_back(self, unit: Unit, department: str, system: str) -> int:
        mine = (
            col(ObjectRow.kind) == GROUND,
            col(ObjectRow.cloud) == self._cloud,
            col(ObjectRow.department) == department,
            col(ObjectRow.system) == system,
            col(ObjectRow.phase) != Phase.RELEASING,
        )
        uids = list(unit.session.execute(select(ObjectRow.uid).where(*mine)).scalars())  # type: ignore[call-overload]
        if not uids:
            return 0
        rows = self._locked(unit, uids)
        used = self._stood_on(unit.session, department, system)
        if used is None:
            return 0
        unused = [row for uid, row in sorted(rows.items()) if uid not in used]
        for row in unused:
            row.phase, row.releasing_since, row.progressing = Phase.RELEASING, unit.now, True
            row.generation += 1
            unit.session.add(row)
            unit.session.flush()
            work.enqueue(unit.session, [(row.uid, self._cloud, row.generation)], unit.now)
        return len(unused)

    def _stood_on(self, session: Session, department: str, system: str) -> set[str] | None:
        """Return the uids of ground that a system's objects stand on; None if that is not known."""
        objects = desired.of_systems(session, self._cloud, {(department, system)})
        world = World.read(session, city_day(self._store.clock.now()))
        world.add_systems(session, objects)
        try:
            return {
                order.uid
                for wanted in objects
                for order in ground_of(self._provisioner, world, wanted)
            }
        except UNPLANNABLE:
            return None


def _wait_for(attempt: Attempt, below: Sequence[ObjectRow]) -> None:
    """Let an object wait until all that it stands on is ready."""
    missing = [row for row in below if not _stands(row)]
    stopped = next((row for row in missing if not row.progressing), None)
    if stopped is not None:
        attempt.conditions = ground_stopped(
            stopped.display_name or stopped.name, stopped.reason, _said(stopped.status)
        )
    elif missing:
        attempt.conditions = preparing([row.display_name or row.name for row in missing])


def _stands(row: ObjectRow) -> bool:
    """Whether ground was built as it is wanted now; drift of it holds up nobody."""
    return row.phase == Phase.ACTIVE and bool(row.status.get("built") == row.generation)


def _said(status: Mapping[str, object]) -> str:
    text = status.get("text")
    params = text.get("params") if isinstance(text, Mapping) else None
    return str(params.get("detail", "")) if isinstance(params, Mapping) else ""
