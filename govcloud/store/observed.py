"""What the controller saw, for people to read: differences and the state of each cloud.

Scoped to who asks (P1): a department sees the differences of its own objects; what is nobody's is
shown to those who see all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_
from sqlmodel import Session, col, select

from govcloud.domain.access import Actor
from govcloud.store.objects import sees_all
from govcloud.store.tables import CloudRow, DriftRow, ObjectRow


@dataclass(frozen=True, slots=True)
class Drifted:
    """One difference, and what the object is called; `kind` is empty for what is nobody's."""

    row: DriftRow
    kind: str = ""
    name: str = ""


def list_drift(
    session: Session, actor: Actor, *, department: str | None = None, cloud: str | None = None
) -> list[Drifted]:
    """Return the differences that last, by cloud and resource."""
    statement = select(DriftRow, ObjectRow).join(
        ObjectRow,
        and_(col(ObjectRow.uid) == col(DriftRow.uid), col(DriftRow.uid) != ""),
        isouter=True,
    )
    if not sees_all(actor):
        # By the object's department, not by what is noted with the difference: an object that is
        # gone is not this department's any more, and an empty department matches nothing.
        statement = statement.where(
            col(ObjectRow.department) == actor.department, col(ObjectRow.department) != ""
        )
    if department is not None:
        statement = statement.where(col(DriftRow.department) == department)
    if cloud is not None:
        statement = statement.where(col(DriftRow.cloud) == cloud)
    ordered = statement.order_by(col(DriftRow.cloud), col(DriftRow.resource), col(DriftRow.field))
    return [
        Drifted(row, item.kind, item.name) if item else Drifted(row)
        for row, item in session.exec(ordered)
    ]


def cloud_states(session: Session) -> Sequence[CloudRow]:
    """Return what the controller knows of each cloud that it has looked at."""
    return session.exec(select(CloudRow).order_by(CloudRow.cloud)).all()
