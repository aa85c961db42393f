"""What people ask of migrations: wishes, within what each may wish, and views of how far it is.

Each wish is one unit of work, audited; the lane heeds it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from sqlmodel import Session

from govcloud.domain.access import Actor, Permission
from govcloud.domain.kinds.governance import MigrationPlanSpec
from govcloud.domain.kinds.moving import Move
from govcloud.domain.manifest import Manifest
from govcloud.errors import Diagnostic, InvalidInputError, NotFoundError
from govcloud.requests import together
from govcloud.requests.desk import Desk
from govcloud.store import moves, objects, work
from govcloud.store.tables import MoveRow, ObjectRow
from govcloud.store.unit import Store, Unit
from migration.running import hosts, journal, rooms, settings, views
from migration.running.model import Verb
from migration.running.perform import manifests as machine_manifests
from migration.running.port import Player
from migration.running.wishing import Asked, Scene, asked_of, check


class _RehearsedError(Exception):
    """Ends a unit that was only tried, so that it leaves no trace."""

    def __init__(self, shown: dict[str, Any]) -> None:
        super().__init__("rehearsed")
        self.shown = shown


def _unless_rehearsed(shown: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    if dry_run:
        raise _RehearsedError(shown)
    return shown


class Office:
    """Wishes and views of migrations; `player` says which roles there are.

    `desk` says what would become of a request for machines.
    """

    def __init__(self, store: Store, desk: Desk, player: Callable[[], Player]) -> None:
        self._store, self._desk, self._player = store, desk, player

    # --- Wishes ---

    def wish(
        self,
        actor: Actor,
        system: tuple[str, str],
        verb: str,
        told: Mapping[str, Any],
        tongue: str,
    ) -> dict[str, Any]:
        """Note what somebody wishes of a `(department, system)`, and return how it stands then.

        Raises NotFoundError for a system without a plan, ForbiddenError, ConflictError where it
        cannot be wished now, InvalidInputError for a plan that cannot be run. A dry run of `run`
        also raises what a request for its machines would.
        """
        asked = asked_of(Verb(verb), told)
        try:
            with self._store.unit(actor) as unit:
                scene = self._scene(unit, *system)
                detail = check(scene, asked)
                row = self._note(scene, asked, detail)
                shown = views.whole(unit.session, scene.plan, row, unit.now, tongue)
                return _unless_rehearsed(shown, dry_run=asked.dry_run)
        except _RehearsedError as rehearsed:
            if asked.verb is Verb.RUN:
                self._rehearse_request(actor, system)
            return rehearsed.shown

    def _rehearse_request(self, actor: Actor, system: tuple[str, str]) -> None:
        with self._store.reading() as session:
            lacking = _lacking(session, actor, [system])
        for spec, move in lacking:
            manifests = machine_manifests(move.machines, spec.department)
            self._desk.plan(actor, manifests).deny()

    def weigh(
        self, actor: Actor, systems: Iterable[tuple[str, str]], tongue: str
    ) -> dict[str, Any]:
        """Return what the machines that systems still lack would come to, requested at once.

        `systems` of the answer is how many lack machines; `quota` and `refusals` are as
        `together.plain` has them. What cannot be requested at all is left out: `wish` says why.
        """
        with self._store.reading() as session:
            lacking = _lacking(session, actor, systems)
        wanted = []
        for spec, move in lacking:
            with suppress(InvalidInputError):
                wanted.append(machine_manifests(move.machines, spec.department))
        verdict = self._desk.weigh(actor, wanted)
        return {"systems": len(wanted), **together.plain(verdict, tongue)}

    def _scene(self, unit: Unit, department: str, system: str) -> Scene:
        found = find_plan(unit.session, unit.actor, department, system)
        plan = objects.held(unit.session, found.uid)
        if plan is None:
            raise NotFoundError("migrate.run_no_plan", system=f"{department}/{system}")
        row = moves.find(unit.session, plan.uid, lock=True)
        spec = journal.plan_of(plan)
        case = None
        if row is not None and spec.move is not None:
            case = journal.case_of(unit.session, row, plan)
        return Scene(unit, plan, spec, lambda: self._player().roles(), row, case)

    @staticmethod
    def _note(scene: Scene, asked: Asked, detail: Mapping[str, Any]) -> MoveRow:
        unit = scene.unit
        row = scene.row or MoveRow(
            uid=scene.plan.uid,
            department=scene.spec.department,
            system=scene.spec.system,
            plan=scene.plan.name,
        )
        if asked.verb is Verb.RUN:
            row.wave = scene.spec.wave or ""
        journal.wish(unit, row, asked.verb, asked.note, detail)
        if row.word in ("", "over", "halted", "waiting"):
            journal.say(row, "queued")
        unit.session.add(row)
        unit.session.flush()
        work.enqueue(unit.session, [(row.uid, moves.QUEUE, scene.plan.generation)], unit.now)
        unit.audit(
            f"migration.{asked.verb.value}",
            scene.key,
            department=scene.spec.department,
            detail={"run": row.run, "note": asked.note, **detail},
        )
        return row

    # --- Views ---

    def listed(
        self, actor: Actor, tongue: str, *, wave: str | None = None, department: str | None = None
    ) -> list[dict[str, Any]]:
        """Return how far each system is that the actor may see, by department and system."""
        with self._store.reading() as session:
            objects.must_exist(session, actor, department=department)
            found = [
                row
                for row in visible_plans(session, actor, department)
                if wave is None or row.spec.get("wave") == wave
            ]
            rows = moves.of_plans(session, [row.uid for row in found])
            held = work.leased(session, rows, self._store.clock.now())
            return [
                views.brief(plan, rows.get(plan.uid), tongue, held=plan.uid in held)
                for plan in found
            ]

    def shown(self, actor: Actor, department: str, system: str, tongue: str) -> dict[str, Any]:
        """Return everything about one system's migration."""
        with self._store.reading() as session:
            plan = find_plan(session, actor, department, system)
            row = moves.find(session, plan.uid)
            return views.whole(session, plan, row, self._store.clock.now(), tongue)

    def log(self, actor: Actor, department: str, system: str, tongue: str) -> list[dict[str, Any]]:
        """Return wishes and steps of all runs, in order."""
        with self._store.reading() as session:
            plan = find_plan(session, actor, department, system)
            row = moves.find(session, plan.uid)
            return views.log(session, row, self._store.clock.now(), tongue) if row else []

    def evidence(self, actor: Actor, department: str, system: str, number: int) -> list[Any]:
        """Return what a step's play told, line by line; NotFoundError for no such step."""
        with self._store.reading() as session:
            plan = find_plan(session, actor, department, system)
            found = moves.evidence(session, plan.uid, number)
        if found is None:
            key = f"{department}/{system}"
            raise NotFoundError("migrate.run_no_step", number=number, system=key)
        return views.lines(found)

    def check(self, manifests: Iterable[Manifest]) -> None:
        """Raise InvalidInputError where roles are told what they do not take."""
        if found := list(self._faults(manifests)):
            raise InvalidInputError(found)

    def _faults(self, manifests: Iterable[Manifest]) -> Iterator[Diagnostic]:
        for manifest in manifests:
            spec = manifest.spec
            if isinstance(spec, MigrationPlanSpec) and spec.move is not None:
                for fault in settings.faults(spec.move, self._player().roles()):
                    field = f"spec.move.{fault.field}"
                    line, column = manifest.position(field)
                    yield Diagnostic(
                        fault.key,
                        fault.params,
                        file=manifest.file,
                        line=line,
                        column=column,
                        field=field,
                    )

    # --- Rooms ---

    def close_room(
        self, actor: Actor, department: str, room: str, evidence: str, confirmed_by: str
    ) -> dict[str, Any]:
        """Record that a server room is closed, where its definition holds (MIG-8)."""
        with self._store.unit(actor) as unit:
            return rooms.close(unit, department, room, evidence, confirmed_by)


