"""Migrations as the API answers them: how far, what next, what was done. JSON-ready."""

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session

from govcloud.errors import Text
from govcloud.messages import render
from govcloud.messages.retelling import retold
from govcloud.store import moves, work
from govcloud.store.tables import MoveRow, ObjectRow
from migration.running import gates, journal
from migration.running.model import Case, Entry, Party, StepName, Task
from migration.running.next import going_back, is_done, taking_back
from migration.running.steps import check, tasks

_KEPT: Final = (
    "plays.",
    "migrate.health_",
    "migrate.play_",
    "migrate.refused_",
    "migrate.run_no_address",
    "migrate.run_no_role",
    "migrate.run_no_setting",
    "migrate.run_not_submitted",
    "migrate.run_request_lost",
    "migrate.run_role_unfit",
    "migrate.run_setting_",
)
"""Sentences of the catalogues that a step is kept with in English, by how their keys begin."""


def brief(plan: ObjectRow, row: MoveRow | None, tongue: str, *, held: bool) -> dict[str, Any]:
    """Return how far a migration is, as a list shows it; `held`: a controller is at it."""
    spec = plan.spec
    left = row is not None and row.word == "doing" and not held
    found: dict[str, Any] = {
        "department": spec["department"],
        "system": spec["system"],
        "plan": plan.name,
        "wave": spec.get("wave"),
        "state": spec["state"],
        "ready": spec.get("move") is not None,
        "run": row.run if row else 0,
        "live": row.live if row else False,
        "doing": "left" if left else row.word if row else "",
        "message": render("migrate.run_left", tongue) if left else _message(row, tongue),
        "step": (row.step or None) if row else None,
        "part": (row.part or None) if row else None,
        "task": _said(row.task, tongue) if row else None,
        "request": row.request_id if row else None,
    }
    return found | _pace(row)


def _pace(row: MoveRow | None) -> dict[str, Any]:
    """Return bytes, KiB/s and seconds that are left, counted and not guessed."""
    if row is None or row.bytes_done is None or row.began_at is None or row.told_at is None:
        return {
            "bytesDone": None,
            "bytesTotal": None,
            "kibPerSecond": None,
            "remainingSeconds": None,
        }
    seconds = (row.told_at - row.began_at).total_seconds()
    rate = row.bytes_done / seconds if seconds > 0 else 0.0
    left = max(0, (row.bytes_total or 0) - row.bytes_done) if row.bytes_total else None
    return {
        "bytesDone": row.bytes_done,
        "bytesTotal": row.bytes_total,
        "kibPerSecond": round(rate / 1024),
        "remainingSeconds": round(left / rate) if left is not None and rate else None,
    }


def whole(
    session: Session, plan: ObjectRow, row: MoveRow | None, now: datetime, tongue: str
) -> dict[str, Any]:
    """Return everything about a migration: its steps, what it waits for, who signed, downtime."""
    held = row is not None and row.uid in work.leased(session, [row.uid], now)
    found = brief(plan, row, tongue, held=held)
    spec = journal.plan_of(plan)
    if spec.move is None:
        return found
    case = journal.case_of(session, row, plan) if row else Case(spec.move, ())
    way = tasks(spec.move)
    back = going_back(case, way, now)
    undone = taking_back(case, way) if back is not None else ()
    checked = [task for task in check(spec.move) if case.tries(task)]
    window = case.window
    signed = case.signatures()
    current = _current(row, held=held, last=case.entries[-1].number if case.entries else 0)
    return found | {
        "window": _window(window.opens, window.closes) if window else None,
        "steps": [_task(case, task, current, tongue) for task in (*way, *checked, *undone)],
        "back": _text(back, tongue) if back else None,
        "gates": [_text(one, tongue) for one in gates.cutover(case, now)] if row else [],
        "trialEnds": _instant(gates.trial_ends(case)),
        "signatures": {
            party.value: {"by": signed[party].actor, "at": _instant(signed[party].at)}
            for party in Party
            if party in signed
        },
        "unsigned": [party.value for party in Party if party not in signed],
        "sourcesOff": sorted(case.switched_off()),
        "sourcesOn": list(gates.still_on(case)),
        "downtimeSeconds": downtime_s(case),
        "differs": _differs(case, tongue),
    }


def downtime_s(case: Case) -> float | None:
    """Return for how long nothing served, from the first write that was refused to the check."""
    frozen = [one.began for one in case.entries if one.step is StepName.FREEZE]
    serving = [one.ended for one in case.entries if one.step is StepName.HEALTH and one.ok]
    if not frozen or not serving or serving[-1] is None:
        return None
    return round((serving[-1] - frozen[0]).total_seconds(), 3)


