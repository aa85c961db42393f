"""What to do about one object: `plan(wanted, observed, …) -> Plan`.

Pure and level-based: the plan follows from what should be and what is, never from how it came
about, so that after any interruption the same call says how to go on. The actions of one plan are
independent of each other and may run at the same time; what depends on them is in the next plan.

Ranks order across plans: a resource is created when all of lower rank are ready, and removed when
all of higher rank that are to go are gone. A mark stands for at most one resource, so a creation
is planned only where nothing carries the mark, and a replacement begins with the removal (R1).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum
from typing import Final

from govcloud.domain.drift import DriftMode
from govcloud.plan.asked import OFF, POWER
from govcloud.plan.drift import Drift, ModeOf, Whole
from govcloud.ports import Observed, Resource, State, Value


class Verb(IntEnum):
    """What an action does; in the order in which actions are begun."""

    DELETE = 0
    CHANGE = 1
    CREATE = 2
    LEAVE = 3


class Reason(Enum):
    """Why an action is taken."""

    APPROVED = "approved"
    HEAL = "heal"
    RELEASE = "release"
    REPLACE = "replace"
    SURPLUS = "surplus"
    DUPLICATE = "duplicate"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Action:
    """One call to the cloud: create `wanted`, change `fields` of `observed`, delete or leave it.

    What is left loses its mark and nothing else: it is nobody's then. With `copy`, a resource is
    deleted only once there is a copy of it under that name. With `force`, it is deleted although
    its state forbids it.
    """

    verb: Verb
    reason: Reason
    part: str
    rank: int
    wanted: Resource | None = None
    observed: Observed | None = None
    fields: tuple[str, ...] = ()
    copy: str = ""
    force: bool = False

    @property
    def order(self) -> tuple[int, int, str, str]:
        """The one order of actions: removals falling in rank, then the others rising."""
        rank = -self.rank if self.verb is Verb.DELETE else self.rank
        return (self.verb, rank, self.part, self.observed.id if self.observed else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, what to wait for, and what is merely to be said.

    `ready`: all that is wanted stands as wanted, but for differences that are only reported.
    `faults`: what failed and is not removed by itself because someone may have data in it.
    `conflicts`: what carries the mark but is not what was built under it. `held`: what is to be
    given back and holds something (`Observed.info["holds"]`) that nobody has said may go with it.
    `unwiped`: what is to be overwritten and stands where the cloud does not do that.
    """

    actions: tuple[Action, ...] = ()
    waiting: tuple[Observed, ...] = ()
    blocked: tuple[Resource, ...] = ()
    drifts: tuple[Drift, ...] = ()
    faults: tuple[Observed, ...] = ()
    conflicts: tuple[Observed, ...] = ()
    held: tuple[Observed, ...] = ()
    unwiped: tuple[Observed, ...] = ()
    ready: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """The marks of what was built once and is not there."""
        return tuple(drift.resource for drift in self.drifts if drift.field == Whole.MISSING)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return not (self.actions or self.waiting or self.blocked)


