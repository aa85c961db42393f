"""How rows look as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from govcloud.domain import classes
from govcloud.domain.access import Actor
from govcloud.domain.base import API_VERSION
from govcloud.domain.keys import ObjectKey
from govcloud.messages import remedy, render
from govcloud.store.objects import sees_all
from govcloud.store.observed import Drifted, Watched
from govcloud.store.tables import AuditRow, EventRow, ObjectRow


def instant(value: datetime | None) -> str | None:
    """Return an instant in ISO 8601, UTC."""
    return value.isoformat() if value else None


def object_(row: ObjectRow, actor: Actor, tongue: str) -> dict[str, Any]:
    """Return an object as its YAML, with what the program says of it."""
    return {
        "apiVersion": API_VERSION,
        "kind": row.kind,
        "metadata": {
            "name": row.name,
            "department": row.department or None,
            "displayName": row.display_name,
            "labels": row.labels,
            "annotations": row.annotations,
            "uid": row.uid,
            "generation": row.generation,
            "version": row.version,
            "createdAt": instant(row.created_at),
            "requestId": row.request_id,
            "releasingSince": instant(row.releasing_since),
        },
        "spec": _spec(row, actor),
        "status": {
            "phase": row.phase,
            "ready": row.ready,
            "progressing": row.progressing,
            "reason": row.reason,
            "message": sentence(row.status.get("text"), tongue) or row.message,
            "remedy": _remedy(row, tongue),
            "observedGeneration": row.observed_generation,
            "resources": row.status.get("resources", []),
            "cloud": row.cloud,
        }
        | ({"forced": row.status["forced"]} if row.status.get("forced") else {})
        | _stopped(row),
    }


def _stopped(row: ObjectRow) -> dict[str, Any]:
    """Return which machines stand still by wish, if any do: `all` holds for later ones too."""
    if not row.asked:
        return {}
    from govcloud.plan.asked import read_asked  # with it come the ports, which a list needs not

    asked = read_asked(row.asked)
    if not asked.stops:
        return {}
    return {"stopped": {"all": asked.all_off, "machines": sorted(asked.off)}}


def _remedy(row: ObjectRow, tongue: str) -> str | None:
    """Return what to do about what is said of an object; it names the object as commands do."""
    text = row.status.get("text") or {}
    place = "/".join(part for part in (row.department, row.kind, row.name) if part)
    return remedy(str(text.get("key", "")), tongue, {**(text.get("params") or {}), "object": place})


def _spec(row: ObjectRow, actor: Actor) -> dict[str, Any]:
    # Where a cloud is and which credentials open it is no business of those it is rented to.
    if row.kind == "Cloud" and not sees_all(actor):
        return {name: value for name, value in row.spec.items() if name != "connection"}
    return row.spec


def event(row: EventRow, of: ObjectKey | None, tongue: str) -> dict[str, Any]:
    """Return an event, its sentence in the reader's language."""
    return {
        "at": instant(row.at),
        "type": row.type,
        "reason": row.reason,
        "message": sentence(row.text, tongue) or row.message,
        "object": f"{of.kind}/{of.name}" if of else None,
        "department": of.department or None if of else None,
        "uid": row.uid,
    }


def drift(found: Drifted) -> dict[str, Any]:
    """Return a difference; `object` is None for what is nobody's."""
    row = found.row
    return {
        "cloud": row.cloud,
        "department": row.department or None,
        "object": f"{found.kind}/{found.name}" if found.kind else None,
        "kind": found.kind or None,
        "name": found.name or None,
        "uid": row.uid or None,
        "resource": row.resource,
        "field": row.field,
        "wanted": row.wanted,
        "found": row.found,
        "mode": row.mode,
        "since": instant(row.since),
    }


def watched(found: Watched, actor: Actor, tongue: str) -> dict[str, Any]:
    """Return how a cloud is watched; why it could not be read is for those who see all."""
    error = found.error if sees_all(actor) else None
    return {
        "cloud": found.cloud,
        "sight": found.sight.value,
        "lookedAt": instant(found.observed_at),
        "error": render(error.key, tongue, error.params) if error else None,
        "brakedAt": instant(found.braked_at),
        "lost": found.lost,
    }


def audit(row: AuditRow) -> dict[str, Any]:
    """Return a record of the audit chain."""
    return {
        "seq": row.seq,
        "at": instant(row.at),
        "actor": row.actor,
        "role": row.role,
        "department": row.department or None,
        "action": row.action,
        "target": row.target,
        "requestId": row.request_id,
        "before": row.before,
        "after": row.after,
        "outcome": row.outcome,
        "detail": row.detail,
        "hash": row.hash,
    }


def sentence(text: Mapping[str, Any] | None, tongue: str) -> str | None:
    """Return a stored sentence (`{"key", "params"}`) in the reader's language, if there is one."""
    if not text or "key" not in text:
        return None
    return render(str(text["key"]), tongue, text.get("params") or {})


def amounts(word: str, numbers: Mapping[str, int | None], tongue: str) -> dict[str, Any]:
    """Return amounts of a class as numbers, and in `show` as users write them."""
    base, _, storage_class = word.partition(".")
    label = render(f"quota.class.{base}", tongue, {"storage_class": storage_class})
    shown = {
        name: None if amount is None else classes.show(word, amount)
        for name, amount in numbers.items()
    }
    return {"class": word, "label": label, **numbers, "show": shown}
