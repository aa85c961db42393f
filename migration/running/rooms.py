"""Sources switched off, and rooms closed: what is recorded, and when it may be (MIG-7, MIG-8)."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from sqlmodel import Session

from govcloud.domain.access import Permission, Role
from govcloud.domain.kinds.estate import HostState, RoomState
from govcloud.domain.kinds.governance import MigrationState
from govcloud.domain.manifest import ObjectKey, parse_spec
from govcloud.errors import ConflictError, ForbiddenError, NotFoundError, UsageError
from govcloud.policy.context import city_day
from govcloud.store import objects
from govcloud.store.tables import ObjectRow, UserRow
from govcloud.store.unit import Unit
from migration.running import journal

DISPOSALS: Final = ("reassigned", "scrapped", "reused", "hosted")
"""What becomes of a source: 调拨, 报废, 利旧, 托管."""
_OFF: Final = frozenset({MigrationState.SOURCE_OFF.value, MigrationState.CLOSED.value})


def evidence_of(given: Mapping[str, str], today: date) -> dict[str, str]:
    """Return the evidence that a source is off; UsageError where some of it is missing."""
    missing = [name for name in ("wiped", "disposal", "asset") if not given.get(name)]
    if missing:
        raise UsageError("migrate.run_evidence_missing", fields=missing)
    if given["disposal"] not in DISPOSALS:
        known = list(DISPOSALS)
        raise UsageError("migrate.run_no_disposal", disposal=given["disposal"], known=known)
    off = given.get("off") or today.isoformat()
    if off > today.isoformat():
        raise UsageError("migrate.run_off_future", on=off)
    return {**given, "off": off}


def switch_off(unit: Unit, department: str, host: str, given: Mapping[str, str]) -> dict[str, str]:
    """Record that a source is off, and return the evidence."""
    evidence = evidence_of(given, city_day(unit.now))
    row = _locked(unit, ObjectKey("LegacyHost", department, host))
    spec = parse_spec(row.kind, row.spec).model_copy(
        update={"state": HostState.OFF, "off_on": date.fromisoformat(evidence["off"])}
    )
    journal.rewrite(unit, row, spec.plain(), "migration.host-off", evidence)
    return evidence


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
    """Yield the hosts that still run in a room, and the systems there that have not moved."""
    there = [
        row
        for row in objects.of_department(session, department, ["LegacyHost"])
        if row.spec["room"] == room
    ]
    for row in there:
        if row.spec.get("state") == HostState.RUNNING.value:
            yield f"LegacyHost/{row.name}"
    settled = _settled(session, department, today)
    for system in sorted({str(row.spec["system"]) for row in there if row.spec.get("system")}):
        if system not in settled:
            yield f"System/{system}"


def _settled(session: Session, department: str, today: date) -> set[str]:
    """Return the systems whose source is off, and those that need not move today."""
    rows = objects.of_kinds(session, ["MigrationPlan", "Exemption"], subject=department)
    return {
        row.spec["system"]
        for row in rows
        if (row.spec["state"] in _OFF if row.kind == "MigrationPlan" else _holds(row.spec, today))
    }


def _holds(exemption: Mapping[str, Any], today: date) -> bool:
    approved = exemption.get("approvedOn") and exemption.get("approvedBy")
    return bool(approved) and exemption["validFrom"] <= today.isoformat() <= exemption["validUntil"]
