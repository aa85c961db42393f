"""Limits that were changed by hand, kept as differences of the system that lives in the tenant."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, delete, select, update
from sqlmodel import Session, col

from govcloud.domain.drift import DriftMode
from govcloud.errors import Text
from govcloud.plan.drift import Drift
from govcloud.plan.limits import FIELD
from govcloud.reconcile.record import make_event
from govcloud.store.tables import DriftRow, ObjectRow
from govcloud.store.unit import Unit

KIND: Final = "System"
"""Whose difference it is; rules of the policy name this kind, and the field `quota`."""

System = tuple[str, str]
"""Department and name."""


class Place(NamedTuple):
    """A tenant of a cloud; `system` is None where it cannot be said who lives in it."""

    cloud: str
    tenant: str
    system: System | None = None


class Line(NamedTuple):
    """A difference as it is stored or would be."""

    wanted: str | None
    found: str | None
    mode: str


Lines = Mapping[str, Line]
"""By field."""


def lines_of(drifts: Sequence[Drift]) -> dict[str, Line]:
    """Return the lines of one tenant's differences."""
    return {drift.field: Line(drift.wanted, drift.found, drift.mode.value) for drift in drifts}


def said(session: Session, cloud: str) -> dict[str, dict[str, Line]]:
    """Return what is stored, by tenant."""
    columns = (DriftRow.resource, DriftRow.field, DriftRow.wanted, DriftRow.found, DriftRow.mode)
    statement = select(*columns).where(  # type: ignore[call-overload]
        col(DriftRow.cloud) == cloud, col(DriftRow.field).startswith(FIELD)
    )
    lines: dict[str, dict[str, Line]] = {}
    for tenant, name, *rest in session.execute(statement):
        lines.setdefault(tenant, {})[name] = Line(*rest)
    return lines


def keep(unit: Unit, place: Place, old: Lines, new: Lines) -> None:
    """Bring what is stored of a tenant from `old` to `new`; what is new is told as an event too."""
    for name in sorted(old.keys() - new.keys()):
        unit.session.execute(delete(DriftRow).where(*_is(place, name)))
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            changed = new[name]._asdict()
            unit.session.execute(update(DriftRow).where(*_is(place, name)).values(**changed))
    added = {name: new[name] for name in sorted(new.keys() - old.keys())}
    uid = _uid(unit.session, place.system) if added and place.system else ""
    if uid:
        unit.session.add_all(_row(unit, place, uid, name, line) for name, line in added.items())
        _tell(unit, uid, [n for n, line in added.items() if line.mode != DriftMode.IGNORE.value])


def _row(unit: Unit, place: Place, uid: str, name: str, line: Line) -> DriftRow:
    return DriftRow(
        cloud=place.cloud,
        resource=place.tenant,
        field=name,
        uid=uid,
        department=place.system[0] if place.system else "",
        wanted=line.wanted,
        found=line.found,
        mode=line.mode,
        since=unit.now,
    )


def _tell(unit: Unit, uid: str, fields: Sequence[str]) -> None:
    if fields:
        text = Text("controller.drift_found", {"count": len(fields), "fields": fields})
        unit.session.add(make_event(uid, unit.now, "Warning", "Drift", text))


def _is(place: Place, name: str) -> tuple[ColumnElement[bool], ...]:
    key = (col(DriftRow.cloud) == place.cloud, col(DriftRow.resource) == place.tenant)
    return (*key, col(DriftRow.field) == name)


def _uid(session: Session, system: System) -> str:
    department, name = system
    statement = select(ObjectRow.uid).where(  # type: ignore[call-overload]
        col(ObjectRow.kind) == KIND,
        col(ObjectRow.department) == department,
        col(ObjectRow.name) == name,
    )
    return str(session.execute(statement).scalar_one_or_none() or "")
