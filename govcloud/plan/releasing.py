"""What to do about an object that is given back: in which order it goes, and what of it stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from govcloud.plan.asked import OFF, POWER
from govcloud.plan.doubles import sort_out
from govcloud.plan.model import Action, Draft, Plan, Reason, Situation, Verb, change
from govcloud.plan.removing import Ranks, remove
from govcloud.ports.cloud import Observed, Resource, State


def plan_release(
    wanted: Sequence[Resource], seen: Sequence[Observed], situation: Situation
) -> Plan:
    """Return what to do next; nothing, where what would go with it was not confirmed.

    First of all, what may hold data and only carries the mark of something else is left.
    """
    staying = sort_out(seen, situation).staying
    seen = [item for item in seen if item not in staying]
    if not (situation.confirmed or situation.forced):
        held = tuple(item for item in seen if holds(item))
        unwiped = tuple(item for item in seen if _stays_readable(item, situation.wipes))
        if held or unwiped:
            return Plan(held=held, unwiped=unwiped, doubles=tuple(staying))
    draft, leaving = Draft(doubles=staying), _Leaving(wanted, Ranks(wanted), situation)
    if staying:
        _leave(draft, staying, leaving.ranks)
        draft.waiting += seen
    else:
        _release(draft, seen, leaving)
    return draft.plan(ready=False)


def holds(item: Observed) -> bool:
    """Whether something stays unless told to go, and is known to hold what would go with it."""
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
    ranks: Ranks
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


def _release(draft: Draft, seen: Sequence[Observed], leaving: _Leaving) -> None:
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
        draft.actions.append(change(still, item, (POWER,), Reason.RELEASE))
    if running:
        draft.waiting += [item for item in seen if item not in running]
        return
    remove(draft, going, leaving.ranks, Reason.RELEASE, force=leaving.situation.forced)
    if leaving.situation.copies and not leaving.situation.forced:
        draft.actions = [
            replace(action, copy=f"{leaving.situation.copies}-{action.part}")
            if action.verb is Verb.DELETE
            else action
            for action in draft.actions
        ]
    draft.waiting += carried


def _leave(draft: Draft, staying: Sequence[Observed], ranks: Ranks) -> None:
    """Plan for what stays when all else is gone: it becomes nobody's, so that it can be adopted."""
    for item in staying:
        if item.state in (State.READY, State.FAILED):
            action = Action(Verb.LEAVE, Reason.RELEASE, item.part, ranks.of(item), observed=item)
            draft.actions.append(action)
        else:
            draft.waiting.append(item)


def _runs(item: Observed) -> bool:
    return item.state is State.READY and item.props.get(POWER) not in (None, OFF)
