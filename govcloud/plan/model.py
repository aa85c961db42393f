"""What a plan consists of, and the situation that it depends on."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum

from govcloud.plan.drift import Drift, ModeOf, Whole
from govcloud.ports.cloud import Observed, Resource


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
    `unwiped`: what is to be overwritten and stands where the cloud does not do that. `doubles`:
    what carries the mark of something else and is not removed because it may hold data.
    """

    actions: tuple[Action, ...] = ()
    waiting: tuple[Observed, ...] = ()
    blocked: tuple[Resource, ...] = ()
    drifts: tuple[Drift, ...] = ()
    faults: tuple[Observed, ...] = ()
    conflicts: tuple[Observed, ...] = ()
    held: tuple[Observed, ...] = ()
    unwiped: tuple[Observed, ...] = ()
    doubles: tuple[Observed, ...] = ()
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
class Draft:
    """A plan in the making."""

    actions: list[Action] = field(default_factory=list)
    waiting: list[Observed] = field(default_factory=list)
    blocked: list[Resource] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    faults: list[Observed] = field(default_factory=list)
    conflicts: list[Observed] = field(default_factory=list)
    doubles: list[Observed] = field(default_factory=list)

    def plan(self, *, ready: bool) -> Plan:
        """Return the plan, its actions in order."""
        return Plan(
            actions=tuple(sorted(self.actions, key=lambda action: action.order)),
            waiting=tuple(self.waiting),
            blocked=tuple(self.blocked),
            drifts=tuple(self.drifts),
            faults=tuple(self.faults),
            conflicts=tuple(self.conflicts),
            doubles=tuple(self.doubles),
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


def change(resource: Resource, item: Observed, fields: tuple[str, ...], reason: Reason) -> Action:
    """Return the change of a resource's fields."""
    return Action(
        Verb.CHANGE,
        reason,
        resource.part,
        resource.rank,
        wanted=resource,
        observed=item,
        fields=fields,
    )


def delete(item: Observed, rank: int, reason: Reason) -> Action:
    """Return the removal of a resource."""
    return Action(Verb.DELETE, reason, item.part, rank, observed=item)
