"""Limits that were changed by hand, kept as differences of the system that lives in the tenant."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, delete, select, update
from sqlmodel import Session, col

from govcloud.domain.drift import DriftMode
from govcloud.domain.keys import ObjectKey
from govcloud.errors import Text
from govcloud.plan.drift import Drift
from govcloud.plan.limits import FIELD
from govcloud.reconcile.ground import System
from govcloud.reconcile.record import drift_row, make_event
from govcloud.store import objects
from govcloud.store.tables import DriftRow
from govcloud.store.unit import Unit

KIND: Final = "System"
"""Whose difference it is; rules of the policy name this kind, and the field `quota`."""

Drifts = Mapping[str, Drift]
"""One tenant's differences, by field."""


class Place(NamedTuple):
    """A tenant of a cloud; `system` is None where it cannot be said who lives in it."""

    cloud: str
    tenant: str
    system: System | None = None


def said(session: Session, cloud: str) -> dict[str, dict[str, Drift]]:
    """Return what is stored, by tenant."""
    columns = (DriftRow.resource, DriftRow.field, DriftRow.wanted, DriftRow.found, DriftRow.mode)
    statement = select(*columns).where(  # type: ignore[call-overload]
        col(DriftRow.cloud) == cloud, col(DriftRow.field).startswith(FIELD)
    )
    found: dict[str, dict[str, Drift]] = {}
    for tenant, name, wanted, there, mode in session.execute(statement):
        found.setdefault(tenant, {})[name] = Drift(tenant, name, wanted, there, DriftMode(mode))
    return found


def keep(unit: Unit, place: Place, old: Drifts, new: Drifts) -> None:
    """Bring what is stored of a tenant from `old` to `new`; what is new is told as an event too."""
    for name in sorted(old.keys() - new.keys()):
        unit.session.execute(delete(DriftRow).where(*_is(place, name)))
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            now = new[name]
            changed = {"wanted": now.wanted, "found": now.found, "mode": now.mode.value}
            unit.session.execute(update(DriftRow).where(*_is(place, name)).values(changed))
    added = [new[name] for name in sorted(new.keys() - old.keys())]
    if added and place.system:
        _add(unit, place.cloud, ObjectKey(KIND, *place.system), added)


def _add(unit: Unit, cloud: str, key: ObjectKey, added: Sequence[Drift]) -> None:
    row = objects.by_keys(unit.session, [key]).get(key)
    if row is None:
        return
    of = {"cloud": cloud, "uid": row.uid, "department": row.department}
    unit.session.add_all(drift_row(drift, since=unit.now, **of) for drift in added)
    told = [drift.field for drift in added if drift.mode is not DriftMode.IGNORE]
    if told:
        text = Text("controller.drift_found", {"count": len(told), "fields": told})
        unit.session.add(make_event(row.uid, unit.now, "Warning", "Drift", text))


def _is(place: Place, name: str) -> tuple[ColumnElement[bool], ...]:
    key = (col(DriftRow.cloud) == place.cloud, col(DriftRow.resource) == place.tenant)
    return (*key, col(DriftRow.field) == name)
