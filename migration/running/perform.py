"""Doing a task: a play on hosts, machines requested, checks that it serves. What came of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from govcloud.domain.access import Actor, Role
from govcloud.domain.kinds.governance import WaveSpec
from govcloud.domain.kinds.moving import Move
from govcloud.domain.manifest import Manifest, SourceFile, load
from govcloud.errors import ConflictError, GovcloudError, InvalidInputError, Text
from govcloud.messages import DEFAULT_LANGUAGE, render
from govcloud.ports.abilities import Stop
from govcloud.requests.desk import Desk
from govcloud.requests.life import TRANSITIONS, State
from govcloud.requests.life import Verdict as Judged
from govcloud.store import moves, requests
from govcloud.store.unit import Store
from migration.running import hosts, settings
from migration.running.health import healthy
from migration.running.model import Does, Task, Wish
from migration.running.port import Play, Played, Player, Stage, Told, Verdict
from migration.running.steps import CRITICAL

MBPS: Final = 1_000_000 / 8 / 1024
"""KiB/s in a Mbit/s."""
Tell = Callable[[Told], None]
_LOST: Final = frozenset({State.REJECTED, State.WITHDRAWN, State.RETURNED})


@dataclass(frozen=True, slots=True)
class Pending:
    """Not done yet: asked again after a while."""

    text: Text


Outcome = Played | Pending


@dataclass(frozen=True, slots=True)
class Job:
    """A task of a system with all that it takes; `wish` is who ran it, `number` the attempt's."""

    uid: str
    department: str
    system: str
    wave_name: str
    task: Task
    move: Move
    wish: Wish
    number: int
    wave: WaveSpec | None = None
    closes: datetime | None = None


@dataclass(frozen=True, slots=True)
class Performer:
    """Does tasks; `work` is told of by those that last. Never raises for what hosts do."""

    store: Store
    desk: Desk
    player: Callable[[], Player]
    healthy: Callable[[Move, Stop, float], str] = field(default=healthy)

    def perform(self, job: Job, tell: Tell, stop: Stop) -> Outcome:
        """Do a task to its end, or until `stop`."""
        ways: dict[Does, Callable[[], Outcome]] = {
            Does.PLAY: lambda: self._play(job, tell, stop),
            Does.PREFLIGHT: lambda: self._preflight(job),
            Does.PROVISION: lambda: self._provision(job),
            Does.WITHDRAW: lambda: self._withdraw(job),
            Does.HEALTH: lambda: self._health(job, stop),
            Does.MARK: lambda: Played(Verdict.OK),
        }
        return ways[job.task.does]()

    # --- On hosts ---

    def _play(self, job: Job, tell: Tell, stop: Stop) -> Played:
        with self.store.reading() as session:
            found = hosts.endpoints(session, job.department, job.move)
            machine = hosts.machines(session, job.department, [job.task.target])
        task = job.task
        request = next((row.request_id for row in machine.values() if row.request_id), "")
        lacking = [name for name in (task.source, task.target) if name not in found]
        if lacking:
            return failed("migrate.run_no_address", hosts=sorted(set(lacking)))
        bound = job.closes is not None and task.step in CRITICAL
        timeout = max(1.0, self._left_s(job)) if bound else None
        play = Play(
            key=f"gc-{job.uid[:12]}-{task.part}",
            role=task.role,
            stage=task.stage,
            source=found[task.source],
            target=found[task.target],
            mode=task.mode,
            settings=task.settings,
            secrets=task.secrets,
            bandwidth_kib=bandwidth_kib(job.move, job.wave) if task.stage is Stage.SYNC else None,
            timeout_s=timeout,
            about={
                "department": job.department,
                "system": job.system,
                "wave": job.wave_name,
                "step": task.step.value,
                "workload": task.part,
                "request": request,
            },
        )
        return self.player().play(play, tell, stop)

    def _health(self, job: Job, stop: Stop) -> Played:
        """Check within the window: what serves after its end only is taken back as late."""
        wrong = self.healthy(job.move, stop, self._left_s(job))
        late = self._left_s(job) <= 0
        if not wrong and not late:
            return Played(Verdict.OK, {"checks": len(job.move.health)})
        stopped = late or stop.is_set()
        return Played(Verdict.STOPPED if stopped else Verdict.FAILED, message=wrong)

    def _left_s(self, job: Job) -> float:
        """Return how many seconds the window is open yet."""
        if job.closes is None:
            return math.inf
        return (job.closes - self.store.clock.now()).total_seconds()

    # --- In the register ---

    def _preflight(self, job: Job) -> Played:
        for fault in settings.faults(job.move, self.player().roles()):
            return failed(fault.key, field=fault.field, **fault.params)
        with self.store.reading() as session:
            found = hosts.endpoints(session, job.department, job.move)
        lacking = [one.host for one in job.move.sources if one.host not in found]
        if lacking:
            return failed("migrate.run_no_address", hosts=lacking)
        return Played(Verdict.OK, {"workloads": len(job.move.workloads)})

    def _provision(self, job: Job) -> Outcome:
        wanted = hosts.wanted(job.move)
        with self.store.reading() as session:
            rows = hosts.machines(session, job.department, wanted)
            found = hosts.endpoints(session, job.department, job.move)
            request = requests.by_idempotency_key(session, job.department, key_of(job))
        absent = [name for name in wanted if name not in rows]
        if request is not None and State(request.state) in _LOST:
            params = {"request": request.id, "state": request.state}
            return failed("migrate.run_request_lost", **params)
        if absent and request is None:
            return self._submit(job, absent)
        if absent and request is not None:
            if State(request.state) is State.REVIEW:
                return Pending(Text("migrate.run_wait_request", {"request": request.id}))
            # The plan or the machines have changed since; going on asks for what is missing.
            return failed("migrate.run_request_short", request=request.id, machines=absent)
        waiting = [n for n in wanted if not rows[n].ready or n not in found]
        if waiting:
            return Pending(Text("migrate.run_wait_machines", {"machines": waiting}))
        return Played(Verdict.OK, {"machines": len(wanted)})

    def _submit(self, job: Job, absent: Sequence[str]) -> Outcome:
        try:
            request = self.desk.submit(
                actor_of(job.wish, job.department),
                manifests(job.move.machines, job.department),
                title=_said("migrate.run_request_title", system=f"{job.department}/{job.system}"),
                justification=_said("migrate.run_request_why", system=job.system),
                idempotency_key=key_of(job),
            )
        except GovcloudError as error:
            params = {"machines": list(absent), "message": explained(error)}
            return failed("migrate.run_not_submitted", **params)
        return Pending(Text("migrate.run_wait_request", {"request": request.id}))

    def _withdraw(self, job: Job) -> Outcome:
        """Take back what was asked for; what was decided on is no wish any more, and stays."""
        with self.store.reading() as session:
            move = moves.find(session, job.uid)
            asked = move.request_id if move is not None else None
            actor = actor_of(job.wish, job.department)
            request = requests.get_request(session, actor, asked) if asked else None
        if request is None or (State(request.state), Judged.WITHDRAW) not in TRANSITIONS:
            return Played(Verdict.OK)
        note = _said("migrate.run_withdrawn", system=f"{job.department}/{job.system}")
        try:
            self.desk.decide(actor, request.id, Judged.WITHDRAW, version=request.version, note=note)
        except ConflictError:  # Somebody decides on it at this moment.
            return Pending(Text("migrate.run_wait_request", {"request": request.id}))
        return Played(Verdict.OK)


