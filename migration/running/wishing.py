"""Whether a wish can be fulfilled as a migration stands, and by whom it may be wished."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from govcloud.domain.access import Actor, Permission, Role
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.governance import MigrationPlanSpec, MigrationState
from govcloud.errors import (
    ConflictError,
    Diagnostic,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UsageError,
)
from govcloud.policy.context import city_day
from govcloud.requests import moving
from govcloud.store import moves
from govcloud.store.tables import MoveRow, ObjectRow
from govcloud.store.unit import Unit
from migration.running import gates, hosts, rooms, settings
from migration.running.model import Case, Party, StepName, Verb
from migration.running.next import critical, going_back, paused, stuck
from migration.running.steps import CRITICAL, tasks

PARTY: Final[Mapping[Role, Party]] = {
    Role.APPLICANT: Party.UNIT,
    Role.APPROVER: Party.AUTHORITY,
    Role.ADMINISTRATOR: Party.AUTHORITY,
    Role.OPERATOR: Party.PROVIDER,
}
"""For whom each role signs; the unit's is its own department's, the others of no department."""
_READY: Final = frozenset(
    {
        MigrationState.ASSESSED,
        MigrationState.PLAN_APPROVED,
        MigrationState.ROLLED_BACK,
        MigrationState.STOPPED,
    }
)
"""States from which a run may begin."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish with what was said beside it; without `dry_run` it is written."""

    verb: Verb
    note: str = ""
    backup: datetime | None = None
    waiver: str = ""
    host: str = ""
    part: str = ""
    evidence: Mapping[str, str] | None = None
    dry_run: bool = False


_EVIDENCE: Final = ("off", "wiped", "disposal", "asset")


def asked_of(verb: Verb, told: Mapping[str, Any]) -> Asked:
    """Return a wish from what a caller says beside it."""
    evidence = {name: str(told[name]) for name in _EVIDENCE if told.get(name)}
    rest = {name: value for name, value in told.items() if name not in _EVIDENCE}
    return Asked(verb, evidence=evidence, **rest)


@dataclass(frozen=True, slots=True)
class Scene:
    """One system's migration as it stands when somebody wishes something of it."""

    unit: Unit
    plan: ObjectRow
    spec: MigrationPlanSpec
    roles: Callable[[], settings.Roles]
    row: MoveRow | None = None
    case: Case | None = None

    @property
    def key(self) -> str:
        """What the system is called."""
        return f"{self.spec.department}/{self.spec.system}"

    def live(self) -> tuple[MoveRow, Case]:
        """Return the run; ConflictError where there is none."""
        if self.row is None or self.case is None or not self.row.live:
            raise ConflictError("migrate.run_not_running", system=self.key)
        return self.row, self.case


def check(scene: Scene, asked: Asked) -> dict[str, Any]:
    """Return what is to be kept of a wish; raises what speaks against it."""
    _entitled(scene.unit.actor, scene.spec.department, asked.verb)
    return _WAYS[asked.verb](scene, asked)


def _entitled(actor: Actor, department: str, verb: Verb) -> None:
    if verb is Verb.ACCEPT:
        party_of(actor, department)
        return
    own = actor.may(Permission.SUBMIT) and actor.department in ("", department)
    if not (own or actor.may(Permission.OPERATE)):
        raise ForbiddenError("migrate.run_forbidden", role=actor.role)


def party_of(actor: Actor, department: str) -> Party:
    """Return for whom somebody signs; ForbiddenError for whom nobody has asked."""
    party = PARTY.get(actor.role)
    home = department if party is Party.UNIT else ""
    if party is None or actor.read_only or actor.department != home:
        raise ForbiddenError("migrate.run_may_not_sign", role=actor.role)
    return party


def _run(scene: Scene, asked: Asked) -> dict[str, Any]:
    del asked
    spec, session = scene.spec, scene.unit.session
    if scene.row is not None and scene.row.live:
        raise ConflictError("migrate.run_running", system=scene.key)
    if spec.move is None:
        raise ConflictError("migrate.run_no_move", system=scene.key, plan=scene.plan.name)
    if spec.state not in _READY:
        raise ConflictError("migrate.run_not_ready", system=scene.key, state=spec.state.value)
    found = [
        Diagnostic(fault.key, fault.params, field=f"spec.move.{fault.field}")
        for fault in settings.faults(spec.move, scene.roles())
    ]
    if found:
        raise InvalidInputError(found)
    unknown = hosts.unregistered(session, spec.department, spec.move)
    if unknown:
        raise ConflictError("migrate.run_source_unknown", hosts=unknown)
    absent = hosts.absent(session, spec.department, spec.move)
    if absent and not spec.move.machines:
        raise ConflictError("migrate.run_no_machines", machines=absent)
    if absent and not scene.unit.actor.may(Permission.SUBMIT):
        raise ForbiddenError("migrate.run_cannot_submit", machines=absent)
    return {}


def _forward(scene: Scene) -> Case:
    """Return a run that still goes forward; ConflictError: nothing would come of the wish."""
    _, case = scene.live()
    if any(entry.step is StepName.CLOSE and entry.ok for entry in case.entries):
        raise ConflictError("migrate.run_complete", system=scene.key)
    if going_back(case, tasks(case.move), scene.unit.now) is not None:
        raise ConflictError("migrate.run_goes_back", system=scene.key)
    return case


def _pause(scene: Scene, asked: Asked) -> dict[str, Any]:
    del asked
    case = _forward(scene)
    if critical(case, tasks(case.move)):
        raise ConflictError("migrate.run_no_pause", system=scene.key)
    if paused(case):
        raise ConflictError("migrate.run_is_paused", system=scene.key)
    return {}


