"""Writing what came of a batch of attempts: one transaction for statuses, quota, facts and queue.

Only for leases that are still ours, and only for the generation that was worked on: whatever
moved on meanwhile keeps its place in the queue and is looked at anew.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlmodel import Session, col

from govcloud.domain.access import CONTROLLER
from govcloud.domain.keys import GROUND
from govcloud.errors import Text
from govcloud.messages import DEFAULT_LANGUAGE, render
from govcloud.plan.conditions import GONE, Conditions, Next
from govcloud.plan.drift import Drift
from govcloud.plan.phases import Phase
from govcloud.ports.ledger import Ledger, Refusal
from govcloud.reconcile import presence
from govcloud.reconcile.desired import Wanted
from govcloud.reconcile.outcome import Outcome, Pace, follow_up
from govcloud.reconcile.settings import Settings
from govcloud.reconcile.status import Status
from govcloud.store import objects, work
from govcloud.store.tables import DriftRow, EventRow, ObjectRow
from govcloud.store.unit import Store, Unit

OnSettled = Callable[[Unit, Sequence[str]], None]
"""Called in the same transaction with the requests of which an object became ready or gone."""
OnStep = Callable[[str, str], None]
"""Called with the name of a boundary and what it is about; tests interrupt there."""

_NORMAL: Final = "Normal"
_WARNING: Final = "Warning"


@dataclass(slots=True)
class _Ledger:
    """What the batch asks of the ledger, gathered so that each is asked once."""

    allocate: list[str] = field(default_factory=list)
    renew: list[str] = field(default_factory=list)
    release: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Batch:
    """One transaction in the making."""

    unit: Unit
    pace: Pace
    settings: Settings
    ledger: _Ledger = field(default_factory=_Ledger)
    done: list[work.Done] = field(default_factory=list)
    requests: set[str] = field(default_factory=set)
    drifts: dict[str, Sequence[Drift]] = field(default_factory=dict)
    rows: dict[str, ObjectRow] = field(default_factory=dict)


class Recorder:
    """Writes outcomes for one controller."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        owner: str,
        *,
        pace: Pace,
        settings: Settings,
        on_settled: OnSettled,
        on_step: OnStep,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._owner = owner
        self._pace = pace
        self._settings = settings
        self._on_settled = on_settled
        self._on_step = on_step
        self._renewed: dict[str, tuple[str, datetime]] = {}

    def write(self, outcomes: Sequence[Outcome]) -> set[str]:
        """Write a batch; return the uids that must be written later.

        Those are objects that somebody is changing right now. An approval locks its objects in an
        order of its own, so waiting for it here could be waiting for each other.
        """
        uids = sorted({outcome.claim.uid for outcome in outcomes})
        self._on_step("before-commit", ",".join(uids))
        with self._store.unit(CONTROLLER) as unit:
            rows = _locked(unit.session, uids)
            busy = _existing(unit.session, set(uids) - rows.keys())
            batch = _Batch(unit, self._pace, self._settings, rows=rows)
            held = work.held(unit.session, self._owner, sorted(set(uids) - busy), unit.now)
            for outcome in outcomes:
                if outcome.claim.uid in held:
                    _take(batch, outcome, anew=held[outcome.claim.uid])
            self._settle(batch)
            self._on_step("in-commit", ",".join(uids))
        self._on_step("after-commit", ",".join(uids))
        return busy

    def _settle(self, batch: _Batch) -> None:
        session, now, ledger = batch.unit.session, batch.unit.now, batch.ledger
        _write_drifts(batch)
        session.flush()
        if ledger.allocate:
            self._ledger.allocate(session, ledger.allocate, now)
        if ledger.release:
            self._ledger.release(session, ledger.release, now)
        self._renew(session, ledger, now)
        work.finish(session, self._owner, batch.done)
        if batch.requests:
            self._on_settled(batch.unit, sorted(batch.requests))

    def readmit(self, keys: Sequence[str]) -> Mapping[str, Sequence[Refusal]]:
        """Charge again what has lost its reservation; return what stands against it (Q1).

        Nothing is written where nothing has lapsed, which is nearly always.
        """
        with self._store.reading() as session:
            lapsed = sorted(self._ledger.lapsed(session, keys)) if keys else []
        if not lapsed:
            return {}
        with self._store.unit(CONTROLLER) as unit:
            until = unit.now + timedelta(seconds=self._settings.reservation_s)
            return self._ledger.readmit(unit.session, lapsed, unit.now, until)

    def _renew(self, session: Session, ledger: _Ledger, now: datetime) -> None:
        """Let reservations live on while they are worked on; not at every look, but in time."""
        for key in (*ledger.allocate, *ledger.release):
            self._renewed.pop(_owner(key), None)
        early = now - timedelta(seconds=self._settings.reservation_s / 4)
        due = [key for key in ledger.renew if not self._lives(key, early)]
        if due:
            until = now + timedelta(seconds=self._settings.reservation_s)
            self._ledger.renew(session, due, until)
            self._renewed.update({_owner(key): (key, now) for key in due})

    def _lives(self, key: str, early: datetime) -> bool:
        """Whether a reservation was renewed lately."""
        known, at = self._renewed.get(_owner(key), ("", early))
        return known == key and at > early