def _lacking(
    session: Session, actor: Actor, systems: Iterable[tuple[str, str]]
) -> list[tuple[MigrationPlanSpec, Move]]:
    """Return those of some systems whose machines are missing, where the actor may request them."""
    if not actor.may(Permission.SUBMIT):
        return []
    wanted = set(systems)
    specs = [journal.plan_of(row) for row in visible_plans(session, actor, None)]
    return [
        (spec, spec.move)
        for spec in specs
        if (spec.department, spec.system) in wanted
        and spec.move is not None
        and hosts.absent(session, spec.department, spec.move)
    ]


def visible_plans(session: Session, actor: Actor, department: str | None) -> list[ObjectRow]:
    """Return the plans that an actor may see, by department and system (P1)."""
    subject = department if objects.sees_all(actor) else actor.department
    if department not in (None, subject):
        return []
    rows = objects.of_kinds(session, [journal.PLAN], subject=subject)
    return sorted(rows, key=lambda row: (row.spec["department"], row.spec["system"]))


def find_plan(session: Session, actor: Actor, department: str, system: str) -> ObjectRow:
    """Return the plan of a system; NotFoundError for none, or none that is visible."""
    for row in visible_plans(session, actor, department):
        if row.spec["system"] == system:
            return row
    raise NotFoundError("migrate.run_no_plan", system=f"{department}/{system}")