def _resume(scene: Scene, asked: Asked) -> dict[str, Any]:
    del asked
    _, case = scene.live()
    if going_back(case, tasks(case.move), scene.unit.now) is None:
        _forward(scene)
    return {}


def _cutover(scene: Scene, asked: Asked) -> dict[str, Any]:
    case = _forward(scene)
    now = scene.unit.now
    if any(entry.step in CRITICAL for entry in case.entries):
        raise ConflictError("migrate.run_cut_already", system=scene.key)
    if case.window is None:
        raise ConflictError("migrate.run_no_window", system=scene.key)
    if now >= case.window.closes:
        raise ConflictError("migrate.run_window_over", at=case.window.closes)
    if asked.waiver:
        if scene.unit.actor.role is not Role.ADMINISTRATOR:
            raise ForbiddenError("migrate.run_may_not_waive", role=scene.unit.actor.role)
        return {"waiver": asked.waiver, "closes": case.window.closes.isoformat()}
    if asked.backup is None:
        raise UsageError("migrate.run_backup_needed")
    if asked.backup > now or now - asked.backup > gates.BACKUP_AGE:
        raise ConflictError("migrate.run_backup_old", at=asked.backup)
    return {"backup": asked.backup.isoformat(), "closes": case.window.closes.isoformat()}


def _verify(scene: Scene, asked: Asked) -> dict[str, Any]:
    del asked
    case = _forward(scene)
    copied = any(entry.step is StepName.INITIAL_SYNC and entry.ok for entry in case.entries)
    if not copied or critical(case, tasks(case.move)):
        raise ConflictError("migrate.run_nothing_to_verify", system=scene.key)
    return {}


def _rollback(scene: Scene, asked: Asked) -> dict[str, Any]:
    del asked
    _, case = scene.live()
    if case.last(Verb.ROLLBACK) is not None:
        raise ConflictError("migrate.run_goes_back", system=scene.key)
    signed = len(case.signatures()) == len(Party)
    if signed or any(entry.step is StepName.ACCEPT for entry in case.entries):
        raise ConflictError("migrate.run_accepted", system=scene.key)
    return {}


def _abandon(scene: Scene, asked: Asked) -> dict[str, Any]:
    _, case = scene.live()
    given_up = stuck(case, scene.unit.now)
    if asked.part not in given_up:
        known = given_up or ["-"]
        raise ConflictError("migrate.run_not_stuck", part=asked.part, known=known)
    return {"part": asked.part}


def _accept(scene: Scene, asked: Asked) -> dict[str, Any]:
    del asked
    case = _forward(scene)
    actor, now = scene.unit.actor, scene.unit.now
    party, signed = party_of(actor, scene.spec.department), case.signatures()
    ends = gates.trial_ends(case)
    if ends is None:
        raise ConflictError("migrate.run_no_trial", system=scene.key)
    if now < ends:
        raise ConflictError("migrate.run_trial_lasts", system=scene.key, at=ends)
    if party in signed or actor.name in {wish.actor for wish in signed.values()}:
        by = signed[party].actor if party in signed else actor.name
        raise ConflictError("migrate.run_signed", party=party.label, by=by)
    return {"party": party.value}


def _from(scene: Scene, host: str) -> list[tuple[str, MigrationPlanSpec]]:
    """Return the migrations that run from a source, by uid; this one is among them."""
    return [
        (uid, spec)
        for uid, spec, move in moving.live(scene.unit.session, scene.spec.department)
        if host in [one.host for one in move.sources]
    ]


def _serving_elsewhere(scene: Scene, found: Iterable[tuple[str, MigrationPlanSpec]]) -> date | None:
    """Return the day on which the last of some systems was seen to serve from the cloud."""
    seen = [moves.serves_since(scene.unit.session, uid) for uid, _ in found]
    return max((city_day(at) for at in seen if at is not None), default=None)


def _source_off(scene: Scene, asked: Asked) -> dict[str, Any]:
    _, case = scene.live()
    sources = [one.host for one in case.move.sources]
    if not any(entry.step is StepName.ACCEPT and entry.ok for entry in case.entries):
        raise ConflictError("migrate.run_off_early", system=scene.key)
    if asked.host not in sources:
        raise NotFoundError("migrate.run_no_source", host=asked.host, known=sources)
    if asked.host in case.switched_off():
        raise ConflictError("migrate.run_off_already", host=asked.host)
    found = _from(scene, asked.host)
    others = {
        spec.system
        for uid, spec in found
        if uid != scene.plan.uid and spec.state not in moving.ACCEPTED
    }
    if others:
        raise ConflictError("migrate.run_off_needed", host=asked.host, systems=sorted(others))
    key = ObjectKey("LegacyHost", scene.spec.department, asked.host)
    staying = rooms.staying(scene.unit.session, key)
    if staying not in ("", scene.spec.system):
        raise ConflictError("migrate.run_off_carries", host=asked.host, system=staying)
    served = _serving_elsewhere(scene, found)
    return {"host": asked.host, **rooms.switch_off(scene.unit, key, asked.evidence or {}, served)}


_WAYS: Final[Mapping[Verb, Callable[[Scene, Asked], dict[str, Any]]]] = {
    Verb.RUN: _run,
    Verb.PAUSE: _pause,
    Verb.RESUME: _resume,
    Verb.CUTOVER: _cutover,
    Verb.VERIFY: _verify,
    Verb.ROLLBACK: _rollback,
    Verb.ABANDON: _abandon,
    Verb.ACCEPT: _accept,
    Verb.SOURCE_OFF: _source_off,
}
