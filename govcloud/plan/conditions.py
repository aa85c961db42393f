"""What is said of an object, and what follows: the one place where conditions are made.

`ready`: it stands as approved. `progressing` is False only if nothing more will happen until the
spec changes or a person acts, so that waiting needs one predicate: `not progressing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from govcloud.domain.classes import show
from govcloud.errors import (
    AwaitedCloudError,
    CloudConflictError,
    CloudError,
    GovcloudError,
    TerminalCloudError,
    Text,
)
from govcloud.plan.model import Action, Plan, Reason, Verb
from govcloud.ports.cloud import Observed, State
from govcloud.ports.ledger import Refusal


class Next(Enum):
    """What becomes of the object's place in the queue."""

    FORGET = "forget"
    """Settled: off the queue until something changes."""
    POLL = "poll"
    """The cloud is at it: look again soon."""
    RETRY = "retry"
    """It failed and may work later: look again after a backoff that grows."""
    STOP = "stop"
    """It will not work until a person acts: off the queue, and said so."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of an object, and what follows from them."""

    ready: bool
    progressing: bool
    reason: str
    text: Text
    next: Next


OVER_QUOTA: Final = "OverQuota"
BELOW_USAGE: Final = "BelowUsage"
"""A limit of it is not set below what is in use: use may fall, and all else of it goes on."""
HOLDS_DATA: Final = "HoldsData"
"""It is to be given back, and holds what nobody has said may go with it."""
NOT_WIPED: Final = "NotWiped"
"""It is to be wiped, and a volume of it is where the cloud does not overwrite anything."""
HELD: Final = frozenset({HOLDS_DATA, NOT_WIPED})
"""Why something waits for somebody to say that it may go (`reconcile.recover.confirm`)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An action that did not work."""

    action: Action
    error: CloudError

    @property
    def final(self) -> bool:
        """Whether trying again is pointless: refused for good, or the place is taken.

        A cloud that refuses for quota is merely behind the ledger, which has granted it.
        """
        if isinstance(self.error, TerminalCloudError):
            return self.error.reason != OVER_QUOTA
        return isinstance(self.error, CloudConflictError) and self.action.verb is Verb.CREATE


GONE: Final = Conditions(False, False, "Gone", Text("controller.gone"), Next.FORGET)
READY: Final = Conditions(True, False, "Ready", Text("controller.ready"), Next.FORGET)
DRIFTED: Final = "Drifted"
MISSING: Final = "Missing"
HEAL_STORM: Final = "HealStorm"
MASS_LOSS: Final = "MassLoss"
WITHHELD: Final = {HEAL_STORM: "controller.heal_storm", MASS_LOSS: "controller.mass_loss"}
"""Why healing was withheld, and the key of the sentence that says so."""
_NAMED: Final = 5
"""So many of the parts that are missing are named."""

_DOING: Final = {
    Reason.APPROVED: ("Building", "controller.building"),
    Reason.HEAL: ("Healing", "controller.healing"),
    Reason.RELEASE: ("Releasing", "controller.releasing"),
    Reason.REPLACE: ("Replacing", "controller.replacing"),
    Reason.SURPLUS: ("Shrinking", "controller.shrinking"),
    Reason.DUPLICATE: ("Healing", "controller.duplicate"),
}

_MENDING: Final = {
    Reason.FAILED: ("Rebuilding", "controller.rebuilding"),
    Reason.RELEASE: ("Releasing", "controller.release_failed"),
}

FINAL_FAULTS: Final = frozenset(
    {"InvalidSpec", "InvalidImage", "InvalidFlavor", "UnknownImage", "UnknownFlavor"}
)
"""Words with which a cloud says of a failed resource that building it again is pointless."""


