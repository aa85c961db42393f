"""The work of one cloud: claim what is due, look, plan, act, write; over and over.

One thread claims, looks and writes; the crew acts. An object is leased from its claim until what
came of it is written, and no action begins once the lease has run out (R9). Each creation comes
after a look in the same attempt, and an attempt makes at most one creation for each mark (R1).
Where the cloud's answers say as much as a look, it goes on with what follows from them.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from govcloud.domain.access import CONTROLLER
from govcloud.domain.kinds.platform import CloudSpec
from govcloud.errors import UnavailableError
from govcloud.messages import plain
from govcloud.plan.conditions import in_words_of, over_quota, unplanned
from govcloud.policy.context import city_day
from govcloud.ports.cloud import Provisioner
from govcloud.ports.ledger import Ledger
from govcloud.reconcile import desired
from govcloud.reconcile.acting import Acting
from govcloud.reconcile.attempt import Attempt
from govcloud.reconcile.backoff import Backoff
from govcloud.reconcile.desired import World
from govcloud.reconcile.gate import Gate
from govcloud.reconcile.groundwork import Groundwork
from govcloud.reconcile.looking import Looking, withhold
from govcloud.reconcile.outcome import Outcome
from govcloud.reconcile.quota_push import QuotaPush
from govcloud.reconcile.record import OnStep, Recorder, key_of
from govcloud.reconcile.settings import Settings
from govcloud.reconcile.status import Status
from govcloud.store import clouds, work
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
        ledger: Ledger,
        gate: Gate,
        push: QuotaPush,
        groundwork: Groundwork,
        recorder: Recorder,
        owner: str,
        settings: Settings,
        on_step: OnStep,
    ) -> None:
        self._groundwork = groundwork
        self.name = name
        self._provider = spec.provider
        self._store = store
        self._gate = gate
        self._recorder = recorder
        self._owner = owner
        self._settings = settings
        self._on_step = on_step
        self._looking = Looking(
            name,
            provisioner,
            store=store,
            ledger=ledger,
            gate=gate,
            push=push,
            groundwork=groundwork,
            settings=settings,
            on_step=on_step,
            wipes=frozenset(spec.wipes),
        )
        self._acting = Acting(
            name,
            provisioner,
            spec.limits.parallel,
            clock=store.clock,
            gate=gate,
            push=push,
            settings=settings,
            on_step=on_step,
            on_done=self._complete,
        )
        self._attempts: dict[str, Attempt] = {}
        self._done: deque[Attempt] = deque()
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._written = 0.0
        self._patience = Backoff(settings.idle_s, settings.poll_cap_s, lambda: 0.0)
        self.stumbles = 0
        """How many rounds in a row have failed up to now, the last of them with `fault`."""
        self.fault: Exception | None = None

    # --- The loop ---

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`; then finish what is running and give back what has not begun."""
        while not stop.is_set():
            if not self._round():
                self._news.wait(self._patience.delay(self.stumbles))
                self._news.clear()
        self.close()

    def _round(self) -> int:
        try:
            self._acting.tend()
            worked = (self.finish() if self._ripe() else 0) + self.start()
        except Exception as error:  # noqa: BLE001 (the next round may find the world mended)
            self._stumble(error)
            return 0
        self.stumbles, self.fault = 0, None
        return worked

    def _ripe(self) -> bool:
        """Whether to write what is done: at once, but while much is under way, much together."""
        few = len(self._done) < self._settings.batch // 2
        much = len(self._attempts) - len(self._done) >= self._settings.batch
        return not (few and much) or monotonic() - self._written > self._settings.gather_s

    def _stumble(self, error: Exception) -> None:
        # Told once: a disk may stay full for a night.
        news = repr(error) != repr(self.fault)
        self.stumbles, self.fault = self.stumbles + 1, error
        if news and isinstance(error, UnavailableError):
            LOG.warning("%s: %s", self.name, plain(error))
        elif news:
            LOG.error("%s: the lane stumbled and goes on", self.name, exc_info=error)

    def step(self) -> int:
        """Do what is due now and wait until it is done and written; return how much it was."""
        started = self.start()
        while self._attempts:
            self._acting.tend()
            if not self.finish():
                self._news.wait(self._settings.idle_s)
                self._news.clear()
        return started

    def wake(self) -> None:
        """Look at the queue now: something was put into it by this process."""
        self._news.set()

    def close(self) -> None:
        """Finish the actions that are running and write what came of them; leases run out."""
        self._acting.close()
        try:
            while self.finish():
                pass
        except UnavailableError as error:
            # Leases run out by themselves, and what was done is found in the cloud by its mark.
            LOG.warning("%s: %s", self.name, plain(error))
        self._attempts.clear()

    def finish(self) -> int:
        """Write what is done; return how many attempts that were."""
        ready: list[Attempt] = []
        while self._done and len(ready) < self._settings.batch:
            ready.append(self._done.popleft())
        if not ready:
            return 0
        self._written = monotonic()
        try:
            later = self._write(ready)
        except BaseException:
            self._done.extendleft(reversed(ready))
            raise
        postponed = [attempt for attempt in ready if attempt.claim.uid in later]
        self._done.extend(postponed)
        with self._lock:
            for attempt in ready:
                if attempt.claim.uid not in later:
                    self._attempts.pop(attempt.claim.uid, None)
        self._groundwork.give_back(
            attempt.system for attempt in ready if attempt.gone and attempt.claim.uid not in later
        )
        return len(ready) - len(postponed)

    def _write(self, ready: Sequence[Attempt]) -> set[str]:
        """Write what came of attempts; return what must be written later.

        What the database takes from nobody is found by halving, so that the others go on (R6).
        """
        try:
            return self._recorder.write([self._outcome(attempt) for attempt in ready])
        except UnavailableError:
            raise
        except Exception as error:
            if len(ready) > 1:
                middle = len(ready) // 2
                return self._write(ready[:middle]) | self._write(ready[middle:])
            [attempt] = ready
            LOG.exception("%s: %s cannot be written", self.name, attempt.claim.uid)
            if not attempt.spoilt:
                attempt.spoil(unplanned(error))
                return self._write(ready)
            return set()  # Its lease runs out, and it is tried again.

    # --- Leases ---

    def renew(self) -> None:
        """Let the leases of what is being worked on live on; called by the keeper's thread.

        One that ran out is never revived by another lease on the same object: somebody else may
        have been at it in between.
        """
        with self._lock:
            attempts = dict(self._attempts)
        if not attempts:
            return
        with self._store.unit(CONTROLLER) as unit:
            until = unit.now + timedelta(seconds=self._settings.lease_s)
            alive = [uid for uid, attempt in attempts.items() if attempt.lease_until > unit.now]
            kept = work.renew(unit.session, self._owner, alive, unit.now, until)
        for uid in kept:
            attempts[uid].lease_until = until

    # --- Beginning attempts ---

    def start(self) -> int:
        """Claim what is due, as far as there is room, and begin it; return how much it was."""
        room = self._acting.room(len(self._attempts))
        if not room or self._gate.paused_until("find") is not None:
            return 0
        claims, until = self._claim(room)
        if not claims:
            return 0
        self._on_step("claimed", ",".join(claim.uid for claim in claims))
        attempts, world = self._read(claims, until)
        with self._lock:
            self._attempts |= {attempt.claim.uid: attempt for attempt in attempts}
        try:
            self._looking.look(attempts, world)
            self._on_step("planned", ",".join(attempt.claim.uid for attempt in attempts))
            self._admit(attempts)
            self._looking.raise_quotas(attempts, world)
        except UnavailableError as error:
            LOG.warning("%s: %s", self.name, plain(error))
            withhold(attempts, self._store.clock.now())
        for attempt in attempts:
            self._acting.begin(attempt)
        return len(claims)

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
        today = city_day(self._store.clock.now())
        with self._store.reading() as session:
            rows = desired.with_status(session, list(by_uid))
            world = World.read(session, today)
            world.add_systems(session, (wanted for wanted, _ in rows))
            braked = clouds.braked(session, self.name)
        attempts = [
            Attempt(by_uid[wanted.uid], wanted, Status.read(status), until, braked=braked)
            for wanted, status in rows
        ]
        self._forget(set(by_uid) - {wanted.uid for wanted, _ in rows})
        return attempts, world

    def _forget(self, uids: set[str]) -> None:
        """Take off the queue what is no more."""
        if uids:
            with self._store.unit(CONTROLLER) as unit:
                work.forget(unit.session, sorted(uids))

    def _admit(self, attempts: Sequence[Attempt]) -> None:
        """Let nothing be built that has lost its reservation and fits into the quota no more (Q1).

        Reservations last for days, and are renewed while they are worked on: they lapse where
        nobody could work on them for so long, and others may have the quota now.
        """
        begun = {key_of(attempt.wanted): attempt for attempt in attempts if attempt.builds}
        for key, refusals in self._recorder.readmit(list(begun)).items():
            begun[key].conditions = over_quota(refusals[0])

    def _outcome(self, attempt: Attempt) -> Outcome:
        outcome = attempt.outcome()
        if outcome.conditions is None:
            return outcome
        return replace(outcome, conditions=in_words_of(self._provider, outcome.conditions))

    def _complete(self, attempt: Attempt) -> None:
        self._done.append(attempt)
        self._news.set()
