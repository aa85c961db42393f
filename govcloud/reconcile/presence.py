"""Facts of what was delivered: from when to when how much of it really stood in the cloud.

Figures count facts. So a fact is written when a generation is delivered, and not when it is
approved; when something of it is found to be missing; and when it is there again. It has the spec
as delivered, with `count` lowered to the machines that stand, or phase "missing" where none does.
"""

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from sqlmodel import Session, col, select

from govcloud.domain.keys import GROUND
from govcloud.plan.phases import Phase
from govcloud.reconcile.status import Status
from govcloud.store.tables import FactRow, ObjectRow
from govcloud.store.unit import Unit


def delivered(unit: Unit, row: ObjectRow, status: Status) -> Status:
    """Record that the row's generation stands as approved, all of it."""
    row.phase = Phase.ACTIVE
    if row.kind != GROUND:
        unit.fact(row)
    return replace(status, built=row.generation, absent=0)


def note(unit: Unit, row: ObjectRow, status: Status, lacking: Set[int] | None) -> Status:
    """Record how much stands of what was delivered, if that has changed.

    `lacking` are the units that are not there; of a larger generation that is under way, those
    beyond the delivered ones were never there and do not matter.
    """
    if (
        row.kind == GROUND
        or lacking is None
        or row.phase != Phase.ACTIVE
        or not (lacking or status.absent)
    ):
        return status
    former = _as_delivered(unit.session, row, status.built)
    units = int(former["spec"].get("count", 1))
    absent = sum(number < units for number in lacking)
    if absent == status.absent:
        return status
    if absent >= units:
        unit.fact(row, phase=Phase.MISSING, **former)
    else:
        unit.fact(row, **former | {"spec": _fewer(former["spec"], units - absent)})
    return replace(status, absent=absent)


def _as_delivered(session: Session, row: ObjectRow, built: int) -> dict[str, Any]:
    """Return what the fact of the last delivery said, which a change may be about to replace."""
    if built == row.generation:
        return {"generation": row.generation, "spec": row.spec, "request_id": row.request_id}
    statement = (
        select(FactRow)
        .where(FactRow.uid == row.uid, FactRow.generation == built, FactRow.phase == Phase.ACTIVE)
        .order_by(col(FactRow.seq))
        .limit(1)
    )
    fact = session.exec(statement).one()
    return {"generation": fact.generation, "spec": fact.spec, "request_id": fact.request_id}


def _fewer(spec: Mapping[str, Any], count: int) -> dict[str, Any]:
    return {**spec, "count": count} if "count" in spec else dict(spec)