def conclude(
    plan: Plan,
    failures: Sequence[Failure],
    *,
    releasing: bool = False,
    withheld: str = "",
    total: int = 0,
    lease_over: str = "",
) -> Conditions:
    """Return the conditions after one attempt: a plan, and which of its actions failed.

    `total` is how many resources are wanted, for the sentence. `withheld` is why the healing
    actions were not carried out, if they were not. `lease_over` is the day on which a lease ended
    after which machines stand still.
    """
    halted = _halted(plan, failures, withheld)
    if halted is not None:
        return halted
    if failures:
        return _retried(failures)
    if releasing and plan.settled:
        return GONE
    said = _running(plan, total, releasing=releasing)
    if said is READY and lease_over:
        text = Text("controller.lease_over", {"end": lease_over})
        return Conditions(True, False, "LeaseOver", text, Next.FORGET)
    return said


def _halted(plan: Plan, failures: Sequence[Failure], withheld: str) -> Conditions | None:
    final = next((failure for failure in failures if failure.final), None)
    if final is not None:
        return _failed(final, Next.STOP)
    if plan.conflicts:
        item = plan.conflicts[0]
        return _stopped("Conflict", "controller.conflict", id=item.id, type=item.type)
    if plan.faults:
        item = plan.faults[0]
        return _stopped("Failed", "controller.failed", id=item.id, fault=item.fault)
    if plan.held:
        holds = ", ".join(str(item.info["holds"]) for item in plan.held)
        return _stopped(HOLDS_DATA, "controller.holds_data", holds=holds)
    if plan.unwiped:
        volumes = [f"{item.part} ({item.info['storage']})" for item in plan.unwiped]
        return _stopped(NOT_WIPED, "controller.not_wiped", volumes=volumes)
    return _stopped(withheld, WITHHELD[withheld]) if withheld else None


def _retried(failures: Sequence[Failure]) -> Conditions:
    """Return the conditions of what may work later; waiting for something is no failure."""
    real = [failure for failure in failures if not isinstance(failure.error, AwaitedCloudError)]
    if real:
        return _failed(real[0], Next.RETRY)
    awaited = failures[0]
    text = Text("controller.awaiting", {"awaited": awaited.error.message})
    return Conditions(False, True, awaited.error.reason, text, Next.POLL)


def _stopped(reason: str, key: str, **params: object) -> Conditions:
    return Conditions(False, False, reason, Text(key, params), Next.STOP)


_FAILING: Final = {
    (Next.RETRY, False): "controller.retrying",
    (Next.STOP, False): "controller.refused",
    (Next.RETRY, True): "controller.release_retrying",
    (Next.STOP, True): "controller.release_refused",
}
"""What is said of a failed action: whether it is tried again, and whether it is a release."""


def _failed(failure: Failure, following: Next) -> Conditions:
    key = _FAILING[following, failure.action.reason is Reason.RELEASE]
    params = {
        "verb": failure.action.verb.name.lower(),
        "part": failure.action.part,
        "reason": failure.error.reason,
        "detail": failure.error.message,
    }
    progressing = following is Next.RETRY
    return Conditions(False, progressing, failure.error.reason, Text(key, params), following)


def _running(plan: Plan, total: int, *, releasing: bool) -> Conditions:
    for action in plan.actions:
        if action.force and action.observed is not None:
            text = Text("controller.forcing", {"part": action.part})
            return Conditions(False, True, "Releasing", text, Next.RETRY)  # slower each time
        if action.observed is not None and action.observed.state is State.FAILED:
            return _broken(action, action.observed)
    if not plan.settled:
        word, key = _DOING[Reason.RELEASE] if releasing else _doing(plan)
        left = len(plan.actions) + len(plan.waiting) + len(plan.blocked)
        text = Text(key, {"left": left, "total": max(total, left)})
        held_by = next((item for item in plan.waiting if _is_held(item, releasing)), None)
        if held_by is not None:
            held = {"part": held_by.part, "fault": held_by.fault}
            text = Text(f"controller.{'releasing' if releasing else 'ending'}_held", held)
        return Conditions(False, True, word, text, Next.POLL)
    if plan.missing:
        parts = [mark.partition("/")[2] for mark in plan.missing]
        text = Text(
            "controller.missing",
            {"count": len(parts), "total": max(total, len(parts)), "parts": parts[:_NAMED]},
        )
        return Conditions(False, False, MISSING, text, Next.FORGET)
    if plan.drifts:
        text = Text("controller.drifted", {"count": len(plan.drifts)})
        return Conditions(plan.ready, False, DRIFTED, text, Next.FORGET)
    return READY


