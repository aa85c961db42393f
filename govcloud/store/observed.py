"""What the controller saw, for people to read: differences, and how well each cloud is watched.

Scoped to who asks (P1): a department sees the differences of its own objects; what is nobody's is
shown to those who see all.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import and_, func, or_
from sqlmodel import Session, col, select

from govcloud.domain.access import Actor
from govcloud.domain.drift import DriftMode
from govcloud.errors import Text
from govcloud.store import clouds
from govcloud.store.objects import of_kinds, sees_all, visible
from govcloud.store.tables import CloudRow, DriftRow, ObjectRow

LATE_FACTOR: Final = 3
"""Resync periods without a look at a cloud after which its controller counts as gone."""


class Sight(StrEnum):
    """How well a cloud is watched; only of what is current can be said that nothing drifted."""

    CURRENT = "current"
    LATE = "late"
    UNREADABLE = "unreadable"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Watched:
    """A cloud, and when it was last looked at; `error` says why it could not be.

    `braked_at` is since when nothing is healed there because `lost` objects were missing at once.
    """

    cloud: str
    sight: Sight
    observed_at: datetime | None = None
    error: Text | None = None
    braked_at: datetime | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Drifted:
    """One difference, and what the object is called; `kind` is empty for what is nobody's."""

    row: DriftRow
    kind: str = ""
    name: str = ""


def list_drift(
    session: Session, actor: Actor, *, department: str | None = None, cloud: str | None = None
) -> list[Drifted]:
    """Return the differences that last, by cloud and resource; not what is ignored."""
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
    statement = statement.where(col(DriftRow.mode) != DriftMode.IGNORE.value)
    if department is not None:
        statement = statement.where(col(DriftRow.department) == department)
    if cloud is not None:
        statement = statement.where(col(DriftRow.cloud) == cloud)
    ordered = statement.order_by(col(DriftRow.cloud), col(DriftRow.resource), col(DriftRow.field))
    return [
        Drifted(row, item.kind, item.name) if item else Drifted(row)
        for row, item in session.exec(ordered)
    ]


def list_nobodys(session: Session, cloud: str | None = None) -> list[DriftRow]:
    """Return what is nobody's, of all clouds or of one; for those who see all."""
    statement = select(DriftRow).where(col(DriftRow.uid) == "")
    if cloud is not None:
        statement = statement.where(col(DriftRow.cloud) == cloud)
    ordered = statement.order_by(col(DriftRow.cloud), col(DriftRow.found), col(DriftRow.resource))
    return list(session.exec(ordered))


def watched(session: Session, now: datetime, cloud: str | None = None) -> list[Watched]:
    """Return all clouds, or the one of that name, as they are watched, by name."""
    states = {row.cloud: row for row in session.exec(select(CloudRow))}
    return [
        _watched(row, states.get(row.name), now)
        for row in of_kinds(session, ["Cloud"])
        if cloud in (None, row.name)
    ]


def _watched(row: ObjectRow, state: CloudRow | None, now: datetime) -> Watched:
    if state is None:
        return Watched(row.name, Sight.NEVER)
    from govcloud.domain.kinds.platform import CloudSpec
    from govcloud.domain.manifest import parse_spec

    spec = parse_spec("Cloud", row.spec)
    assert isinstance(spec, CloudSpec)
    if state.error:
        sight = Sight.UNREADABLE
    elif state.observed_at is None:
        sight = Sight.NEVER
    else:
        age = (now - state.observed_at).total_seconds()
        sight = Sight.LATE if age > LATE_FACTOR * spec.limits.resync_seconds else Sight.CURRENT
    error = clouds.error_of(state)
    return Watched(row.name, sight, state.observed_at, error, state.braked_at, state.lost)


def unsettled(
    session: Session, actor: Actor, *, department: str | None = None, cloud: str | None = None
) -> int:
    """Count the objects that the actor may see and that are not as approved, or on the way."""
    statement = (
        select(func.count())
        .select_from(ObjectRow)
        .where(
            col(ObjectRow.cloud).is_not(None),
            or_(col(ObjectRow.progressing), col(ObjectRow.ready).is_(False)),
            visible(actor),
        )
    )
    if department is not None:
        statement = statement.where(col(ObjectRow.department) == department)
    if cloud is not None:
        statement = statement.where(col(ObjectRow.cloud) == cloud)
    return session.exec(statement).one()
