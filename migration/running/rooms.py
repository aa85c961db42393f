"""Sources switched off, and rooms closed: what is recorded, and when it may be (MIG-7, MIG-8)."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from sqlmodel import Session

from govcloud.domain.access import Permission, Role
from govcloud.domain.kinds.estate import HostState, RoomState
from govcloud.domain.kinds.governance import MigrationState
from govcloud.domain.kinds.systems import Lifecycle
from govcloud.domain.manifest import ObjectKey, parse_spec
from govcloud.errors import ConflictError, ForbiddenError, NotFoundError, UsageError
from govcloud.policy.context import city_day
from govcloud.requests import moving
from govcloud.store import objects
from govcloud.store.tables import ObjectRow, UserRow
from govcloud.store.unit import Unit
from migration.running import journal

DISPOSALS: Final = ("reassigned", "scrapped", "reused", "hosted")
"""What becomes of a source: 调拨, 报废, 利旧, 托管."""
_OFF: Final = frozenset({MigrationState.SOURCE_OFF.value, MigrationState.CLOSED.value})


def evidence_of(
    given: Mapping[str, str], host: str, today: date, served: date | None
) -> dict[str, str]:
    """Return the evidence that a source is off; UsageError where it is missing or cannot be so.

    `served`: the day up to which data was read there.
    """
    missing = [name for name in ("wiped", "disposal", "asset") if not given.get(name)]
    if missing:
        raise UsageError("migrate.run_evidence_missing", fields=missing)
    if given["disposal"] not in DISPOSALS:
        known = list(DISPOSALS)
        raise UsageError("migrate.run_no_disposal", disposal=given["disposal"], known=known)
    off = given.get("off") or today.isoformat()
    if off > today.isoformat():
        raise UsageError("migrate.run_off_future", on=off)
    if served is not None and off < served.isoformat():
        raise UsageError("migrate.run_off_served", host=host, off=off, on=served)
    return {**given, "off": off}


def switch_off(
    unit: Unit, host: ObjectKey, given: Mapping[str, str], served: date | None = None
) -> dict[str, str]:
    """Record that a source is off, and return the evidence (`evidence_of`)."""
    evidence = evidence_of(given, host.name, city_day(unit.now), served)
    row = _locked(unit, host)
    spec = parse_spec(row.kind, row.spec).model_copy(
        update={"state": HostState.OFF, "off_on": date.fromisoformat(evidence["off"])}
    )
    journal.rewrite(unit, row, spec.plain(), "migration.host-off", evidence)
    return evidence


def staying(session: Session, host: ObjectKey) -> str:
    """Return the system that the register has on a host and that runs there still; "": none."""
    row = objects.by_keys(session, [host]).get(host)
    name = str(row.spec.get("system") or "") if row else ""
    system = ObjectKey("System", host.department, name)
    found = objects.by_keys(session, [system]).get(system)
    if found is None or found.spec["lifecycle"] == Lifecycle.RETIRED.value:
        return ""
    plans = objects.of_kinds(session, [moving.PLAN], subject=host.department)
    moved = {MigrationState(plan.spec["state"]) for plan in plans if plan.spec["system"] == name}
    return "" if moved & moving.ACCEPTED else name


def close(
    unit: Unit, department: str, room: str, evidence: str, confirmed_by: str
) -> dict[str, Any]:
    """Record that a room is closed; ConflictError names what still speaks against it.

    Administrators write it, with the evidence and the auditor who confirmed it.
    """
    if not unit.actor.may(Permission.APPLY):
        raise ForbiddenError("migrate.room_forbidden", role=unit.actor.role)
    row = _locked(unit, ObjectKey("ServerRoom", department, room))
    if row.spec.get("state") == RoomState.CLOSED.value:
        raise ConflictError("migrate.room_closed_already", room=room)
    auditor = unit.session.get(UserRow, confirmed_by)
    if auditor is None or auditor.role != Role.AUDITOR.value or auditor.disabled:
        raise UsageError("migrate.room_no_auditor", user=confirmed_by)
    hindering = list(_hindering(unit.session, department, room, city_day(unit.now)))
    if hindering:
        raise ConflictError(
            "migrate.room_in_use", room=room, what=hindering[:5], count=len(hindering)
        )
    spec = parse_spec(row.kind, row.spec).model_copy(
        update={
            "state": RoomState.CLOSED,
            "closed_on": city_day(unit.now),
            "evidence": evidence,
        }
    )
    detail = {"evidence": evidence, "confirmedBy": confirmed_by}
    journal.rewrite(unit, row, spec.plain(), "migration.room-closed", detail)
    return {"room": f"{department}/{room}", "state": "closed", **detail}


def _locked(unit: Unit, key: ObjectKey) -> ObjectRow:
    row = objects.by_keys(unit.session, [key], lock=True).get(key)
    if row is None:
        raise NotFoundError("requests.no_such_object", kind=key.kind, name=key.name)
    return row


def _hindering(session: Session, department: str, room: str, today: date) -> Iterator[str]:
    """Yield the hosts that still run in a room, and the systems there that have not moved.

    A host that was given back says nothing of where its system runs now: that system hinders as if
    the host still stood there, unless the host stands in the register again.
    """
    hosts = objects.of_department(session, department, ["LegacyHost"])
    for row in hosts:
        if row.spec["room"] == room and row.spec.get("state") == HostState.RUNNING.value:
            yield f"LegacyHost/{row.name}"
    standing = {row.name for row in hosts}
    gone = objects.given_back(session, department, "LegacyHost")
    specs = [row.spec for row in hosts] + [f.spec for f in gone if f.name not in standing]
    there = {str(spec["system"]) for spec in specs if spec["room"] == room and spec.get("system")}
    for system in sorted(there & _unsettled(session, department, today)):
        yield f"System/{system}"


def _unsettled(session: Session, department: str, today: date) -> set[str]:
    """Return the registered systems that should move and whose source is not off.

    Whoever is retired, or exempt today, need not move (MIG-3, MIG-8).
    """
    rows = objects.of_kinds(session, ["MigrationPlan", "Exemption"], subject=department)
    settled = {
        row.spec["system"]
        for row in rows
        if (row.spec["state"] in _OFF if row.kind == "MigrationPlan" else _holds(row.spec, today))
    }
    systems = objects.of_department(session, department, ["System"])
    live = {row.name for row in systems if row.spec["lifecycle"] != Lifecycle.RETIRED.value}
    return live - settled


def _holds(exemption: Mapping[str, Any], today: date) -> bool:
    day, decided = today.isoformat(), str(exemption.get("approvedOn") or "")
    approved = bool(decided) and decided <= day and bool(exemption.get("approvedBy"))
    return approved and exemption["validFrom"] <= day <= exemption["validUntil"]
