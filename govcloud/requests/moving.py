"""Migration plans that run: their state is the journal's to write, and what is cut over stays."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from sqlmodel import Session

from govcloud.domain.kinds.estate import HostState, LegacyHostSpec, RoomState, ServerRoomSpec
from govcloud.domain.kinds.governance import MigrationPlanSpec, MigrationState
from govcloud.domain.kinds.moving import Move
from govcloud.domain.manifest import ObjectKey, parse_spec
from govcloud.errors import Diagnostic
from govcloud.requests.drafts import Draft
from govcloud.requests.wishes import Wish
from govcloud.store import moves, objects
from govcloud.store.tables import ObjectRow

PLAN: Final = "MigrationPlan"
_WRITTEN: Final = ("state", "accepted_on")
"""Fields that the journal writes."""
_ENDED: Final = ("state", "off_on", "closed_on", "evidence")
"""Fields that say that a host is off or a room closed, since when, and by what record."""
_BOUND: Final = ("department", "system", "wave")
_HOSTS: Final = ("LegacyHost", "VirtualMachine")
ACCEPTED: Final = frozenset(
    {MigrationState.ACCEPTED, MigrationState.SOURCE_OFF, MigrationState.CLOSED}
)
"""States from the acceptance on: no way leads back any more."""


def hold(session: Session, keys: Iterable[ObjectKey]) -> None:
    """Keep plans from the journal until the unit ends: both write the whole of a plan anew."""
    objects.by_keys(session, [key for key in keys if key.kind == PLAN], lock=True)


def kept(session: Session, draft: Draft, rows: Mapping[ObjectKey, ObjectRow]) -> Draft:
    """Return a draft with what the journal has written, where its file leaves that out."""
    row, spec = rows.get(draft.key), draft.spec
    if row is None or not isinstance(spec, MigrationPlanSpec):
        return draft
    absent = _absent(draft, _WRITTEN)
    if not absent or not moves.running(session, row.uid):
        return draft
    return _completed(draft, row, absent)


def lasting(draft: Draft, rows: Mapping[ObjectKey, ObjectRow]) -> Draft:
    """Return a draft with what is recorded of a host that is off or a room that is closed.

    As far as its file leaves that out: it may be older than the record, and `running` or `open`
    because nothing else is said would bring back what was ended with evidence.
    """
    row, spec = rows.get(draft.key), draft.spec
    if row is None or not isinstance(spec, LegacyHostSpec | ServerRoomSpec):
        return draft
    absent = _absent(draft, _ENDED)
    if "state" not in absent and spec.state.value != row.spec.get("state"):
        return draft
    return _completed(draft, row, absent)


def _absent(draft: Draft, names: Iterable[str]) -> list[str]:
    """Return those of a spec's fields that its file leaves out."""
    known, said = type(draft.spec).model_fields, draft.spec.model_fields_set
    return [name for name in names if name in known and name not in said]


def _completed(draft: Draft, row: ObjectRow, names: Iterable[str]) -> Draft:
    """Return a draft with what is recorded in these fields."""
    known = parse_spec(row.kind, row.spec)
    recorded = {name: getattr(known, name) for name in names}
    return replace(draft, spec=draft.spec.model_copy(update=recorded))


def faults(session: Session, draft: Draft, row: ObjectRow) -> Iterator[Diagnostic]:
    """Yield a fault for each field of a plan that runs and is not a person's to change now."""
    if not isinstance(draft.spec, MigrationPlanSpec) or not moves.running(session, row.uid):
        return
    known = parse_spec(row.kind, row.spec)
    assert isinstance(known, MigrationPlanSpec)
    bound: tuple[str, ...] = (*_WRITTEN, *_BOUND)
    if draft.spec.move is None or moves.cut(session, row.uid):
        bound = (*bound, "move")
    for name in bound:
        if getattr(draft.spec, name) != getattr(known, name):
            field = MigrationPlanSpec.model_fields[name].alias or name
            params = {"field": field, "object": str(draft.key)}
            yield draft.fault("requests.plan_field_runs", f"spec.{field}", **params)
    if "move" not in bound and known.move is not None and draft.spec.move is not None:
        yield from _begun(session, draft, row, known.move, draft.spec.move)


