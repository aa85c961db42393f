"""What to do about one object: `plan(wanted, observed, …) -> Plan`.

Pure and level-based: the plan follows from what should be and what is, never from how it came
about, so that after any interruption the same call says how to go on. The actions of one plan are
independent of each other and may run at the same time; what depends on them is in the next plan.

Ranks order across plans: a resource is created when all of lower rank are ready, and removed when
all of higher rank that are to go are gone. A mark stands for at most one resource, so a creation
is planned only where nothing carries the mark, and a replacement begins with the removal (R1).
"""

from collections.abc import Iterable, Mapping, Sequence

from govcloud.domain.drift import DriftMode
from govcloud.plan.differences import differences, drift
from govcloud.plan.doubles import sort_out
from govcloud.plan.drift import Drift, Whole
from govcloud.plan.model import Action, Draft, Plan, Reason, Situation, Verb, change, delete
from govcloud.plan.releasing import plan_release
from govcloud.plan.removing import Ranks, remove, remove_each
from govcloud.ports.cloud import Observed, Resource, State


def plan(wanted: Sequence[Resource], observed: Iterable[Observed], situation: Situation) -> Plan:
    """Return what to do about one object.

    `observed` holds whatever carries the object's mark; what carries no mark is refused with an
    assertion, because nothing of it may be touched (R2).
    """
    seen = list(observed)
    assert all(item.uid for item in seen), "an unmarked resource must never reach a plan"
    if situation.releasing:
        return plan_release(wanted, seen, situation)
    draft, ranks = Draft(), Ranks(wanted)
    found = sort_out(seen, situation)
    kept, draft.doubles = found.kept, found.staying
    draft.drifts += found.drifts
    remove_each(draft, found.spare, ranks, Reason.DUPLICATE)
    standing = _compare(draft, wanted, kept, situation)
    _in_turn(draft, ranks)
    _surplus(
        draft, [item for part, item in kept.items() if part not in ranks.parts], ranks, situation
    )
    return draft.plan(ready=standing and not draft.waiting and not draft.actions)


def _compare(
    draft: Draft,
    wanted: Sequence[Resource],
    kept: Mapping[str, Observed],
    situation: Situation,
) -> bool:
    """Plan for each wanted resource, rank by rank; return whether all of them stand."""
    standing = bearing = True
    lower_bearing, rank = True, None
    for resource in sorted(wanted, key=lambda r: (r.rank, r.part)):
        if resource.rank != rank:
            rank, lower_bearing = resource.rank, bearing
        item = kept.get(resource.part)
        if item is None:
            stands = _absent(draft, resource, situation, may_create=lower_bearing)
        else:
            stands = _present(draft, resource, item, situation)
        standing = standing and stands
        bearing = bearing and (stands or _bears(resource, item, situation))
    return standing


def _bears(resource: Resource, item: Observed | None, situation: Situation) -> bool:
    """Whether what is of higher rank need not wait for what does not stand as it should.

    It is there, and what differs may not be to be had: a limit is never set below what is in use.
    """
    if resource.awaited or item is None or item.state is not State.READY:
        return False
    there = (item.type, item.tenant) == (resource.type, resource.tenant)
    return there and item.id not in situation.remade and not resource.immutable


def _in_turn(draft: Draft, ranks: Ranks) -> None:
    """Let what is replaced wait for what hangs on it to be gone: a disk for its server."""
    replaced = [action for action in draft.actions if action.reason is Reason.REPLACE]
    going = [action.observed for action in replaced if action.observed is not None]
    going += [item for item in draft.waiting if item.state is State.DELETING]
    for action in replaced:
        item = action.observed
        assert item is not None
        if any(ranks.of(o) > action.rank and o.type != item.type for o in going):
            draft.actions.remove(action)
            draft.waiting.append(item)