@dataclass(slots=True)
class _Draft:
    """A plan in the making."""

    actions: list[Action] = field(default_factory=list)
    waiting: list[Observed] = field(default_factory=list)
    blocked: list[Resource] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    faults: list[Observed] = field(default_factory=list)
    conflicts: list[Observed] = field(default_factory=list)

    def plan(self, *, ready: bool) -> Plan:
        return Plan(
            actions=tuple(sorted(self.actions, key=lambda action: action.order)),
            waiting=tuple(self.waiting),
            blocked=tuple(self.blocked),
            drifts=tuple(self.drifts),
            faults=tuple(self.faults),
            conflicts=tuple(self.conflicts),
            ready=ready,
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """What the plan depends on beside the two states.

    `approved`: the approved generation has not been built yet, so differences are its changes and
    not drift. `known`: the ids that were recorded of it, preferred where a mark is there twice.
    `delivered`: those of them that were ready once, so that someone may have data in them.
    `confirmed`: somebody said that what is held may go. `asked` are the fields in which something
    was asked for beside the spec and has not come about yet: there, a difference is no drift.
    `remade` are the ids of what is well and is to be built anew all the same.
    Of a release: `copies` is how the names of last copies begin, empty where none are wanted;
    `keep_data`, that what holds data stays; `wipes`, the storage classes that the cloud overwrites,
    where volumes are to be wiped; `forced`, that nothing is waited for any more.
    """

    mode: ModeOf
    approved: bool = False
    releasing: bool = False
    known: frozenset[str] = frozenset()
    delivered: frozenset[str] = frozenset()
    confirmed: bool = False
    asked: frozenset[str] = frozenset()
    remade: frozenset[str] = frozenset()
    copies: str = ""
    keep_data: bool = False
    wipes: frozenset[str] | None = None
    forced: bool = False


def plan(wanted: Sequence[Resource], observed: Iterable[Observed], situation: Situation) -> Plan:
    """Return what to do about one object.

    `observed` holds whatever carries the object's mark; what carries no mark is refused with an
    assertion, because nothing of it may be touched (R2).
    """
    seen = list(observed)
    assert all(item.uid for item in seen), "an unmarked resource must never reach a plan"
    draft = _Draft()
    ranks = _Ranks(wanted)
    if situation.releasing:
        if not (situation.confirmed or situation.forced):
            held = tuple(item for item in seen if _holds(item))
            unwiped = tuple(item for item in seen if _stays_readable(item, situation.wipes))
            if held or unwiped:
                return Plan(held=held, unwiped=unwiped)
        _release(draft, seen, _Leaving(wanted, ranks, situation))
        return draft.plan(ready=False)
    kept, doubles = _sort_out(seen, situation.known)
    _remove_each(draft, doubles, ranks, Reason.DUPLICATE)
    standing = _compare(draft, wanted, kept, situation)
    _in_turn(draft, ranks)
    _surplus(
        draft, [item for part, item in kept.items() if part not in ranks.parts], ranks, situation
    )
    return draft.plan(ready=standing and not draft.waiting and not draft.actions)


class _Ranks:
    """The rank of what is observed: its part's, else its type's, else above all."""

    TOP: Final = 1_000_000

    def __init__(self, wanted: Sequence[Resource]) -> None:
        self.parts: Mapping[str, int] = {resource.part: resource.rank for resource in wanted}
        self.carriers = {resource.part: resource.within for resource in wanted if resource.within}
        self._types: dict[str, int] = {}
        for resource in wanted:
            known = self._types.get(resource.type, resource.rank)
            self._types[resource.type] = max(known, resource.rank)

    def of(self, item: Observed) -> int:
        return self.parts.get(item.part, self._types.get(item.type, self.TOP))


_PREFERENCE: Final = {
    State.READY: 0,
    State.CHANGING: 1,
    State.BUILDING: 2,
    State.FAILED: 3,
    State.DELETING: 4,
}


def _sort_out(
    seen: Sequence[Observed], known: frozenset[str]
) -> tuple[dict[str, Observed], list[Observed]]:
    """Return the one resource to keep for each mark, and the others."""

    def preference(item: Observed) -> tuple[bool, bool, int, str]:
        broken = item.state in (State.FAILED, State.DELETING)
        return (broken, item.id not in known, _PREFERENCE[item.state], item.id)

    kept: dict[str, Observed] = {}
    doubles: list[Observed] = []
    for item in sorted(seen, key=preference):
        if item.part in kept:
            doubles.append(item)
        else:
            kept[item.part] = item
    return kept, doubles


def _compare(
    draft: _Draft,
    wanted: Sequence[Resource],
    kept: Mapping[str, Observed],
    situation: Situation,
) -> bool:
    """Plan for each wanted resource, rank by rank; return whether all of them stand."""
    standing = True
    lower_standing, rank = True, None
    for resource in sorted(wanted, key=lambda r: (r.rank, r.part)):
        if resource.rank != rank:
            rank, lower_standing = resource.rank, standing
        item = kept.get(resource.part)
        if item is None:
            stands = _absent(draft, resource, situation, may_create=lower_standing)
        else:
            stands = _present(draft, resource, item, situation)
        standing = standing and stands
    return standing


def _in_turn(draft: _Draft, ranks: _Ranks) -> None:
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


def _absent(draft: _Draft, resource: Resource, situation: Situation, *, may_create: bool) -> bool:
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


def _present(draft: _Draft, resource: Resource, item: Observed, situation: Situation) -> bool:
    """Plan for a wanted resource that is there; return whether it stands."""
    if item.type != resource.type or item.tenant != resource.tenant:
        draft.conflicts.append(item)
        return False
    if item.id in situation.remade and item.state in (State.READY, State.FAILED):
        draft.actions.append(_delete(item, resource.rank, Reason.REPLACE))
        return False
    if item.state is State.FAILED:
        return _failed(draft, resource, item, situation)
    if item.state is not State.READY:
        draft.waiting.append(item)
        return False
    fields = differences(resource, item)
    return not fields or _differing(draft, resource, item, fields, situation)


def _failed(draft: _Draft, resource: Resource, item: Observed, situation: Situation) -> bool:
    """Plan for what failed; it never stands.

    What was handed over may hold data: it is changed if a change is due, and else left to a
    person (`reconcile.recover`). What was never ready is removed, to be built again.
    """
    if item.id not in situation.delivered and not resource.adopts:
        draft.actions.append(_delete(item, resource.rank, Reason.FAILED))
        return False
    fields = differences(resource, item)
    planned = len(draft.actions)
    if fields and not resource.immutable.intersection(fields):
        _differing(draft, resource, item, fields, situation)
    if len(draft.actions) == planned:
        draft.faults.append(item)
    return False


def differences(resource: Resource, item: Observed) -> tuple[str, ...]:
    """Return the fields in which an observed resource differs from the wanted one.

    Only what is wanted is compared: what a cloud shows beyond it is its own affair.
    """
    fields = [name for name, value in resource.props.items() if item.props.get(name) != value]
    fields += [
        f"tag:{name}" for name, value in resource.tags.items() if item.tags.get(name) != value
    ]
    return tuple(sorted(fields))


def _differing(
    draft: _Draft,
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
            draft.actions.append(_delete(item, resource.rank, Reason.REPLACE))
        else:
            draft.actions.append(_change(resource, item, fields, Reason.APPROVED))
        return False
    asked = [name for name in fields if name in situation.asked and name not in resource.immutable]
    if asked:
        draft.actions.append(_change(resource, item, tuple(asked), Reason.APPROVED))
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
        draft.drifts.append(_drift(resource, item, name, mode))
    if healed:
        draft.actions.append(_change(resource, item, tuple(healed), Reason.HEAL))
    return not healed


def _drift(resource: Resource, item: Observed, name: str, mode: DriftMode) -> Drift:
    by = str(item.info.get("managed_by") or "")
    if name.startswith("tag:"):
        tag = name.removeprefix("tag:")
        return Drift(item.id, name, resource.tags.get(tag), item.tags.get(tag), mode, by)
    wanted, found = _shown(resource.props.get(name)), _shown(item.props.get(name))
    return Drift(item.id, name, wanted, found, mode, by)


def _shown(value: Value) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _change(resource: Resource, item: Observed, fields: tuple[str, ...], reason: Reason) -> Action:
    return Action(
        Verb.CHANGE,
        reason,
        resource.part,
        resource.rank,
        wanted=resource,
        observed=item,
        fields=fields,
    )


def _delete(item: Observed, rank: int, reason: Reason) -> Action:
    return Action(Verb.DELETE, reason, item.part, rank, observed=item)


def _surplus(draft: _Draft, extra: Sequence[Observed], ranks: _Ranks, situation: Situation) -> None:
    """Plan for parts that carry the mark and are not wanted, such as machines beyond the count."""
    if situation.approved:
        _remove(draft, extra, ranks, Reason.SURPLUS)
        return
    mode = situation.mode(Whole.EXTRA)
    if mode is DriftMode.IGNORE:
        return
    staying = [item for item in extra if item.state is not State.DELETING]
    draft.drifts += [Drift(item.id, Whole.EXTRA, None, item.type, mode) for item in staying]
    if mode is DriftMode.HEAL:
        _remove(draft, extra, ranks, Reason.SURPLUS)


def _holds(item: Observed) -> bool:
    return bool(item.info.get("holds")) and item.state is not State.DELETING


def _stays_readable(item: Observed, wipes: frozenset[str] | None) -> bool:
    """Whether volumes are to be wiped and this one is where the cloud does not do that."""
    if wipes is None or item.state is State.DELETING:
        return False
    return not wipes.issuperset(str(item.info.get("storage") or "").split())


@dataclass(frozen=True, slots=True)
class _Leaving:
    """How an object is given back."""

    wanted: Sequence[Resource]
    ranks: _Ranks
    situation: Situation

    @property
    def kept(self) -> set[str]:
        """The parts that stay, for what is on them."""
        return {r.part for r in self.wanted if r.data} if self.situation.keep_data else set()

    @property
    def stopped(self) -> Mapping[str, Resource]:
        """The parts that have to stand still before a copy of them is whole: machines."""
        if not self.situation.copies or self.situation.forced:
            return {}
        return {r.part: r for r in self.wanted if r.unit is not None and POWER in r.props}


def _release(draft: _Draft, seen: Sequence[Observed], leaving: _Leaving) -> None:
    """Plan for giving everything back; what goes along with something else is waited for.

    A machine of which a copy is wanted is stopped before, so that the copy is whole.
    """
    there = {item.part for item in seen}
    staying = [item for item in seen if item.part in leaving.kept]
    stopped = leaving.stopped
    seen = [item for item in seen if item not in staying]
    if not seen:
        _leave(draft, staying, leaving.ranks)
    carried = [item for item in seen if leaving.ranks.carriers.get(item.part) in there]
    going = [item for item in seen if item not in carried]
    running = [item for item in going if item.part in stopped and _runs(item)]
    for item in running:
        resource = stopped[item.part]
        still = replace(resource, props={**resource.props, POWER: OFF})
        draft.actions.append(_change(still, item, (POWER,), Reason.RELEASE))
    if running:
        draft.waiting += [item for item in seen if item not in running]
        return
    _remove(draft, going, leaving.ranks, Reason.RELEASE, force=leaving.situation.forced)
    if leaving.situation.copies and not leaving.situation.forced:
        draft.actions = [
            replace(action, copy=f"{leaving.situation.copies}-{action.part}")
            if action.verb is Verb.DELETE
            else action
            for action in draft.actions
        ]
    draft.waiting += carried


def _leave(draft: _Draft, staying: Sequence[Observed], ranks: _Ranks) -> None:
    """Plan for what stays when all else is gone: it becomes nobody's, so that it can be adopted."""
    for item in staying:
        if item.state in (State.READY, State.FAILED):
            action = Action(Verb.LEAVE, Reason.RELEASE, item.part, ranks.of(item), observed=item)
            draft.actions.append(action)
        else:
            draft.waiting.append(item)


def _runs(item: Observed) -> bool:
    return item.state is State.READY and item.props.get(POWER) not in (None, OFF)


def _remove(
    draft: _Draft,
    items: Sequence[Observed],
    ranks: _Ranks,
    reason: Reason,
    *,
    force: bool = False,
) -> None:
    """Plan the removal of `items`: the highest rank that is still there, the others later."""
    if not items:
        return
    top = max(ranks.of(item) for item in items)
    highest = [item for item in items if ranks.of(item) == top]
    _remove_each(draft, highest, ranks, reason, force=force)
    draft.waiting += [item for item in items if ranks.of(item) != top]


def _remove_each(
    draft: _Draft,
    items: Sequence[Observed],
    ranks: _Ranks,
    reason: Reason,
    *,
    force: bool = False,
) -> None:
    for item in items:
        if item.state is State.DELETING and not force:
            draft.waiting.append(item)
        else:
            draft.actions.append(replace(_delete(item, ranks.of(item), reason), force=force))
