"""The journal: wishes and steps as rows and as values, and the state that they come to."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, cast

from sqlmodel import Session

from govcloud.domain.base import Metadata
from govcloud.domain.kinds.governance import MigrationPlanSpec, MigrationState, WaveSpec
from govcloud.domain.kinds.moving import Move
from govcloud.domain.manifest import ObjectKey, digest_of, parse_spec
from govcloud.errors import Text
from govcloud.policy.context import city_day
from govcloud.store import moves, objects
from govcloud.store.tables import MoveRow, MoveStepRow, MoveWishRow, ObjectRow
from govcloud.store.unit import Unit
from migration.running.model import Case, Do, Does, Entry, StepName, Verb, Wish
from migration.running.port import Played, Verdict

PLAN: Final = "MigrationPlan"


def plan_of(row: ObjectRow) -> MigrationPlanSpec:
    """Return the plan in an object's row."""
    return cast("MigrationPlanSpec", parse_spec(PLAN, row.spec))


def move_of(row: ObjectRow) -> Move:
    """Return how a system moves; its plan has been run, and so says it."""
    move = plan_of(row).move
    assert move is not None, row.name
    return move


def wave_of(session: Session, name: str) -> WaveSpec | None:
    """Return the wave of that name."""
    if not name:
        return None
    key = ObjectKey("Wave", "", name)
    row = objects.by_keys(session, [key]).get(key)
    return cast("WaveSpec", parse_spec("Wave", row.spec)) if row else None


def case_of(session: Session, row: MoveRow, plan: ObjectRow) -> Case:
    """Return the run of a migration as it stands."""
    wave = wave_of(session, row.wave)
    return Case(
        move_of(plan),
        tuple(_wish(found) for found in moves.wishes(session, row)),
        tuple(entry_of(found) for found in moves.steps(session, row)),
        wave.window if wave else None,
    )


def _wish(row: MoveWishRow) -> Wish:
    return Wish(
        row.number,
        Verb(row.verb),
        row.at,
        row.actor,
        row.role,
        row.department,
        row.note,
        row.detail,
    )


def entry_of(row: Mapping[Any, Any]) -> Entry:
    """Return an attempt as a value."""
    return Entry(
        number=row["number"],
        step=StepName(row["step"]),
        part=row["part"],
        attempt=row["attempt"],
        digest=row["digest"],
        began=row["began_at"],
        ended=row["ended_at"],
        ended_number=row["ended_number"],
        verdict=Verdict(row["verdict"]) if row["verdict"] else None,
        numbers=row["numbers"],
        task=row["task"],
        message=row["message"],
    )


def wish(unit: Unit, row: MoveRow, verb: Verb, note: str, detail: Mapping[str, Any]) -> None:
    """Add what the unit's actor wishes to a locked migration."""
    number = moves.number(unit.session, row)
    if verb is Verb.RUN:
        row.begun, row.live = number, True
        row.run += 1
    unit.session.add(
        MoveWishRow(
            uid=row.uid,
            number=number,
            at=unit.now,
            verb=verb.value,
            actor=unit.actor.name,
            role=unit.actor.role.value,
            department=unit.actor.department,
            note=note,
            detail=dict(detail),
        )
    )


def begin(unit: Unit, row: MoveRow, case: Case, decided: Do, by: str) -> int:
    """Write that a task begins, before it does, and return the number of the attempt.

    Asking again whether machines stand is the same attempt still.
    """
    task = decided.task
    tries = case.tries(task)
    number = tries[-1].number if tries and tries[-1].ended is None else 0
    if not number or task.does is not Does.PROVISION:
        number = moves.number(unit.session, row)
        unit.session.add(
            MoveStepRow(
                uid=row.uid,
                number=number,
                run=row.run,
                step=task.step.value,
                part=task.part,
                attempt=decided.attempt,
                digest=task.digest,
                undo=task.undo.value,
                by=by,
                began_at=unit.now,
            )
        )
    row.word, row.step, row.part = "doing", task.step.value, task.part
    row.text, row.task, row.bytes_done, row.bytes_total = {}, "", None, None
    row.began_at = row.told_at = unit.now
    unit.session.add(row)
    return number


def end(unit: Unit, row: MoveRow, number: int, played: Played) -> None:
    """Write what came of an attempt."""
    step = unit.session.get_one(MoveStepRow, (row.uid, number))
    step.ended_at, step.ended_number = unit.now, moves.number(unit.session, row)
    step.verdict, step.numbers = played.verdict.value, dict(played.numbers)
    step.task, step.message, step.evidence = played.task, played.message, played.evidence
    unit.session.add(step)


def say(row: MoveRow, word: str, text: Text | None = None) -> None:
    """Write what a migration does or waits for, for people to read."""
    row.word = word
    row.text = _kept(text) if text else {}


def text_of(kept: Mapping[str, Any]) -> Text:
    """Return a sentence that was kept."""
    return Text(kept["key"], {name: _told(value) for name, value in kept["params"].items()})


def _kept(value: Any) -> Any:
    """Return a sentence, or what it tells, as JSON has it."""
    if isinstance(value, Text):
        return {"key": value.key, "params": {n: _kept(one) for n, one in value.params.items()}}
    if isinstance(value, list | tuple):
        return [_kept(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def _told(value: Any) -> Any:
    if isinstance(value, list):
        return [_told(one) for one in value]
    return text_of(value) if isinstance(value, dict) else value


def reach(unit: Unit, plan: ObjectRow, state: MigrationState) -> bool:
    """Bring a plan to a state, as a fact; return whether it was in another."""
    spec = plan_of(plan)
    if spec.state is state:
        return False
    accepted = spec.accepted_on
    if state is MigrationState.ACCEPTED and accepted is None:
        accepted = city_day(unit.now)
    changed = spec.model_copy(update={"state": state, "accepted_on": accepted})
    rewrite(unit, plan, changed.plain(), "migration.state", {"state": state.value})
    return True


def rewrite(
    unit: Unit, row: ObjectRow, spec: Mapping[str, Any], action: str, detail: Mapping[str, Any]
) -> None:
    """Change what is recorded of an object, with its fact and its audit record."""
    before = row.digest
    row.spec = dict(spec)
    metadata = Metadata(
        name=row.name,
        department=row.department or None,
        display_name=row.display_name,
        labels=row.labels,
        annotations=row.annotations,
    )
    row.digest = digest_of(row.kind, metadata.plain(), row.spec)
    row.generation += 1
    row.version += 1
    row.observed_generation, row.updated_at = row.generation, unit.now
    unit.session.add(row)
    unit.fact(row)
    unit.audit(
        action,
        str(objects.key_of(row)),
        department=str(row.spec.get("department") or row.department),
        before=before,
        after=row.digest,
        detail=dict(detail),
    )