def key_of(job: Job) -> str:
    """Return what makes an attempt's request the same, however often it is handed in."""
    return f"migrate-{job.uid}-{job.number}"


def actor_of(wish: Wish, department: str) -> Actor:
    """Return who asks for machines: whoever ran the migration."""
    role = Role(wish.role)
    return Actor(wish.actor, role, department if role is Role.APPLICANT else wish.department)


def manifests(documents: Sequence[dict[str, Any]], department: str) -> tuple[Manifest, ...]:
    """Return the documents of machines; InvalidInputError with every fault."""
    import json

    text = "\n---\n".join(json.dumps(one, ensure_ascii=False) for one in documents)
    loaded = load([SourceFile("move.machines", text)], department)
    if loaded.diagnostics:
        raise InvalidInputError(loaded.diagnostics)
    return loaded.manifests


def bandwidth_kib(move: Move, wave: WaveSpec | None) -> int | None:
    """Return the most KiB/s for one system: its own limit, or its share of the wave's."""
    if move.bandwidth_ki_b is not None:
        return move.bandwidth_ki_b
    if wave is None or wave.bandwidth_mbps is None:
        return None
    return max(1, int(wave.bandwidth_mbps * MBPS / wave.parallel))


def failed(key: str, **params: object) -> Played:
    """Return a failure with a sentence of the catalogue."""
    return Played(Verdict.FAILED, message=_said(key, **params))


def _said(key: str, **params: object) -> str:
    return render(key, DEFAULT_LANGUAGE, params)


def explained(error: GovcloudError) -> str:
    """Return what an error says, with what stands behind it."""
    said = [_said(error.key, **error.params)]
    if isinstance(error, InvalidInputError):
        said += [_said(one.key, **one.params) for one in error.diagnostics[:5]]
    for found in getattr(error, "findings", ())[:5]:
        said.append(f"{found['rule']}: {_said(found['key'], **found['params'])}")
    for refusal in getattr(error, "refusals", ())[:3]:
        said.append(", ".join(f"{name} {value}" for name, value in refusal.items()))
    return " ".join(said)
