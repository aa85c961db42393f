"""The record behind a figure: one fact by its number, and what wrote it (F2).

A fact says what an object was, from when until when. It was written together with its audit
records, at one instant, and names the request that it comes from.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session, col, select

from govcloud.domain.access import Actor, Permission, Role
from govcloud.errors import NotFoundError
from govcloud.figures.tree import below
from govcloud.reports.reading import NAME
from govcloud.store.audit import recorded_at
from govcloud.store.facts import SpecField, standing
from govcloud.store.objects import SUBJECT, sees_all
from govcloud.store.tables import AuditRow, FactRow
from govcloud.store.unit import Store

MOST: Final = 2**62
"""More than any number of a fact: all of them."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """A fact with the one before and the one after it of the same object, and its audit records."""

    fact: FactRow
    before: FactRow | None
    after: FactRow | None
    audit: tuple[AuditRow, ...]

    def plain(self) -> dict[str, Any]:
        """Return the JSON-ready form, in no language."""
        fact = self.fact
        return {
            "fact": fact.seq,
            "kind": fact.kind,
            "department": fact.department or None,
            "name": fact.name,
            "displayName": fact.display_name,
            "uid": fact.uid,
            "from": fact.recorded_at.isoformat(),
            "until": self.after.recorded_at.isoformat() if self.after else None,
            "factBefore": self.before.seq if self.before else None,
            "factAfter": self.after.seq if self.after else None,
            "phase": fact.phase,
            "generation": fact.generation,
            "requestId": fact.request_id,
            "spec": fact.spec,
            "changes": list(_changes(self.before, fact)),
            "audit": [_audit(row) for row in self.audit],
        }


def provenance(store: Store, actor: Actor, seq: int) -> Provenance:
    """Return a fact by its number; NotFoundError for none, or none that the actor may see.

    Audit records are for those who may read the audit log.
    """
    with store.reading() as session:
        fact = session.get(FactRow, seq)
        if fact is None or not _visible(session, actor, fact):
            raise NotFoundError("errors.fact_unknown", number=seq)
        same = select(FactRow).where(FactRow.uid == fact.uid)
        number = col(FactRow.seq)
        return Provenance(
            fact,
            session.exec(same.where(number < seq).order_by(number.desc()).limit(1)).first(),
            session.exec(same.where(number > seq).order_by(number).limit(1)).first(),
            tuple(_audit_of(session, fact)) if actor.may(Permission.AUDIT) else (),
        )


def _visible(session: Session, actor: Actor, fact: FactRow) -> bool:
    if sees_all(actor):
        return True
    owner = fact.department
    if fact.kind in SUBJECT:
        owner = str(fact.spec.get("department", ""))
    elif fact.kind == "Department":
        owner = fact.name
    if not owner or not actor.department or not actor.may(Permission.READ_OWN):
        return False
    if actor.role is Role.APPLICANT:
        return owner == actor.department
    return owner in below(_parents(session), actor.department)


def _parents(session: Session) -> dict[str, str | None]:
    parent = SpecField(("parent",))
    tree = standing(session, "Department", (parent,), now=MOST)
    return {row[NAME]: row[-1] for row in tree.fresh}


def _audit_of(session: Session, fact: FactRow) -> Iterator[AuditRow]:
    """Yield how the fact's request was decided, and what was recorded of the object with it."""
    together = recorded_at(session, fact.recorded_at)
    if fact.request_id is not None:
        yield from session.exec(
            select(AuditRow)
            .where(
                AuditRow.department == fact.department,
                AuditRow.request_id == fact.request_id,
                AuditRow.target == fact.request_id,
                AuditRow.at <= fact.recorded_at,
            )
            .order_by(col(AuditRow.seq))
        )
    for row in together:
        if row.target.replace("/", " ").split()[-1:] == [fact.name]:
            yield row


def _changes(before: FactRow | None, fact: FactRow) -> Iterator[dict[str, Any]]:
    if before is None:
        return
    old, new = _fields(before), _fields(fact)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield {"field": name, "before": old.get(name), "after": new.get(name)}


def _fields(fact: FactRow) -> Mapping[str, Any]:
    shown = {"phase": fact.phase, "displayName": fact.display_name, "department": fact.department}
    return shown | {f"spec.{name}": value for name, value in fact.spec.items()}


def _audit(row: AuditRow) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "at": row.at.isoformat(),
        "actor": row.actor,
        "role": row.role,
        "action": row.action,
        "target": row.target,
        "requestId": row.request_id,
        "outcome": row.outcome,
        "hash": row.hash,
    }