def _absent(draft: Draft, resource: Resource, situation: Situation, *, may_create: bool) -> bool:
    """Plan for a wanted resource that is not there; it never stands.

    That something is missing is said whatever the mode: the mode is about what is done.
    """
    reason = Reason.APPROVED
    if not situation.approved and Whole.MISSING not in situation.asked:
        mode = situation.mode(Whole.MISSING)
        mark = f"{resource.uid}/{resource.part}"
        draft.drifts.append(Drift(mark, Whole.MISSING, resource.type, None, mode))
        if mode is not DriftMode.HEAL:
            return False
        reason = Reason.HEAL
    if may_create:
        action = Action(Verb.CREATE, reason, resource.part, resource.rank, wanted=resource)
        draft.actions.append(action)
    else:
        draft.blocked.append(resource)
    return False


def _present(draft: Draft, resource: Resource, item: Observed, situation: Situation) -> bool:
    """Plan for a wanted resource that is there; return whether it stands."""
    if item.type != resource.type or item.tenant != resource.tenant:
        draft.conflicts.append(item)
        return False
    if item.id in situation.remade and item.state in (State.READY, State.FAILED):
        draft.actions.append(delete(item, resource.rank, Reason.REPLACE))
        return False
    if item.state is State.FAILED:
        return _failed(draft, resource, item, situation)
    if item.state is not State.READY:
        draft.waiting.append(item)
        return False
    fields = differences(resource, item)
    return not fields or _differing(draft, resource, item, fields, situation)


def _failed(draft: Draft, resource: Resource, item: Observed, situation: Situation) -> bool:
    """Plan for what failed; it never stands.

    What was handed over may hold data: it is changed if a change is due, and else left to a
    person (`reconcile.recover`). What was never ready is removed, to be built again.
    """
    if item.id not in situation.delivered and not resource.adopts:
        draft.actions.append(delete(item, resource.rank, Reason.FAILED))
        return False
    fields = differences(resource, item)
    planned = len(draft.actions)
    if fields and not resource.immutable.intersection(fields):
        _differing(draft, resource, item, fields, situation)
    if len(draft.actions) == planned:
        draft.faults.append(item)
    return False


def _differing(
    draft: Draft,
    resource: Resource,
    item: Observed,
    fields: tuple[str, ...],
    situation: Situation,
) -> bool:
    """Plan for differences of a ready resource; return whether it stands nevertheless."""
    if situation.approved:
        if resource.immutable.intersection(fields):
            if resource.adopts:
                draft.conflicts.append(item)  # what was taken over is never replaced
                return False
            draft.actions.append(delete(item, resource.rank, Reason.REPLACE))
        else:
            draft.actions.append(change(resource, item, fields, Reason.APPROVED))
        return False
    asked = [name for name in fields if name in situation.asked and name not in resource.immutable]
    if asked:
        draft.actions.append(change(resource, item, tuple(asked), Reason.APPROVED))
        return False
    healed = []
    for name in fields:
        mode = situation.mode(name)
        if mode is DriftMode.IGNORE:
            continue
        if name in resource.immutable:
            mode = DriftMode.REPORT  # healing would mean replacing, and never destroys
        if mode is DriftMode.HEAL:
            healed.append(name)
        draft.drifts.append(drift(resource, item, name, mode))
    if healed:
        draft.actions.append(change(resource, item, tuple(healed), Reason.HEAL))
    return not healed


def _surplus(draft: Draft, extra: Sequence[Observed], ranks: Ranks, situation: Situation) -> None:
    """Plan for parts that carry the mark and are not wanted, such as machines beyond the count."""
    if situation.approved:
        remove(draft, extra, ranks, Reason.SURPLUS)
        return
    mode = situation.mode(Whole.EXTRA)
    if mode is DriftMode.IGNORE:
        return
    staying = [item for item in extra if item.state is not State.DELETING]
    draft.drifts += [Drift(item.id, Whole.EXTRA, None, item.type, mode) for item in staying]
    if mode is DriftMode.HEAL:
        remove(draft, extra, ranks, Reason.SURPLUS)
