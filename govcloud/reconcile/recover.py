"""The operator's ways out, each audited: nothing hangs for ever (R8).

They write desired state's bookkeeping only. What a cloud still holds is the controller's to look
at, or, after `abandon`, a person's: it is then reported as an orphan.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from sqlmodel import select

from govcloud.errors import ConflictError, NotFoundError, Text
from govcloud.plan.conditions import HELD, held_up
from govcloud.plan.phases import Phase
from govcloud.ports.ledger import Ledger
from govcloud.reconcile.record import forget_object, make_event
from govcloud.reconcile.status import Status
from govcloud.store import objects, work
from govcloud.store.engine import lock_row
from govcloud.store.tables import ObjectRow, WorkRow
from govcloud.store.unit import Unit

PATIENCE: Final = timedelta(minutes=15)
"""A removal that no failure is known of, and that takes longer, counts as stuck: clouds too have
things that are for ever being deleted."""


def retry(unit: Unit, uid: str) -> ObjectRow:
    """Let the controller look at an object now, with failures and heals forgotten.

    For what stopped (refused for good, failed, fought over) once its cause is gone, and for what
    waits in a long backoff. Raises NotFoundError.
    """
    row = _row(unit, uid)
    status = replace(Status.read(row.status), heals={})
    again(unit, row, status, Text("controller.retried"), "object.retry")
    return row


def rebuild(unit: Unit, uid: str, reason: str) -> ObjectRow:
    """Let the controller remove what has failed of an object and build it again.

    What may hold data is never removed otherwise; whoever calls this says that it is lost or
    saved. Raises NotFoundError, and ConflictError where nothing has failed after its delivery.
    """
    row = _row(unit, uid)
    status = Status.read(row.status)
    if row.phase != Phase.ACTIVE or not status.failed:
        raise ConflictError("controller.nothing_failed", kind=row.kind, name=row.name)
    resources = tuple(
        {**resource, "delivered": False} if resource.get("state") == "failed" else resource
        for resource in status.resources
    )
    detail = {"reason": reason, "resources": [dict(one) for one in status.failed]}
    status = replace(status, resources=resources, heals={})
    again(unit, row, status, Text("controller.rebuild_asked"), "object.rebuild", detail=detail)
    return row


def confirm(unit: Unit, uid: str, reason: str) -> ObjectRow:
    """Let an object that is being given back go with all that it holds.

    Raises NotFoundError, and ConflictError for one that does not wait for this.
    """
    row = _row(unit, uid)
    if row.phase != Phase.RELEASING or row.reason not in HELD:
        raise ConflictError("controller.nothing_held", kind=row.kind, name=row.name)
    status = replace(Status.read(row.status), confirmed=row.generation)
    detail = {"reason": reason, "resources": [dict(one) for one in status.resources]}
    text = Text("controller.confirmed", {"reason": reason})
    again(unit, row, status, text, "object.confirm", detail=detail)
    return row


def force(unit: Unit, uid: str, reason: str) -> ObjectRow:
    """Let an object's removal go on whatever forbids it: a copy that fails, a state, a detachment.

    Its quota is given back when the cloud confirms that it is gone, as ever (Q3). Raises
    NotFoundError, and ConflictError for an object that is not being given back, or not stuck.
    """
    row = _row(unit, uid)
    if row.phase != Phase.RELEASING:
        raise ConflictError("controller.not_releasing", kind=row.kind, name=row.name)
    _check_stuck(unit, row)
    forced = {"by": unit.actor.name, "at": unit.now.isoformat(), "reason": reason}
    status = replace(Status.read(row.status), forced=forced)
    detail = {"reason": reason, "resources": [dict(one) for one in status.resources]}
    text = Text("controller.forced", {"by": unit.actor.name, "reason": reason})
    again(unit, row, status, text, "object.force", detail=detail, event=("Warning", "Forced"))
    return row


def abandon(unit: Unit, ledger: Ledger, uid: str, reason: str) -> ObjectRow:
    """Forget an object whose removal is stuck, or whose first building failed for good.

    The cloud has not confirmed that it is gone: its quota is free again at once, and whatever still
    stands is nobody's. Returns what it was; its request may be settled by this. Raises
    NotFoundError, and ConflictError for an object that is not stuck: what was ever ready must be
    released first, which is its department's decision.
    """
    # Rows are locked before the ledger's gate, here as in approvals and in `record`.
    row = _row(unit, uid)
    _check_stuck(unit, row)
    ledger.release(unit.session, [uid], unit.now)
    unit.fact(row, phase=Phase.GONE)
    unit.audit(
        "object.abandon",
        str(objects.key_of(row)),
        department=row.department,
        request_id=row.request_id,
        before=row.digest,
        detail={"reason": reason, "resources": list(Status.read(row.status).resources)},
    )
    text = Text("controller.abandoned", {"reason": reason})
    unit.session.add(make_event(uid, unit.now, "Warning", "Abandoned", text))
    work.forget(unit.session, [uid])
    forget_object(unit.session, row)
    return row


def _check_stuck(unit: Unit, row: ObjectRow) -> None:
    """Raise ConflictError unless nothing but a person's word will end the matter."""
    if row.phase == Phase.PENDING:
        if row.progressing or row.observed_generation < row.generation:
            raise ConflictError("controller.not_hopeless", kind=row.kind, name=row.name)
        return
    if row.phase != Phase.RELEASING:
        raise ConflictError("controller.not_releasing", kind=row.kind, name=row.name)
    if unit.now - (row.releasing_since or unit.now) >= PATIENCE:
        return
    place = unit.session.get(WorkRow, row.uid)
    failed = place is not None and place.attempts > 0
    said = str((row.status.get("text") or {}).get("key", ""))
    if not (failed or held_up(said)):
        minutes = int(PATIENCE.total_seconds() // 60)
        raise ConflictError("controller.not_stuck", kind=row.kind, name=row.name, minutes=minutes)


def _row(unit: Unit, uid: str) -> ObjectRow:
    dialect = unit.session.get_bind().dialect.name
    statement = lock_row(select(ObjectRow).where(ObjectRow.uid == uid), dialect)
    row: ObjectRow | None = unit.session.exec(statement).one_or_none()
    if row is None or row.cloud is None:
        raise NotFoundError("controller.no_object", uid=uid)
    return row


def again(
    unit: Unit,
    row: ObjectRow,
    status: Status,
    text: Text,
    action: str,
    *,
    detail: Mapping[str, Any] | None = None,
    event: tuple[str, str] = ("Normal", "Retry"),
) -> None:
    """Write what is known of a locked object, and let the controller look at it at once."""
    row.status = status.written(text)
    row.progressing = True
    unit.session.add(row)
    work.enqueue(unit.session, [(row.uid, row.cloud or "", row.generation)], unit.now)
    unit.session.add(make_event(row.uid, unit.now, *event, text))
    unit.audit(
        action,
        str(objects.key_of(row)),
        department=row.department,
        request_id=row.request_id,
        detail=detail,
    )
