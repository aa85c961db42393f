"""The work of one cloud: claim what is due, look, plan, act, write; over and over.

One thread claims, looks and writes; the crew acts. An object is leased from its claim until what
came of it is written, and no action begins once the lease has run out (R9). Each creation comes
after a look in the same attempt, and an attempt makes at most one creation for each mark (R1).
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from govcloud.domain.access import CONTROLLER
from govcloud.domain.kinds.platform import CloudSpec
from govcloud.errors import CloudError, TransientCloudError, UnavailableError
from govcloud.plan.actions import Action, Verb
from govcloud.plan.conditions import OVER_QUOTA, Failure, missing_reference, unplanned, unreachable
from govcloud.plan.orders import MissingReferenceError
from govcloud.ports import Observed, Provisioner, State
from govcloud.reconcile import desired
from govcloud.reconcile.attempt import Attempt
from govcloud.reconcile.crew import Crew
from govcloud.reconcile.desired import UnplannableError, World, resources_of
from govcloud.reconcile.gate import Gate, PausedError
from govcloud.reconcile.quota_push import QuotaPush, counted_as, needs
from govcloud.reconcile.record import OnStep, Recorder
from govcloud.reconcile.settings import Settings
from govcloud.reconcile.status import Status
from govcloud.store import work
from govcloud.store.unit import Store

LOG: Final = logging.getLogger(__name__)


class Lane:
    """The work of one managed cloud. `start`, `finish` and `run` belong to one thread."""

    def __init__(
        self,
        name: str,
        spec: CloudSpec,
        provisioner: Provisioner,
        *,
        store: Store,
        gate: Gate,
        push: QuotaPush,
        recorder: Recorder,
        owner: str,
        settings: Settings,
        on_step: OnStep,
    ) -> None:
        self.name = name
        self._provisioner = provisioner
        self._store = store
        self._gate = gate
        self._push = push
        self._recorder = recorder
        self._owner = owner
        self._settings = settings
        self._on_step = on_step
        self._parallel = spec.limits.parallel
        self._crew = Crew(name, self._parallel)
        self._attempts: dict[str, Attempt] = {}
        self._done: deque[Attempt] = deque()
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._action_s = 0.0

    # --- The loop ---

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`; then finish what is running and give back what has not begun."""
        while not stop.is_set():
            try:
                worked = self.finish() + self.start()
            except UnavailableError as error:
                LOG.warning("%s: %s", self.name, error)
                worked = 0
            except Exception:
                LOG.exception("%s: the lane stumbled and goes on", self.name)
                worked = 0
            if not worked:
                self._news.wait(self._settings.idle_s)
                self._news.clear()
        self.close()

    def step(self) -> int:
        """Do what is due now and wait until it is done and written; return how much it was."""
        started = self.start()
        while self._attempts:
            if not self.finish():
                self._news.wait(self._settings.idle_s)
                self._news.clear()
        return started

    def wake(self) -> None:
        """Look at the queue now: something was put into it by this process."""
        self._news.set()

    def close(self) -> None:
        """Finish the actions that are running, write what came of them, give leases back."""
        self._crew.close()
        while self.finish():
            pass
        self._attempts.clear()

    def finish(self) -> int:
        """Write what is done; return how many attempts that were."""
        ready: list[Attempt] = []
        while self._done and len(ready) < self._settings.batch:
            ready.append(self._done.popleft())
        if not ready:
            return 0
        try:
            later = self._recorder.write([attempt.outcome() for attempt in ready])
        except BaseException:
            self._done.extendleft(reversed(ready))
            raise
        postponed = [attempt for attempt in ready if attempt.claim.uid in later]
        self._done.extend(postponed)
        with self._lock:
            for attempt in ready:
                if attempt.claim.uid not in later:
                    self._attempts.pop(attempt.claim.uid, None)
        return len(ready) - len(postponed)

    # --- Leases ---

    def renew(self) -> None:
        """Let the leases of what is being worked on live on; called by the keeper's thread."""
        with self._lock:
            attempts = dict(self._attempts)
        if not attempts:
            return
        with self._store.unit(CONTROLLER) as unit:
            until = unit.now + timedelta(seconds=self._settings.lease_s)
            kept = work.renew(unit.session, self._owner, list(attempts), unit.now, until)
        for uid in kept:
            attempts[uid].lease_until = until

    # --- Beginning attempts ---

    def start(self) -> int:
        """Claim what is due, as far as there is room, and begin it; return how much it was."""
        room = min(self._settings.batch, self._in_flight_limit() - len(self._attempts))
        if room <= 0 or self._gate.paused_until("find") is not None:
            return 0
        claims, until = self._claim(room)
        if not claims:
            return 0
        self._on_step("claimed", ",".join(claim.uid for claim in claims))
        attempts, world = self._read(claims, until)
        with self._lock:
            self._attempts |= {attempt.claim.uid: attempt for attempt in attempts}
        try:
            self._look(attempts, world)
            self._on_step("planned", ",".join(attempt.claim.uid for attempt in attempts))
            self._raise_quotas(attempts, world)
        except UnavailableError as error:
            LOG.warning("%s: %s", self.name, error)
            self._withhold(attempts, self._store.clock.now())
        for attempt in attempts:
            self._begin(attempt)
        return len(claims)

    def _in_flight_limit(self) -> int:
        """Return how many objects may be in flight: about a second's worth of the cloud's work.

        More would be a queue that a new object has to wait behind, where `claim` can no longer
        let it overtake.
        """
        floor = self._parallel + 4
        if not self._action_s:
            return max(floor, self._settings.batch)
        return max(floor, min(self._settings.in_flight, int(self._parallel / self._action_s)))

    def _claim(self, room: int) -> tuple[list[work.Claim], datetime]:
        now = self._store.clock.now()
        until = now + timedelta(seconds=self._settings.lease_s)
        with self._store.reading() as session:
            if not work.anything_due(session, self.name, now):
                return [], until
        with self._store.unit(CONTROLLER) as unit:
            claims = work.claim(
                unit.session, self.name, self._owner, limit=room, now=now, until=until
            )
        for claim in claims:
            if claim.uid in self._attempts:
                self._attempts[claim.uid].overtaken = True
        return [claim for claim in claims if claim.uid not in self._attempts], until

    def _read(self, claims: Sequence[work.Claim], until: datetime) -> tuple[list[Attempt], World]:
        by_uid = {claim.uid: claim for claim in claims}
        today = self._store.clock.now().date()
        with self._store.reading() as session:
            rows = desired.with_status(session, list(by_uid))
            world = World.read(session, today)
            world.add_systems(session, (wanted for wanted, _ in rows))
        attempts = [
            Attempt(by_uid[wanted.uid], wanted, Status.read(status), until)
            for wanted, status in rows
        ]
        self._forget(set(by_uid) - {wanted.uid for wanted, _ in rows})
        return attempts, world

    def _forget(self, uids: set[str]) -> None:
        """Take off the queue what is no more."""
        if uids:
            with self._store.unit(CONTROLLER) as unit:
                work.forget(unit.session, sorted(uids))

    # --- Looking and planning ---

    def _look(self, attempts: Sequence[Attempt], world: World) -> None:
        """Look up all objects in one call and plan each; what cannot be planned says why."""
        askable = [attempt for attempt in attempts if self._order(attempt, world)]
        if not askable:
            return
        try:
            with self._gate.call("find"):
                found = self._provisioner.find([attempt.claim.uid for attempt in askable])
        except PausedError as error:
            for attempt in askable:
                attempt.put_off(error.until)
        except CloudError as error:
            for attempt in askable:
                attempt.conditions = unreachable(error)
                self._honour(attempt, error)
        except Exception as error:  # noqa: BLE001 (whatever a driver does, the others go on)
            self._look_halves(askable, world, error)
        else:
            self._on_step("found", ",".join(attempt.claim.uid for attempt in askable))
            self._decide(askable, found, world)

    def _look_halves(self, attempts: Sequence[Attempt], world: World, error: Exception) -> None:
        """Find the object that spoils a look-up by halving the batch (R6)."""
        if len(attempts) == 1:
            LOG.error("%s: %s: %r", self.name, attempts[0].claim.uid, error)
            attempts[0].conditions = unplanned(error)
            return
        middle = len(attempts) // 2
        self._look(attempts[:middle], world)
        self._look(attempts[middle:], world)

    def _order(self, attempt: Attempt, world: World) -> bool:
        """Ask the driver what should be there; return whether that could be said."""
        try:
            attempt.resources = resources_of(self._provisioner, world, attempt.wanted.approved)
        except MissingReferenceError as error:
            attempt.conditions = missing_reference(error.kind, error.name)
        except UnplannableError as error:
            cause = error.__cause__
            LOG.error("%s: %s", self.name, attempt.claim.uid, exc_info=cause)
            attempt.conditions = unplanned(cause if isinstance(cause, Exception) else error)
        if attempt.conditions is not None and attempt.releasing:
            attempt.conditions = None  # what is there can be removed without knowing what should be
        return attempt.conditions is None

    def _decide(self, attempts: Sequence[Attempt], found: Sequence[Observed], world: World) -> None:
        by_uid: dict[str, list[Observed]] = {}
        for item in found:
            by_uid.setdefault(item.uid, []).append(item)
        now = self._store.clock.now()
        for attempt in attempts:
            seen = by_uid.get(attempt.claim.uid, [])
            try:
                attempt.decide(seen, world, now, self._settings)
            except Exception as error:
                LOG.exception("%s: %s", self.name, attempt.claim.uid)
                attempt.conditions = unplanned(error)

    def _raise_quotas(self, attempts: Sequence[Attempt], world: World) -> None:
        """Let the cloud's own quota allow what is about to be built (Q5)."""
        growing: dict[str, list[Attempt]] = {}
        for attempt in attempts:
            if any(action.verb is not Verb.DELETE for action in attempt.actions):
                growing.setdefault(attempt.resources[0].tenant, []).append(attempt)
        behind = {
            tenant: entries
            for tenant, entries in growing.items()
            if not self._push.covers(tenant, (counted_as(entry.wanted) for entry in entries))
        }
        if not behind:
            return
        systems = {
            (entry.wanted.department, entry.wanted.system)
            for entries in behind.values()
            for entry in entries
        }
        with self._store.reading() as session:
            objects = desired.of_systems(session, self.name, systems)
        needed = needs(self._provisioner, world, objects)
        for tenant, entries in behind.items():
            self._on_step("before-quota", tenant)
            try:
                if tenant in needed:
                    self._push.raise_to(tenant, needed[tenant])
            except PausedError as error:
                self._withhold(entries, error.until)
            except Exception as error:  # noqa: BLE001 (the cloud says whether it matters, by refusing)
                LOG.warning("%s: quota of %s: %s", self.name, tenant, error)
            self._on_step("after-quota", tenant)

    @staticmethod
    def _withhold(attempts: Sequence[Attempt], until: datetime) -> None:
        for attempt in attempts:
            attempt.plan = None
            attempt.put_off(until)

    # --- Acting ---

    def _begin(self, attempt: Attempt) -> None:
        actions = attempt.actions if attempt.conditions is None else ()
        attempt.pending = len(actions)
        if not actions:
            self._complete(attempt)
            return
        jobs = [self._job(attempt, action) for action in actions]
        self._crew.submit(jobs, suspect=attempt.claim.attempts > 0)

    def _job(self, attempt: Attempt, action: Action) -> Callable[[], None]:
        def job() -> None:
            try:
                self._try(attempt, action)
            finally:
                with attempt.lock:
                    attempt.pending -= 1
                    last = attempt.pending == 0
                if last:
                    self._complete(attempt)

        return job

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
            self._honour(attempt, error)
            if error.reason == OVER_QUOTA and action.wanted is not None:
                self._push.doubt(action.wanted.tenant)
            with attempt.lock:
                attempt.failures.append(Failure(action, error))
        except Exception as error:
            LOG.exception("%s: %s %s", self.name, verb, attempt.claim.uid)
            fault = TransientCloudError("InternalError", f"{type(error).__name__}: {error}")
            with attempt.lock:
                attempt.failures.append(Failure(action, fault))
        else:
            with attempt.lock:
                attempt.seen[result.id] = result
                attempt.done.append(action)

    def _check_lease(self, attempt: Attempt) -> None:
        now = self._store.clock.now()
        if now >= attempt.lease_until:
            raise PausedError(now)

    def _act(self, action: Action) -> Observed:
        """Make the one call of an action; return the resource as it is then known."""
        wanted, observed = action.wanted, action.observed
        if action.verb is Verb.CREATE:
            assert wanted is not None
            return self._provisioner.create(wanted)
        assert observed is not None
        assert observed.uid, "what carries no mark is never touched"
        if action.verb is Verb.CHANGE:
            assert wanted is not None
            return self._provisioner.change(observed, wanted, action.fields)
        self._provisioner.delete(observed)
        return replace(observed, state=State.DELETING)

    def _honour(self, attempt: Attempt, error: CloudError) -> None:
        if isinstance(error, TransientCloudError) and error.retry_after_s:
            seconds = min(error.retry_after_s, self._settings.retry_after_cap_s)
            attempt.put_off(self._store.clock.now() + timedelta(seconds=seconds))

    def _note_speed(self, seconds: float) -> None:
        self._action_s = seconds if not self._action_s else 0.9 * self._action_s + 0.1 * seconds

    def _complete(self, attempt: Attempt) -> None:
        self._done.append(attempt)
        self._news.set()
