"""Acting: the calls that change a cloud, each with its lease checked and its end noted."""

import logging
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Final

from govcloud.errors import CloudError, TerminalCloudError, TransientCloudError
from govcloud.plan.conditions import OVER_QUOTA, Failure, unplanned
from govcloud.plan.model import Action, Verb
from govcloud.ports.abilities import Adopting, Forcing, Keeping, Leaving
from govcloud.ports.clock import Clock
from govcloud.ports.cloud import Observed, Provisioner, Resource, State
from govcloud.reconcile.attempt import Attempt
from govcloud.reconcile.crew import Crew
from govcloud.reconcile.gate import Gate, PausedError
from govcloud.reconcile.holding import Holding
from govcloud.reconcile.quota_push import QuotaPush
from govcloud.reconcile.record import OnStep
from govcloud.reconcile.settings import Settings

LOG: Final = logging.getLogger(__name__)


class Acting:
    """Carries out what is planned for one cloud, by the hands of its crew."""

    def __init__(
        self,
        name: str,
        provisioner: Provisioner,
        parallel: int,
        *,
        clock: Clock,
        gate: Gate,
        push: QuotaPush,
        settings: Settings,
        on_step: OnStep,
        on_done: Callable[[Attempt], None],
    ) -> None:
        self._name = name
        self._provisioner = provisioner
        self._parallel = parallel
        self._clock = clock
        self._gate = gate
        self._push = push
        self._settings = settings
        self._on_step = on_step
        self._on_done = on_done
        self._crew = Crew(name, parallel)
        self._holding = Holding(provisioner, settings.hold_s)
        self._action_s = 0.0
        self._whole = bool(getattr(provisioner, "answers_whole", False))

    def room(self, in_flight: int) -> int:
        """Return how many objects to begin, with so many in flight; 0 where it can wait.

        About a second's worth of the cloud's work is in flight: more would be a queue that a new
        object has to wait behind, where a claim can no longer let it overtake. While there is a
        queue, a few are not begun for themselves: a claim costs as much for one as for fifty.
        """
        floor = self._parallel + 4
        in_flight -= len(self._holding)
        limit = max(floor, self._settings.batch)
        if self._action_s:
            a_second = int(self._parallel / self._action_s)
            limit = max(floor, min(self._settings.in_flight, a_second))
        room = min(self._settings.batch, limit - in_flight)
        few = min(self._settings.batch, limit - floor) // 4
        return room if room > few else 0

    def close(self) -> None:
        """Drop the actions that have not begun, wait for those that have, let go who waits."""
        self._crew.close()
        self.tend(closing=True)

    def begin(self, attempt: Attempt) -> None:
        """Carry out an attempt's actions, and those that follow from their success.

        `on_done` is called with it when the last one ended.
        """
        actions = attempt.actions if attempt.conditions is None else ()
        attempt.pending = len(actions)
        jobs = [self._job(attempt, action) for action in actions]
        if not (jobs and self._crew.submit(jobs, suspect=attempt.claim.attempts > 0)):
            self._on_done(attempt)

    def _job(self, attempt: Attempt, action: Action) -> Callable[[], None]:
        def job() -> None:
            try:
                self._try(attempt, action)
            finally:
                with attempt.lock:
                    attempt.pending -= 1
                    last = attempt.pending == 0
                if last:
                    self._end_stage(attempt)

        return job

    def _end_stage(self, attempt: Attempt) -> None:
        try:
            more = self._whole and attempt.go_on()
        except Exception as error:
            LOG.exception("%s: %s", self._name, attempt.claim.uid)
            attempt.conditions, more = unplanned(error), False
        if more:
            self._on_step("planned", attempt.claim.uid)
            self.begin(attempt)
        elif not self._holding.takes(attempt):
            self._on_done(attempt)

    def tend(self, *, closing: bool = False) -> None:
        """Go on with the attempts that waited for the cloud and need not any longer.

        `closing`: no more is done, and what came of them is to be written.
        """
        for attempt in self._holding.give(everything=closing):
            if closing:
                self._on_done(attempt)
            else:
                self._end_stage(attempt)

    def _try(self, attempt: Attempt, action: Action) -> None:
        verb = action.verb.name.lower()
        try:
            with self._gate.call(verb):
                self._check_lease(attempt)
                self._on_step(f"before-{verb}", attempt.claim.uid)
                began = monotonic()
                result = self._act(action)
                self._note_speed(monotonic() - began)
                self._on_step(f"after-{verb}", attempt.claim.uid)
        except PausedError as error:
            attempt.put_off(error.until)
        except CloudError as error:
            attempt.honour(error, self._clock.now(), self._settings)
            if error.reason == OVER_QUOTA and action.wanted is not None:
                self._push.doubt(action.wanted.tenant)
            with attempt.lock:
                attempt.failures.append(Failure(action, error))
        except Exception as error:
            LOG.exception("%s: %s %s", self._name, verb, attempt.claim.uid)
            # Its text may hold what was about to be sent: that is for the log.
            fault = TransientCloudError("InternalError", type(error).__name__)
            with attempt.lock:
                attempt.failures.append(Failure(action, fault))
        else:
            with attempt.lock:
                attempt.seen[result.id] = result
                attempt.done.append(action)

    def _check_lease(self, attempt: Attempt) -> None:
        now = self._clock.now()
        if now >= attempt.lease_until:
            raise PausedError(now)

    def _act(self, action: Action) -> Observed:
        """Make the one call of an action; return the resource as it is then known."""
        wanted, observed = action.wanted, action.observed
        if action.verb is Verb.CREATE:
            assert wanted is not None
            return self._adopt(wanted) if wanted.adopts else self._provisioner.create(wanted)
        assert observed is not None
        assert observed.uid, "what carries no mark is never touched"
        if action.verb is Verb.CHANGE:
            assert wanted is not None
            return self._provisioner.change(observed, wanted, action.fields)
        if action.verb is Verb.LEAVE:
            self._leave(observed)
            return observed
        if action.copy and not self._copied(observed, action.copy):
            return observed
        if action.force and isinstance(self._provisioner, Forcing):
            self._provisioner.force_delete(observed)
        else:
            self._provisioner.delete(observed)
        return replace(observed, state=State.DELETING)

    def _adopt(self, wanted: Resource) -> Observed:
        """Take over what stands already: nothing else is ever put in its place."""
        if not isinstance(self._provisioner, Adopting):
            raise TerminalCloudError("NotAdoptable", "the driver cannot take anything over")
        return self._provisioner.adopt(wanted)

    def _leave(self, observed: Observed) -> None:
        if not isinstance(self._provisioner, Leaving):
            raise TerminalCloudError("NotLeavable", "the driver cannot leave anything behind")
        self._provisioner.leave(observed)

    def _copied(self, observed: Observed, name: str) -> bool:
        """Whether there is a copy; one that is not there yet is begun."""
        if not isinstance(self._provisioner, Keeping):
            raise TerminalCloudError("NoCopies", "the driver cannot keep a copy")
        return self._provisioner.keep_copy(observed, name)

    def _note_speed(self, seconds: float) -> None:
        self._action_s = seconds if not self._action_s else 0.9 * self._action_s + 0.1 * seconds
