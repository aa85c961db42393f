"""The lane of migrations in a controller: several systems at once, each under a lease.

A task's beginning is written before it is done and its end after; what was begun and not ended is
done again by whoever comes next (M2). No task begins without the lease, what came of one is written
only under it, and a play whose lease has run out is stopped (R9).
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from govcloud.domain.access import CONTROLLER
from govcloud.domain.kinds.governance import MigrationState
from govcloud.errors import GovcloudError, Text, UnavailableError
from govcloud.policy.context import city_day
from govcloud.store import moves, objects, work
from govcloud.store.requests import exclude
from govcloud.store.tables import MoveRow, ObjectRow
from govcloud.store.unit import Store, Unit
from migration.running import journal
from migration.running.model import Case, Decision, Do, Halt, Over, Verb, Wait
from migration.running.next import critical, going_back, next_step, state_of
from migration.running.perform import Job, Outcome, Pending, Performer
from migration.running.port import Played, Told, Verdict
from migration.running.steps import tasks

LOG: Final = logging.getLogger(__name__)
OnStep = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """The lane's numbers, in seconds but for `hands`."""

    hands: int = 16
    """Systems worked on at once by one controller."""
    lease_s: float = 30.0
    idle_s: float = 1.0
    """Between looks at the queue, at wishes, and between two words of a play."""
    poll_s: float = 5.0
    """Between looks at machines that are asked for, and at a wave that is full."""
    failed_s: float = 30.0
    """After an error of this program's own."""


@dataclass(slots=True)
class _Work:
    """One system in hand."""

    uid: str
    until: datetime
    number: int
    """Of the last wish or step that was seen: a later pause or rollback stops the play."""
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None


