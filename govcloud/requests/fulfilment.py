"""From approved to fulfilled: what is still to be built or to go, and when nothing is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlmodel import Session, col, select

from govcloud.domain.kinds.registry import KINDS
from govcloud.plan.phases import Phase
from govcloud.policy.context import Action
from govcloud.requests.changes import Change
from govcloud.requests.life import State
from govcloud.requests.references import PARENTS
from govcloud.store import objects, requests
from govcloud.store.tables import ObjectRow, RequestRow
from govcloud.store.unit import Unit
from govcloud.store.work import chunks


class Progress(NamedTuple):
    """How many of a request's changes are done, of how many."""

    ready: int
    total: int


class _Standing(NamedTuple):
    """What of an object's row says how far it is."""

    generation: int
    observed_generation: int
    ready: bool


def progress(session: Session, request: RequestRow) -> Progress:
    """Return how far a request is: nothing before it is approved, all once it is fulfilled."""
    changes = [Change.from_stored(change) for change in request.changes]
    total = len(changes)
    if request.state == State.FULFILLED:
        return Progress(total, total)
    if request.state != State.PROVISIONING:
        return Progress(0, total)
    standing = _standing(session, changes)
    return Progress(sum(_done(change, standing) for change in changes), total)


def settle(unit: Unit, request_ids: Iterable[str]) -> None:
    """Turn those requests from provisioning to fulfilled of which nothing is left to do.

    To be called in the unit in which an object of them became ready or gone. Requests whose
    objects were changed again by one of these are looked at as well.
    """
    session = unit.session
    session.flush()
    waiting, seen = set(request_ids), set[str]()
    while waiting:
        seen |= waiting
        found = requests.with_ids(session, waiting, (State.PROVISIONING.value,), lock=True)
        waiting = set()
        for row in found:
            changes = [Change.from_stored(change) for change in row.changes]
            waiting |= {c.supersedes for c in changes if c.supersedes} - seen
            _finish(unit, row, changes)


def _finish(unit: Unit, row: RequestRow, changes: Sequence[Change]) -> None:
    if close_records(unit, changes):
        return
    standing = _standing(unit.session, changes)
    if not all(_done(change, standing) for change in changes):
        return
    if requests.move(unit.session, row, {"state": State.FULFILLED.value}, unit.now):
        record(unit, row)


def record(unit: Unit, row: RequestRow) -> None:
    """Record that a request is fulfilled: how long requests take is counted from this (MET-10)."""
    unit.audit(
        "request.fulfilled",
        row.id,
        department=row.department,
        request_id=row.id,
        after=row.digest,
    )


def _standing(session: Session, changes: Iterable[Change]) -> dict[str, _Standing]:
    found: dict[str, _Standing] = {}
    for batch in chunks(sorted({change.uid for change in changes})):
        statement = select(
            ObjectRow.uid, ObjectRow.generation, ObjectRow.observed_generation, ObjectRow.ready
        ).where(col(ObjectRow.uid).in_(batch))
        for uid, generation, observed, ready in session.exec(statement):
            found[uid] = _Standing(generation, observed, ready)
    return found


def _done(change: Change, standing: Mapping[str, _Standing]) -> bool:
    """Whether a change is as it should be: given back and gone, or ready at its generation."""
    row = standing.get(change.uid)
    if row is None:
        return True
    if change.action is Action.RELEASE:
        return False
    return row.ready and row.observed_generation >= change.generation


def close_records(unit: Unit, changes: Sequence[Change]) -> bool:
    """Remove the records that are given back and that nothing stands for any more.

    A system is given back with its machines, but it is no more only when they are gone. Returns
    whether any record is still waiting for that.
    """
    records = [
        change
        for change in changes
        if change.action is Action.RELEASE and not KINDS[change.key.kind].allocates
    ]
    records.sort(key=lambda change: -KINDS[change.key.kind].rank)
    waiting = False
    for change in records:
        row = unit.session.get(ObjectRow, change.uid)
        if row is None:
            continue
        if _stands_for(unit.session, row):
            waiting = True
            continue
        unit.fact(row, phase=Phase.GONE.value)
        unit.session.delete(row)
        unit.session.flush()
    return waiting


def _stands_for(session: Session, row: ObjectRow) -> bool:
    """Whether any object still hangs on this one."""
    return any(
        found.spec.get(field) == row.name
        for kind, field in PARENTS.get(row.kind, ())
        for found in objects.of_department(session, row.department, (kind,))
    )