def _is_held(item: Observed, releasing: bool) -> bool:
    """Whether something says what keeps it from going."""
    return bool(item.fault) and (releasing or item.state is State.DELETING)


def _doing(plan: Plan) -> tuple[str, str]:
    """Return the reason and the sentence's key for what is under way."""
    changing = {action.verb is Verb.CHANGE for action in plan.actions} or {
        item.state is State.CHANGING for item in plan.waiting
    }
    reason = plan.actions[0].reason if plan.actions else Reason.APPROVED
    if reason is Reason.APPROVED and changing == {True}:
        return "Changing", "controller.changing"
    return _DOING[reason]


def _broken(action: Action, item: Observed) -> Conditions:
    """Return the conditions while something that failed is dealt with: slower each time."""
    fault = item.fault
    reason = fault.partition(":")[0].strip()
    if reason in FINAL_FAULTS and action.reason is not Reason.RELEASE:
        return _stopped(reason, "controller.unbuildable", part=item.part, fault=fault)
    word, key = _MENDING.get(action.reason, ("Failed", "controller.mending"))
    text = Text(key, {"part": item.part, "fault": fault})
    return Conditions(False, True, word, text, Next.RETRY)


_HELD_UP: Final = frozenset(
    {
        "controller.release_failed",
        "controller.release_retrying",
        "controller.release_refused",
        "controller.unreachable",
        "controller.unplanned",
    }
)


def held_up(key: str) -> bool:
    """Whether this sentence's key says that what is being given back is not getting there."""
    return key in _HELD_UP


def unplanned(error: Exception, *, reason: str = "InternalError") -> Conditions:
    """Return the conditions of an object for which no plan could be made; it is tried again.

    Of what nobody foresaw only the kind is said: its text may hold what was about to be sent.
    """
    foreseen = isinstance(error, CloudError | GovcloudError)
    detail = f"{type(error).__name__}: {error}" if foreseen else type(error).__name__
    text = Text("controller.unplanned", {"detail": detail})
    return Conditions(False, True, reason, text, Next.RETRY)


def missing_reference(kind: str, name: str) -> Conditions:
    """Return the conditions of an object whose spec names what is no longer there."""
    text = Text("controller.missing_reference", {"kind": kind, "name": name})
    return Conditions(False, True, "MissingReference", text, Next.RETRY)


def over_quota(refusal: Refusal) -> Conditions:
    """Return the conditions of an object whose reservation has lapsed, and fits no longer (Q4)."""
    word = refusal.resource_class
    amounts = ("limit", "allocated", "reserved", "requested", "available")
    params: dict[str, object] = {name: show(word, getattr(refusal, name)) for name in amounts}
    params |= {"department": refusal.department, "class": word}
    return Conditions(False, True, OVER_QUOTA, Text("controller.over_quota", params), Next.RETRY)


def preparing(ground: Sequence[str]) -> Conditions:
    """Return the conditions of an object while what it stands on is made."""
    text = Text("controller.preparing", {"ground": list(ground)})
    return Conditions(False, True, "Preparing", text, Next.POLL)


def ground_stopped(ground: str, reason: str, detail: str) -> Conditions:
    """Return the conditions of an object for which no ground can be made."""
    text = Text("controller.ground_stopped", {"ground": ground, "reason": reason, "detail": detail})
    return Conditions(False, False, reason, text, Next.STOP)


def in_words_of(provider: str, conditions: Conditions) -> Conditions:
    """Return conditions that tell a cloud's answer in the words of the catalogue of its kind."""
    params = conditions.text.params
    if not params.keys() & {"reason", "fault"}:
        return conditions
    return replace(
        conditions, text=replace(conditions.text, params={**params, "told_by": provider})
    )


def unreachable(error: CloudError) -> Conditions:
    """Return the conditions of an object whose cloud could not be asked.

    That is not the object's failure, so it does not back off: the gate does, for the whole cloud.
    """
    text = Text("controller.unreachable", {"reason": error.reason, "detail": error.message})
    return Conditions(False, True, error.reason, text, Next.POLL)