class Lane:
    """Migrations under way; fulfils `govcloud.reconcile.controller.Beside`."""

    name = "migrations"

    def __init__(
        self,
        store: Store,
        performer: Performer,
        owner: str,
        pace: Pace | None = None,
        on_step: OnStep = lambda _name, _about: None,
    ) -> None:
        self._store, self._performer, self._owner = store, performer, owner
        self._pace, self._on_step = pace or Pace(), on_step
        self._works: dict[str, _Work] = {}
        self._lock = threading.Lock()

    # --- The loop ---

    def run(self, stop: threading.Event) -> None:
        """Work until `stop`; then stop what is played, write what came of it, give leases back."""
        while not stop.wait(self._pace.idle_s):
            try:
                self._guarded(self.start)
            except Exception:
                # Whoever ended here would heed no wish any more, while plays go on.
                LOG.exception("migrations: the lane stumbled and goes on")
        self.close()

    def run_once(self, stop: threading.Event) -> None:
        """Do all that is due, and what that makes due, until something has to be waited for."""
        while not stop.is_set():
            self._guarded(self.start)
            if not self._works and not self._due():
                break
            stop.wait(min(self._pace.idle_s, 0.05))
        self.close()

    def start(self) -> int:
        """Take up what is due, as far as hands are free, and heed wishes; return how many."""
        self._heed()
        with self._lock:
            room = self._pace.hands - len(self._works)
        if room <= 0 or not self._due():
            return 0
        claimed = self._claim(room)
        for taken in claimed:
            taken.thread = threading.Thread(
                target=self._turn, args=(taken,), name=f"migration-{taken.uid[:8]}", daemon=True
            )
            taken.thread.start()
        return len(claimed)

    def close(self) -> None:
        """Stop what is played and wait until what came of it is written."""
        with self._lock:
            found = list(self._works.values())
        for taken in found:
            taken.stop.set()
        for taken in found:
            if taken.thread is not None:
                taken.thread.join()

    def renew(self) -> None:
        """Renew the leases; a play whose lease was lost is stopped."""
        now = self._store.clock.now()
        until = now + timedelta(seconds=self._pace.lease_s)
        with self._lock:
            found = dict(self._works)
        if not found:
            return
        with self._store.unit(CONTROLLER) as unit:
            kept = work.renew(unit.session, self._owner, list(found), now, until)
        for uid in kept:
            found[uid].until = until

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except (GovcloudError, OSError) as error:
            LOG.warning("migrations: %s", error)

    def _due(self) -> bool:
        with self._store.reading() as session:
            return work.anything_due(session, moves.QUEUE, self._store.clock.now())

    def _heed(self) -> None:
        """Stop plays that somebody wants to end, and those whose lease has run out."""
        now = self._store.clock.now()
        with self._lock:
            found = dict(self._works)
        if not found:
            return
        with self._store.reading() as session:
            rows = moves.of_plans(session, found)
            for uid, taken in found.items():
                if now >= taken.until or (uid in rows and _unwanted(session, rows[uid], taken)):
                    taken.stop.set()

    def _claim(self, room: int) -> list[_Work]:
        """Lease what is due, but no more of a wave than it may work on at once."""
        now = self._store.clock.now()
        until = now + timedelta(seconds=self._pace.lease_s)
        taken: list[_Work] = []
        with self._store.unit(CONTROLLER) as unit:
            exclude(unit.session, "migrations")
            claims = work.claim(
                unit.session, moves.QUEUE, self._owner, limit=room, now=now, until=until
            )
            rows = moves.of_plans(unit.session, [claim.uid for claim in claims])
            later = now + timedelta(seconds=self._pace.poll_s)
            put_off: list[work.Done] = []
            for claim in claims:
                row = rows.get(claim.uid)
                if row is None:
                    continue
                left = [c.uid for c in claims if c.uid not in [t.uid for t in taken]]
                if claim.uid in self._works:
                    # Its lease ran out while this lane was at it: what comes of that must not find
                    # a new lease to be written under, for another may have been at it meanwhile.
                    put_off.append(work.Done(claim.uid, now))
                elif self._full(unit, row, left, now):
                    put_off.append(work.Done(claim.uid, later))
                else:
                    taken.append(_Work(claim.uid, until, row.counter))
            work.finish(unit.session, self._owner, put_off)
        with self._lock:
            self._works |= {one.uid: one for one in taken}
        return taken

    def _full(self, unit: Unit, row: MoveRow, unsure: list[str], now: datetime) -> bool:
        """Whether a wave has no place for one more; who is in its window is never put off."""
        wave = journal.wave_of(unit.session, row.wave)
        if wave is None or moves.at_work(unit.session, row.wave, unsure, now) < wave.parallel:
            return False
        plan = unit.session.get(ObjectRow, row.uid)
        if plan is None:
            return False
        case = journal.case_of(unit.session, row, plan)
        way = tasks(case.move)
        return not critical(case, way) and going_back(case, way, now) is None

    # --- One system ---

    def _turn(self, taken: _Work) -> None:
        """Go on with one system until something has to be waited for."""
        try:
            while not taken.stop.is_set() and self._one(taken):
                pass
            self._back(taken)
        except UnavailableError as error:
            LOG.warning("migration %s: %s", taken.uid, error)
        except Exception:
            LOG.exception("migration %s", taken.uid)
            self._guarded(lambda: self._later(taken))
        finally:
            with self._lock:
                self._works.pop(taken.uid, None)

    def _one(self, taken: _Work) -> bool:
        """Decide and do one task; return whether there may be another at once."""
        job = self._begin(taken)
        if job is None:
            return False
        self._on_step("begun", job.task.step.value)
        outcome = self._performer.perform(job, self._teller(taken), taken.stop)
        self._on_step("done", job.task.step.value)
        more = self._end(taken, job, outcome)
        self._on_step("ended", job.task.step.value)
        return more

    def _begin(self, taken: _Work) -> Job | None:
        """Write that the next task begins, and return it; None: there is none, and that is kept."""
        with self._store.unit(CONTROLLER) as unit:
            found = self._read(unit, taken)
            if found is None:
                return None
            row, plan, case = found
            decided = next_step(case, unit.now)
            self._settle(unit, row, plan, case, decided)
            if not isinstance(decided, Do):
                return None
            number = journal.begin(unit, row, case, decided, self._owner)
            taken.number = row.counter
            return Job(
                row.uid,
                row.department,
                row.system,
                row.wave,
                decided.task,
                case.move,
                case.wishes[0],
                number,
                journal.wave_of(unit.session, row.wave),
                case.window.closes if case.window else None,
            )

    def _end(self, taken: _Work, job: Job, outcome: Outcome) -> bool:
        with self._store.unit(CONTROLLER) as unit:
            found = self._read(unit, taken)
            if found is None:
                return False
            row, plan, _ = found
            if isinstance(outcome, Pending):
                journal.say(row, "waiting", outcome.text)
                row.request_id = str(outcome.text.params.get("request") or row.request_id or "")
                self._release(unit, row.uid, unit.now + timedelta(seconds=self._pace.poll_s))
                return False
            journal.end(unit, row, job.number, outcome)
            unit.session.flush()
            case = journal.case_of(unit.session, row, plan)
            decided = next_step(case, unit.now)
            _audit(unit, row, job, outcome)
            return self._settle(unit, row, plan, case, decided)

    def _read(self, unit: Unit, taken: _Work) -> tuple[MoveRow, ObjectRow, Case] | None:
        """Lock a migration under its lease; None where the lease is another's, or the plan gone."""
        # The plan first, since people edit it meanwhile; then the migration; then its place in the
        # queue: in the order of those who wish something of it.
        plan = objects.held(unit.session, taken.uid)
        row = moves.find(unit.session, taken.uid, lock=True)
        if taken.uid not in work.held(unit.session, self._owner, [taken.uid], unit.now):
            return None
        if row is None or plan is None:
            work.forget(unit.session, [taken.uid])
            return None
        return row, plan, journal.case_of(unit.session, row, plan)

    def _settle(
        self, unit: Unit, row: MoveRow, plan: ObjectRow, case: Case, decided: Decision
    ) -> bool:
        """Write what is decided: the plan's state, what is waited for, when to look next."""
        state = state_of(case, decided)
        if state is not None:
            journal.reach(unit, plan, state)
        if isinstance(decided, Do):
            return True
        if isinstance(decided, Over):
            row.live = decided.state is not MigrationState.ROLLED_BACK
            journal.say(row, "over", self._why_over(case, decided, unit.now))
            self._release(unit, row.uid, None)
        else:
            journal.say(row, "halted" if isinstance(decided, Halt) else "waiting", decided.text)
            until = decided.until if isinstance(decided, Wait) else None
            self._release(unit, row.uid, until)
        row.step = row.part = row.task = ""
        row.bytes_done = row.bytes_total = None
        unit.session.add(row)
        return False

    @staticmethod
    def _why_over(case: Case, decided: Over, now: datetime) -> Text | None:
        if decided.state is not MigrationState.ROLLED_BACK:
            return Text("migrate.run_closed", {"on": city_day(now)})
        return going_back(case, tasks(case.move), now)

    def _release(self, unit: Unit, uid: str, due: datetime | None) -> None:
        work.finish(unit.session, self._owner, [work.Done(uid, due)])

    def _back(self, taken: _Work) -> None:
        """Give a system back that was left in the middle, to be gone on with at once."""
        with self._store.unit(CONTROLLER) as unit:
            if work.held(unit.session, self._owner, [taken.uid], unit.now):
                self._release(unit, taken.uid, unit.now)

    def _later(self, taken: _Work) -> None:
        with self._store.unit(CONTROLLER) as unit:
            due = unit.now + timedelta(seconds=self._pace.failed_s)
            if work.held(unit.session, self._owner, [taken.uid], unit.now):
                self._release(unit, taken.uid, due)

    def _teller(self, taken: _Work) -> Callable[[Told], None]:
        """Return what writes down what a play says, not more often than people look."""
        pause = timedelta(seconds=self._pace.idle_s)
        last: list[datetime] = []

        def tell(told: Told) -> None:
            now = self._store.clock.now()
            if last and now - last[0] < pause:
                return
            last[:] = [now]
            values = {"task": told.task, "told_at": now}
            if told.bytes_done is not None:
                values |= {"bytes_done": told.bytes_done, "bytes_total": told.bytes_total}
            self._guarded(lambda: self._write(taken.uid, values))

        return tell

    def _write(self, uid: str, values: dict[str, object]) -> None:
        with self._store.unit(CONTROLLER) as unit:
            moves.tell(unit.session, uid, values)


def _unwanted(session: object, row: MoveRow, taken: _Work) -> bool:
    """Whether somebody has wished for an end of what is played since it began."""
    if row.counter <= taken.number:
        return False
    verbs = {wish.verb for wish in moves.wishes(session, row) if wish.number > taken.number}  # type: ignore[arg-type]
    return bool(verbs & {Verb.PAUSE.value, Verb.ROLLBACK.value})


def _audit(unit: Unit, row: MoveRow, job: Job, played: Played) -> None:
    unit.audit(
        f"migration.{job.task.step.value}",
        f"{row.department}/{row.system}",
        department=row.department,
        outcome="ok" if played.verdict is Verdict.OK else played.verdict.value,
        detail={"part": job.task.part, "number": job.number, "run": row.run},
    )
