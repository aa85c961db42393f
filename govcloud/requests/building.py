"""The last approval: quota is reserved and the change set becomes desired state, in one unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.machines import of_spec
from govcloud.messages import DEFAULT_LANGUAGE, render
from govcloud.plan.asked import read_asked
from govcloud.plan.phases import Phase
from govcloud.policy.context import Action
from govcloud.ports.ledger import Demand, Ledger, QuotaLine, Refusal
from govcloud.requests.changes import KEEP_VOLUMES, SNAPSHOT, WIPE_VOLUMES, Change
from govcloud.requests.fulfilment import close_records
from govcloud.requests.proposal import Proposal
from govcloud.requests.proposing import given_back
from govcloud.store import objects, work
from govcloud.store.tables import EventRow, ObjectRow, RequestRow
from govcloud.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Built:
    """What became of a change set: refused by quota, or desired state now.

    `building`: something is left for the controller to do.
    """

    granted: bool
    changes: tuple[Change, ...] = ()
    lines: tuple[QuotaLine, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    building: bool = False


def build(unit: Unit, ledger: Ledger, row: RequestRow, proposal: Proposal) -> Built:
    """Reserve quota for a proposal and write its objects; nothing is written if quota refuses.

    The caller has judged the proposal in this unit, holding what it rests on.
    """
    named = {
        str(change.key): uuid4().hex
        for change in proposal.effective
        if change.action is Action.CREATE
    }
    lines: tuple[QuotaLine, ...] = ()
    gone = given_back(proposal.effective)
    if proposal.demands or gone:
        demands = [_named(demand, named) for demand in proposal.demands]
        expires_at = unit.now + timedelta(days=proposal.reservation_days)
        verdict = ledger.reserve(unit.session, demands, unit.now, expires_at, gone=gone)
        if not verdict.granted:
            return Built(granted=False, refusals=tuple(verdict.refusals))
        lines = tuple(verdict.lines)
    writer = _Writer(unit, row.id, named, proposal.effective)
    changes = tuple(writer.write(change) for change in proposal.effective)
    unit.session.flush()
    work.enqueue(unit.session, writer.queue, unit.now)
    left = close_records(unit, changes)
    return Built(True, changes, lines, building=bool(writer.queue) or left)


def _named(demand: Demand, named: Mapping[str, str]) -> Demand:
    """Return the demand of an object under its uid, also where it got one only now."""
    uid = named.get(demand.owner)
    return replace(demand, owner=uid, key=f"{uid}@1") if uid else demand


class _Writer:
    """Writes the rows of one change set, with their facts, audit records and events."""

    def __init__(
        self, unit: Unit, request_id: str, named: Mapping[str, str], changes: Sequence[Change]
    ) -> None:
        self._unit = unit
        self._request_id = request_id
        self._named = named
        self._rows = objects.by_keys(unit.session, [change.key for change in changes], lock=True)
        zones = objects.of_kinds(unit.session, ("Zone",))
        self._clouds = {zone.name: str(zone.spec["cloud"]) for zone in zones}
        self.queue: list[tuple[str, str, int]] = []

    def write(self, change: Change) -> Change:
        """Write one change; return it with the object and generation that it became."""
        if change.action is Action.CREATE:
            row = self._create(change)
            before = None
        else:
            row = self._rows[change.key]
            before = row.request_id
            if change.action is Action.CHANGE:
                self._change(row, change)
            else:
                self._release(row, change)
        self._record(row, change)
        return change.built(row.uid, row.generation, before)

    def _create(self, change: Change) -> ObjectRow:
        now, allocates = self._unit.now, KINDS[change.key.kind].allocates
        row = ObjectRow(
            uid=self._named[str(change.key)],
            **change.key._asdict(),
            **self._contents(change),
            created_at=now,
            updated_at=now,
            phase=(Phase.PENDING if allocates else Phase.ACTIVE).value,
            generation=1,
        )
        _wait_or_stand(row, allocates=allocates)
        self._unit.session.add(row)
        return row

    def _change(self, row: ObjectRow, change: Change) -> None:
        for name, value in self._contents(change).items():
            setattr(row, name, value)
        row.generation += 1
        row.version += 1
        row.updated_at = self._unit.now
        _forget_stops(row)
        _wait_or_stand(row, allocates=KINDS[row.kind].allocates)

    def _release(self, row: ObjectRow, change: Change) -> None:
        asked = replace(
            read_asked(row.asked),
            snapshot=SNAPSHOT in change.options,
            keep_volumes=KEEP_VOLUMES in change.options,
            wipe_volumes=WIPE_VOLUMES in change.options,
        )
        row.asked = asked.text
        row.phase = Phase.RELEASING.value
        row.releasing_since = row.updated_at = self._unit.now
        row.request_id = self._request_id
        row.version += 1
        if KINDS[row.kind].allocates:
            row.progressing = True

    def _contents(self, change: Change) -> dict[str, Any]:
        metadata, spec = change.metadata, change.spec
        zone = spec.get("zone")
        return {
            "display_name": metadata.get("displayName"),
            "labels": dict(metadata.get("labels") or {}),
            "annotations": dict(metadata.get("annotations") or {}),
            "spec": dict(spec),
            "digest": change.digest,
            "system": spec.get("system"),
            "zone": zone,
            "cloud": self._clouds.get(zone) if zone else None,
            "request_id": self._request_id,
        }

    def _record(self, row: ObjectRow, change: Change) -> None:
        unit, action = self._unit, change.action
        delivered = row.phase == Phase.ACTIVE and KINDS[row.kind].allocates
        if action is not Action.CHANGE or not delivered:
            unit.fact(row)  # else what was delivered stands, until the change is delivered as well
        unit.audit(
            f"object.{action.value}",
            str(change.key),
            department=row.department,
            request_id=self._request_id,
            before=change.before_digest,
            after=None if action is Action.RELEASE else change.digest,
            detail={"uid": row.uid, "generation": row.generation}
            | ({"options": list(change.options)} if change.options else {}),
        )
        if KINDS[row.kind].allocates:
            self._announce(row, action)
            self.queue.append((row.uid, row.cloud or "", row.generation))

    def _announce(self, row: ObjectRow, action: Action) -> None:
        key, params = f"requests.event_{action.value}", {"request": self._request_id}
        self._unit.session.add(
            EventRow(
                uid=row.uid,
                at=self._unit.now,
                type="Normal",
                reason="Approved",
                message=render(key, DEFAULT_LANGUAGE, params),
                text={"key": key, "params": params},
            )
        )


def _forget_stops(row: ObjectRow) -> None:
    """Forget that machines were to stand still that are no longer wanted at all."""
    asked = read_asked(row.asked)
    if asked.off:
        row.asked = replace(asked, off=asked.off & set(of_spec(row.spec))).text


def _wait_or_stand(row: ObjectRow, *, allocates: bool) -> None:
    """Set the conditions of a new generation: it waits for the controller, or simply stands."""
    if allocates:
        row.progressing = True
    else:
        row.ready, row.progressing, row.reason = True, False, "Recorded"
        row.observed_generation = row.generation
