"""One attempt at one object: what was found, what is planned, what came of it."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from govcloud.domain.keys import GROUND
from govcloud.errors import CloudError, TransientCloudError
from govcloud.plan.actions import plan
from govcloud.plan.asked import POWER, read_asked
from govcloud.plan.conditions import GONE, HEAL_STORM, MASS_LOSS, Conditions, Failure, conclude
from govcloud.plan.drift import modes
from govcloud.plan.model import Action, Plan, Reason, Situation, Verb
from govcloud.plan.orders import read_spec
from govcloud.plan.phases import Phase
from govcloud.plan.presence import lacking
from govcloud.ports.cloud import Observed, Resource, State
from govcloud.reconcile.desired import Wanted, World
from govcloud.reconcile.outcome import Outcome
from govcloud.reconcile.settings import Settings
from govcloud.reconcile.status import Status
from govcloud.store.work import Claim


@dataclass(slots=True)
class Attempt:
    """What is known of one claimed object while it is worked on.

    `lease_until` moves as the lease is renewed: no action begins after it (R9). `overtaken`: the
    lease was lost and claimed anew, so what came of this attempt no longer counts. `braked`: so
    much is missing from the cloud that nothing of it is healed. `lease_over`: the day on which the
    lease ended after which its machines stand still. `patience_ends`: until when it waits for what
    the cloud is making (`holding`), by the monotonic clock; 0 until it first waits. `spoilt`: the
    database did not take what was seen, and is told why instead. The fields that actions
    change are guarded by `lock`, since they run at the same time.
    """

    claim: Claim
    wanted: Wanted
    status: Status
    lease_until: datetime
    resources: tuple[Resource, ...] = ()
    plan: Plan | None = None
    situation: Situation | None = None
    conditions: Conditions | None = None
    lacking: frozenset[int] | None = None
    braked: bool = False
    withheld: str = ""
    lease_over: str = ""
    seen: dict[str, Observed] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    done: list[Action] = field(default_factory=list)
    not_before: datetime | None = None
    overtaken: bool = False
    pending: int = 0
    patience_ends: float = 0.0
    spoilt: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def releasing(self) -> bool:
        """Whether the object is to be given back."""
        return self.wanted.phase == Phase.RELEASING

    @property
    def confirmed(self) -> bool:
        """Whether somebody said that what it holds may go."""
        return self.status.confirmed == self.wanted.generation or bool(self.status.forced)

    @property
    def builds(self) -> bool:
        """Whether something is about to be done for what is approved and does not stand."""
        unbuilt = self.status.built < self.wanted.generation and self.wanted.kind != GROUND
        if self.releasing or self.conditions is not None or not unbuilt:
            return False
        return bool(self.actions) and not (self.seen and not self.status.built)

    @property
    def system(self) -> tuple[str, str]:
        """Whose it is: department and system."""
        return (self.wanted.department, self.wanted.system)

    @property
    def gone(self) -> bool:
        """Whether the cloud has confirmed that nothing of it is left."""
        return self.outcome().conditions is GONE

    @property
    def _copies(self) -> str:
        """How the names of its last copies begin: told from each other's, and known again."""
        wanted = self.wanted
        return f"{wanted.department}-{wanted.name}-{wanted.uid[:8]}"

    def decide(
        self,
        found: Sequence[Observed],
        world: World,
        now: datetime,
        s: Settings,
        *,
        wipes: frozenset[str],
    ) -> None:
        """Plan from what was found; `resources` have been set.

        `wipes` are the storage classes that the cloud overwrites.
        """
        self.seen = {item.id: item for item in found}
        drift = read_spec(self.wanted.kind, self.wanted.spec).drift
        asked = read_asked(self.wanted.asked)
        self.lease_over = world.lease_over(self.wanted.approved)
        self.situation = Situation(
            mode=modes(self.wanted.kind, drift, world.rules),
            approved=self.status.built < self.wanted.generation,
            releasing=self.releasing,
            known=self.status.known,
            delivered=self.status.delivered,
            confirmed=self.status.confirmed == self.wanted.generation,
            asked=self.status.asked | ({POWER} if self.lease_over else frozenset()),
            remade=self.status.remade,
            copies=self._copies if asked.snapshot else "",
            keep_data=asked.keep_volumes,
            wipes=wipes if asked.wipe_volumes else None,
            forced=bool(self.status.forced),
        )
        self.plan = plan(self.resources, found, self.situation)
        if not self.releasing:
            self.lacking = lacking(self.resources, found, self.status.delivered)
        parts = [action.part for action in self.plan.actions if action.reason is Reason.HEAL]
        since = now - timedelta(seconds=s.heal_window_s)
        if parts and self.braked:
            self.withheld = MASS_LOSS
        elif self.status.fought_over(parts, s.heal_limit, since):
            self.withheld = HEAL_STORM

    def go_on(self) -> bool:
        """Plan what follows from the cloud's answers; return whether there is more to do at once.

        For a driver whose answers say all that a look would find (`Provisioner.create`). Only where
        all went well, and of what was approved: of a heal is told before anything comes after it.
        What follows is only ever created, each thing once: all else needs another look (R1).
        """
        if self._stopped or self.situation is None:
            return False
        following = plan(self.resources, self.seen.values(), self.situation)
        created = {action.part for action in self.done if action.verb is Verb.CREATE}
        if any(a.verb is not Verb.CREATE or a.part in created for a in following.actions):
            return False
        self.plan = following
        return bool(following.actions)

    @property
    def waits_for(self) -> tuple[Observed, ...]:
        """What is being made and is all that keeps an attempt that may go on from doing so."""
        plan = self.plan
        if self._stopped or plan is None or plan.actions:
            return ()
        building = all(item.state is State.BUILDING for item in plan.waiting)
        return plan.waiting if building else ()

    @property
    def _stopped(self) -> bool:
        """Whether it ends here: something went wrong, or was done that others hear of first."""
        if self.failures or self.withheld or self.overtaken or self.not_before or not self.done:
            return True
        return self.situation is None or any(a.reason is not Reason.APPROVED for a in self.done)

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions to carry out: all, or all but the healing ones."""
        if self.plan is None:
            return ()
        if not self.withheld:
            return self.plan.actions
        return tuple(a for a in self.plan.actions if a.reason is not Reason.HEAL)

    def spoil(self, conditions: Conditions) -> None:
        """Forget what was seen, which cannot be written; say instead why."""
        self.spoilt, self.conditions = True, conditions
        self.plan, self.seen, self.lacking = None, {}, None

    def put_off(self, until: datetime) -> None:
        """Note that something could not be tried before `until`."""
        with self.lock:
            self.not_before = max(until, self.not_before or until)

    def honour(self, error: CloudError, now: datetime, settings: Settings) -> None:
        """Put off what is to be tried again until the cloud wants to be asked again."""
        if isinstance(error, TransientCloudError) and error.retry_after_s:
            seconds = min(error.retry_after_s, settings.retry_after_cap_s)
            self.put_off(now + timedelta(seconds=seconds))

    def outcome(self) -> Outcome:
        """Return what came of it; to be called when no action is pending any more."""
        conditions = None if self.overtaken else self.conditions or self._concluded()
        healed = {action.part for action in self.done if action.reason is Reason.HEAL}
        return Outcome(
            claim=self.claim,
            generation=self.wanted.generation,
            conditions=conditions,
            plan=self.plan,
            seen=self.seen,
            lacking=self.lacking,
            acted=bool(self.done),
            healed=tuple(sorted(healed)),
            not_before=self.not_before,
        )

    def _concluded(self) -> Conditions | None:
        if self.plan is None:
            return None
        if self.not_before is not None and not (self.failures or self.done):
            return None
        return conclude(
            self.plan,
            self.failures,
            releasing=self.releasing,
            withheld=self.withheld,
            total=len(self.resources),
            lease_over=self.lease_over,
        )
