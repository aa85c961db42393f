"""What came of one attempt at one object, and the one switch that says what follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from govcloud.plan.conditions import Conditions, Next
from govcloud.plan.model import Plan
from govcloud.ports.cloud import Observed
from govcloud.reconcile.backoff import Backoff
from govcloud.store.work import Claim, Done


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt: what is to be said of the object, and when to look again.

    `conditions` None: nothing was learnt (the cloud is paused, the lease ran out), so nothing is
    said. `plan` None: the cloud could not be asked. `seen` is the object's resources as last known,
    by id. `lacking` are the units of which something was not there when it was looked for; None
    where that is not known or no matter. `acted` is whether the cloud was asked to do something;
    `healed` which parts were put right. `not_before` is what the cloud asked for.
    """

    claim: Claim
    generation: int
    conditions: Conditions | None
    plan: Plan | None = None
    seen: Mapping[str, Observed] = field(default_factory=dict)
    lacking: frozenset[int] | None = None
    acted: bool = False
    healed: tuple[str, ...] = ()
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pace:
    """The two rhythms: of looking at what is under way, and of trying again what failed."""

    poll: Backoff
    retry: Backoff


def follow_up(outcome: Outcome, pace: Pace, now: datetime) -> Done:
    """Return what becomes of the object's place in the queue."""
    claim, conditions = outcome.claim, outcome.conditions
    if conditions is None:
        return Done(claim.uid, outcome.not_before or now, claim.attempts, claim.polls)
    match conditions.next:
        case Next.FORGET | Next.STOP:
            return Done(claim.uid, None)
        case Next.POLL:
            polls = 1 if outcome.acted else claim.polls + 1
            due = now + timedelta(seconds=pace.poll.delay(polls))
            return Done(claim.uid, due, claim.attempts, polls)
        case Next.RETRY:
            attempts = claim.attempts + 1
            due = now + timedelta(seconds=pace.retry.delay(attempts))
            return Done(claim.uid, max(due, outcome.not_before or due), attempts)