def _differs(case: Case, tongue: str) -> dict[str, Any] | None:
    """Return the last comparison that was asked for, unless it or a later one succeeded."""
    compared = (StepName.CHECK, StepName.VERIFY)
    last = {one.part: one for one in case.entries if one.step in compared and one.compared}
    failed = [one for one in last.values() if one.step is StepName.CHECK and not one.ok]
    if not failed:
        return None
    worst = failed[-1]
    return {
        "at": _instant(worst.ended),
        "part": worst.part,
        "message": _said(worst.message, tongue),
    }


def _current(row: MoveRow | None, *, held: bool, last: int) -> int:
    """Return the number of the attempt that may be at work: the last, unless it was left; or 0."""
    at_work = row is not None and row.live and (held or row.word != "doing")
    return last if at_work else 0


def _task(case: Case, task: Task, current: int, tongue: str) -> dict[str, Any]:
    tries = case.tries(task)
    last = tries[-1] if tries else None
    copied = [number for one in tries if (number := _bytes(one)) is not None]
    return {
        "step": task.step.value,
        "part": task.part or None,
        "role": task.role or None,
        "state": _state(case, task, last, current),
        "attempts": len(tries),
        "began": _instant(last.began) if last else None,
        "ended": _instant(last.ended) if last else None,
        "bytes": sum(copied) if copied else None,
        "message": _said(last.message, tongue) if last else None,
    }


def _state(case: Case, task: Task, last: Entry | None, current: int) -> str:
    if last is None:
        return "open"
    if last.ended is None:
        return _unended(last, current)
    if is_done(case, task) and last.ok:
        return "done"
    return last.verdict.value if last.verdict else "open"


def _unended(entry: Entry, current: int) -> str:
    return "doing" if entry.number == current else "broken-off"


def _bytes(entry: Entry) -> int | None:
    found = entry.numbers.get("bytes")
    return int(found) if isinstance(found, int | float) else None


def log(session: Session, row: MoveRow, now: datetime, tongue: str) -> list[dict[str, Any]]:
    """Return wishes and steps of all runs, in the order in which they came."""
    wished = [
        {
            "number": wish.number,
            "what": wish.verb,
            "part": None,
            "at": _instant(wish.at),
            "ended": None,
            "by": wish.actor,
            "outcome": "wished",
            "note": wish.note or None,
            "detail": wish.detail,
        }
        for wish in moves.wishes(session, row, all_runs=True)
    ]
    steps = moves.steps(session, row, all_runs=True)
    held = row.uid in work.leased(session, [row.uid], now)
    current = _current(row, held=held, last=steps[-1]["number"] if steps else 0)
    done = [_step(found, current, tongue) for found in steps]
    return sorted([*wished, *done], key=lambda one: one["number"])


def _step(found: Mapping[Any, Any], current: int, tongue: str) -> dict[str, Any]:
    entry = journal.entry_of(found)
    return {
        "number": entry.number,
        "what": entry.step.value,
        "part": entry.part or None,
        "at": _instant(entry.began),
        "ended": _instant(entry.ended),
        "by": found["by"],
        "outcome": entry.verdict.value if entry.verdict else _unended(entry, current),
        "note": _said(": ".join(filter(None, (entry.task, entry.message))), tongue),
        "detail": {
            name: _said(value, tongue) if isinstance(value, str) and value else value
            for name, value in entry.numbers.items()
        },
        "run": found["run"],
        "attempt": entry.attempt,
        "digest": entry.digest,
        "undo": found["undo"] or None,
    }


def lines(evidence: bytes) -> list[Any]:
    """Return kept evidence line by line; each is what was told of one task."""
    text = zlib.decompress(evidence).decode("utf-8", "replace") if evidence else ""
    return [_line(line) for line in text.splitlines() if line]


def _line(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line


def _message(row: MoveRow | None, tongue: str) -> str | None:
    """Return the stored sentence in a language."""
    return _text(journal.text_of(row.text), tongue) if row and row.text else None


def _text(text: Text, tongue: str) -> str:
    return render(text.key, tongue, _params(text, tongue))


def _params(text: Text, tongue: str) -> dict[str, object]:
    """Return what a sentence tells; why a step failed was kept as its play said it."""

    def told(name: str, value: object) -> object:
        if isinstance(value, Text):
            return Text(value.key, _params(value, tongue))
        return _said(value, tongue) if name == "why" and isinstance(value, str) else value

    return {name: told(name, value) for name, value in text.params.items()}


def _said(text: str, tongue: str) -> str | None:
    """Return what a play said in a language, as far as it is known how; None: nothing."""
    return retold(text, tongue, *_KEPT) or None


def _window(opens: datetime, closes: datetime) -> dict[str, str]:
    return {"opens": opens.isoformat(), "closes": closes.isoformat()}


def _instant(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