def _locked(session: Session, uids: Sequence[str]) -> dict[str, ObjectRow]:
    """Lock and return the rows that nobody else has locked."""
    skip = session.get_bind().dialect.name != "sqlite"
    found: dict[str, ObjectRow] = {}
    for batch in work.chunks(uids):
        statement = select(ObjectRow).where(col(ObjectRow.uid).in_(batch))
        if skip:
            statement = statement.with_for_update(skip_locked=True)
        found |= {row.uid: row for row in session.execute(statement).scalars()}
    return found


def _existing(session: Session, uids: Set[str]) -> set[str]:
    found: set[str] = set()
    for batch in work.chunks(sorted(uids)):
        statement = select(ObjectRow.uid).where(col(ObjectRow.uid).in_(batch))  # type: ignore[call-overload]
        found.update(session.execute(statement).scalars())
    return found


def _take(batch: _Batch, outcome: Outcome, *, anew: bool) -> None:
    """Add one outcome to the batch; `anew`: the object was made due again meanwhile."""
    uid, now = outcome.claim.uid, batch.unit.now
    row = batch.rows.get(uid)
    if row is None:
        batch.done.append(work.Done(uid, None))
    elif anew or row.generation != outcome.generation:
        # What was worked on is no longer wanted; `finish` leaves what is fresh due.
        batch.done.append(work.Done(uid, now))
    else:
        batch.done.append(follow_up(outcome, batch.pace, now))
        if outcome.conditions is not None:
            _apply(batch, row, outcome, outcome.conditions)


def _apply(batch: _Batch, row: ObjectRow, outcome: Outcome, conditions: Conditions) -> None:
    """Write one outcome into its row, and gather what follows for ledger, facts and requests."""
    if conditions is GONE:
        _gone(batch, row)
        return
    if outcome.plan is None:
        # Nothing was seen, so nothing is known to have changed: what was ready is still so.
        conditions = replace(conditions, ready=row.ready)
    status = Status.read(row.status)
    if outcome.plan is not None:
        doubles = outcome.plan.doubles  # nobody's to us: never to be taken for what was delivered
        status = status.seen(item for item in outcome.seen.values() if item not in doubles)
        if outcome.plan.drifts or status.built:  # None is stored of what was never built.
            batch.drifts[row.uid] = outcome.plan.drifts
    if outcome.healed:
        window = timedelta(seconds=batch.settings.heal_window_s)
        status = status.healed(outcome.healed, batch.unit.now, window)
    if conditions.ready:
        status = replace(status, asked=frozenset(), remade=frozenset())
    if conditions.ready and status.built < row.generation:
        status = presence.delivered(batch.unit, row, status)
        _delivered(batch, row)
    else:
        status = presence.note(batch.unit, row, status, outcome.lacking)
    if status.built < row.generation and row.phase != Phase.RELEASING and row.kind != GROUND:
        _charge(batch, row, outcome, conditions)
    _say(batch, row, conditions, outcome)
    _store(row, conditions, status)


def _gone(batch: _Batch, row: ObjectRow) -> None:
    session, unit = batch.unit.session, batch.unit
    if row.kind != GROUND:
        unit.fact(row, phase=Phase.GONE)
        batch.ledger.release.append(row.uid)
    unit.audit(
        "object.gone",
        str(objects.key_of(row)),
        department=row.department,
        request_id=row.request_id,
        before=row.digest,
    )
    _event(batch, row.uid, _NORMAL, GONE.reason, GONE.text)
    _request(batch, row)
    forget_object(session, row)


def forget_object(session: Session, row: ObjectRow) -> None:
    """Remove an object's row and what hangs on it; facts, events and the audit log stay."""
    session.execute(delete(DriftRow).where(col(DriftRow.uid) == row.uid))
    session.delete(row)