def _begun(
    session: Session, draft: Draft, row: ObjectRow, before: Move, after: Move
) -> Iterator[Diagnostic]:
    """Yield a fault for each part that was begun and would be another: nobody could undo it."""
    known, wanted = _parts(before), _parts(after)
    for part in sorted(moves.begun(session, row.uid) & known.keys()):
        if wanted.get(part) != known[part]:
            params = {"part": part, "object": str(draft.key)}
            yield draft.fault("requests.plan_part_begun", "spec.move", **params)


def _parts(move: Move) -> dict[str, tuple[str, ...]]:
    """Return what is played where, by the names under which the journal has it."""
    parts: dict[str, tuple[str, ...]] = {
        one.name: (one.role, one.source, one.target) for one in move.workloads
    }
    alone = {"configure": move.configure, "switch": move.switch, **move.hooks}
    for name, tasks in alone.items():
        parts |= {f"{name}.{n}": (one.role, one.on) for n, one in enumerate(tasks, start=1)}
    return parts


def needed(
    session: Session, wish: Wish, rows: Mapping[ObjectKey, ObjectRow]
) -> Iterator[Diagnostic]:
    """Yield a fault for each host that a running migration needs and that would be no more.

    A source is needed until it is off, which only `migrate source-off` says, with its evidence; a
    target until the migration is accepted, and from then on it is a machine like any other.
    """
    leaving = {key: str(key) for key in wish.releases if key.kind in _HOSTS}
    leaving |= {
        draft.key: "spec.state"
        for draft in wish.drafts
        if isinstance(draft.spec, LegacyHostSpec) and draft.spec.state is not HostState.RUNNING
    }
    leaving = {key: field for key, field in leaving.items() if key in rows and _runs(rows[key])}
    if not leaving:
        return
    for _, spec, move in live(session, wish.department):
        used = {ObjectKey("LegacyHost", wish.department, one.host) for one in move.sources}
        if spec.state not in ACCEPTED:
            targets = move.targets
            used |= {ObjectKey("VirtualMachine", wish.department, one.machine) for one in targets}
        for key in sorted(used & leaving.keys()):
            params = {"object": str(key), "system": spec.system}
            yield Diagnostic("requests.host_moves", params, field=leaving[key])


def closing(wish: Wish, rows: Mapping[ObjectKey, ObjectRow]) -> Iterator[Diagnostic]:
    """Yield a fault for each open room that a request says is closed.

    Only `migrate close-room` says so: it looks at hosts and systems, and has an auditor's word
    (MIG-8). A room that is registered as closed already was closed before.
    """
    for draft in wish.drafts:
        row = rows.get(draft.key)
        if row is None or not isinstance(draft.spec, ServerRoomSpec):
            continue
        if draft.spec.state is RoomState.CLOSED and row.spec.get("state") != RoomState.CLOSED.value:
            params = {"room": f"{draft.key.department}/{draft.key.name}"}
            yield draft.fault("requests.room_closes", "spec.state", **params)


def live(session: Session, department: str) -> Iterator[tuple[str, MigrationPlanSpec, Move]]:
    """Yield the uid, plan and move of each migration of a department that runs."""
    plans = objects.of_kinds(session, [PLAN], subject=department)
    running = moves.of_plans(session, (plan.uid for plan in plans))
    for plan in plans:
        spec, row = parse_spec(plan.kind, plan.spec), running.get(plan.uid)
        if row is None or not row.live or not isinstance(spec, MigrationPlanSpec) or not spec.move:
            continue
        yield plan.uid, spec, spec.move


def _runs(row: ObjectRow) -> bool:
    return row.spec.get("state") not in (HostState.OFF.value, HostState.DISPOSED.value)