def _delivered(batch: _Batch, row: ObjectRow) -> None:
    """Charge for good what now stands as approved, and say in the log what was built (R3, Q3)."""
    if row.kind != GROUND:
        batch.ledger.allocate.append(key_of(row))
    _request(batch, row)
    batch.unit.audit(
        "object.built",
        str(objects.key_of(row)),
        department=row.department,
        request_id=row.request_id,
        after=row.digest,
        detail={"generation": row.generation},
    )


def _charge(batch: _Batch, row: ObjectRow, outcome: Outcome, conditions: Conditions) -> None:
    """Keep the reservation alive while it is worked on; what stands when we stop is charged."""
    if conditions.next is not Next.STOP:
        batch.ledger.renew.append(key_of(row))
    elif outcome.seen:
        batch.ledger.allocate.append(key_of(row))


def key_of(of: ObjectRow | Wanted) -> str:
    """Return the ledger's key of an object's generation."""
    return f"{of.uid}@{of.generation}"


def _owner(key: str) -> str:
    """Return the uid of a key."""
    return key.partition("@")[0]


def _request(batch: _Batch, row: ObjectRow) -> None:
    if row.request_id:
        batch.requests.add(row.request_id)


def _say(batch: _Batch, row: ObjectRow, conditions: Conditions, outcome: Outcome) -> None:
    """Write an event where the reason changed, not at every look."""
    drifts = outcome.plan.drifts if outcome.plan is not None else ()
    if outcome.healed and drifts:
        fields = sorted({drift.field for drift in drifts})
        params: dict[str, object] = {"count": len(drifts), "fields": fields}
        text = Text("controller.drift_found", params)
        if others := sorted({drift.by for drift in drifts if drift.by}):
            text = Text("controller.drift_found_by", params | {"by": others})
        _event(batch, row.uid, _WARNING, "Drift", text)
    if conditions.reason != row.reason or row.observed_generation != row.generation:
        bad = not conditions.ready and (not conditions.progressing or conditions.next is Next.RETRY)
        kind = _WARNING if bad else _NORMAL
        _event(batch, row.uid, kind, conditions.reason, conditions.text)


def _event(batch: _Batch, uid: str, kind: str, reason: str, text: Text) -> None:
    batch.unit.session.add(make_event(uid, batch.unit.now, kind, reason, text))


def make_event(uid: str, at: datetime, kind: str, reason: str, text: Text) -> EventRow:
    """Return the row of an event; the sentence is stored in English, with its key."""
    return EventRow(
        uid=uid,
        at=at,
        type=kind,
        reason=reason[:64],
        message=render(text.key, DEFAULT_LANGUAGE, text.params),
        text={"key": text.key, "params": dict(text.params)},
    )


def _store(row: ObjectRow, conditions: Conditions, status: Status) -> None:
    """Write conditions and status; SQLAlchemy leaves out what is as it was."""
    row.ready = conditions.ready
    row.progressing = conditions.progressing
    row.reason = conditions.reason[:64]
    row.message = render(conditions.text.key, DEFAULT_LANGUAGE, conditions.text.params)
    row.observed_generation = row.generation
    written = status.written(conditions.text)
    if row.status != written:
        row.status = written


def _write_drifts(batch: _Batch) -> None:
    """Make the drift rows of the batch's objects what was planned from, changing no others."""
    session, now = batch.unit.session, batch.unit.now
    kept: set[tuple[str, str, str]] = set()
    for uids in work.chunks(batch.drifts):
        stored = session.execute(select(DriftRow).where(col(DriftRow.uid).in_(uids))).scalars()
        for old in stored:
            wanted = {(d.resource, d.field): d for d in batch.drifts[old.uid]}
            drift = wanted.get((old.resource, old.field))
            if drift is None:
                session.delete(old)
            else:
                kept.add((old.uid, old.resource, old.field))
                old.wanted, old.found, old.mode = drift.wanted, drift.found, drift.mode.value
    for uid, drifts in batch.drifts.items():
        row = batch.rows[uid]
        for drift in drifts:
            if (uid, drift.resource, drift.field) not in kept:
                of = {"cloud": row.cloud or "", "uid": uid, "department": row.department}
                session.add(drift_row(drift, since=now, **of))


def drift_row(drift: Drift, *, cloud: str, uid: str, department: str, since: datetime) -> DriftRow:
    """Return the row of a difference of an object."""
    return DriftRow(
        cloud=cloud,
        resource=drift.resource,
        field=drift.field,
        uid=uid,
        department=department,
        wanted=drift.wanted,
        found=drift.found,
        mode=drift.mode.value,
        since=since,
    )
