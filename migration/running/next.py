"""The next step of a migration: a pure function of what was wished, what was done, and the time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from govcloud.domain.kinds.governance import MigrationState as State
from govcloud.errors import Text
from migration.running import gates
from migration.running.model import (
    Case,
    Decision,
    Do,
    Entry,
    Halt,
    Over,
    StepName,
    Task,
    Undo,
    Verb,
    Wait,
)
from migration.running.port import Verdict
from migration.running.steps import CRITICAL, check, tasks, undoing

RETRY_FIRST_S: Final = 5.0
RETRY_CAP_S: Final = 300.0
"""Between attempts at a host that does not answer; doubled each time."""
_IN_VAIN: Final = (Verdict.FAILED, Verdict.UNREACHABLE)


def next_step(case: Case, now: datetime) -> Decision:
    """Return what is to be done now, or what is waited for."""
    way = tasks(case.move)
    cause = going_back(case, way, now)
    if cause is not None:
        return _back(case, way, now)
    checking = _checking(case)
    if checking is not None:
        return checking
    if paused(case) and not critical(case, way):
        return Wait(Text("migrate.run_paused"))
    return _inside(case, way, _forward(case, way, now))


def _inside(case: Case, way: Sequence[Task], decided: Decision) -> Decision:
    """Return what is decided; in a cut-over nothing is waited for beyond the window's end."""
    window = case.window
    if not isinstance(decided, Wait) or window is None or not critical(case, way):
        return decided
    return Wait(decided.text, min(decided.until or window.closes, window.closes))


def _forward(case: Case, way: Sequence[Task], now: datetime) -> Decision:
    for task in way:
        if task.repeats:
            decided = _delta(case, [one for one in way if one.repeats], now)
        elif is_done(case, task):
            continue
        else:
            decided = _waits(case, task, now) or _try(case, task, now)
        if decided is not None:
            return decided
    return Over(State.CLOSED)


def _waits(case: Case, task: Task, now: datetime) -> Wait | None:
    """Return what the steps after the cut-over wait for."""
    if task.step is StepName.ACCEPT and (open_ := gates.acceptance(case, now)):
        ends = gates.trial_ends(case)
        return Wait(open_[0], ends if ends is not None and now < ends else None)
    if task.step is StepName.SOURCE_OFF and (on := gates.still_on(case)):
        return Wait(Text("migrate.run_wait_off", {"hosts": list(on)}))
    return None


def is_done(case: Case, task: Task) -> bool:
    """Whether a task has succeeded with what it would be done with now."""
    done = [entry.digest for entry in case.tries(task) if entry.ok]
    return bool(done) and (task.step in CRITICAL or task.digest in done)


def paused(case: Case) -> bool:
    """Whether somebody wants it to stand still."""
    wish = case.last(Verb.PAUSE)
    since = case.last(Verb.RESUME)
    return wish is not None and (since is None or since.number < wish.number)


def critical(case: Case, way: Sequence[Task]) -> bool:
    """Whether a cut-over is under way: begun, and not yet seen to serve."""
    inside = [task for task in way if task.step in CRITICAL]
    return any(case.tries(task) for task in inside) and not all(
        is_done(case, task) for task in inside
    )


def going_back(case: Case, way: Sequence[Task], now: datetime) -> Text | None:
    """Return why everything is taken back, if it is."""
    wish = case.last(Verb.ROLLBACK)
    if wish is not None:
        if wish.note:
            return Text("migrate.run_back_wanted", {"by": wish.actor, "note": unended(wish.note)})
        return Text("migrate.run_back_asked", {"by": wish.actor})
    for task in way:
        if task.step in CRITICAL and (found := case.tries(task)):
            last = found[-1]
            if last.verdict is Verdict.FAILED:
                return Text("migrate.run_back_failed", told(last))
    window = case.window
    if any(entry.step is StepName.UNDO for entry in case.entries):
        return Text("migrate.run_back_late", {"at": window.closes if window else now})
    if critical(case, way) and (window is None or now >= window.closes):
        return Text("migrate.run_back_late", {"at": window.closes if window else now})
    return None


def _back(case: Case, way: Sequence[Task], now: datetime) -> Decision:
    """Return what is taken back next; what cannot be now holds nothing else up."""
    held: list[Wait | Halt] = []
    for task in _left_to_undo(case, way):
        decided = _try(case, task, now)
        if isinstance(decided, Do):
            return decided
        held.append(decided)
    waits = [one for one in held if isinstance(one, Wait)]
    if waits:  # what has failed waits for a person, what is away is tried again meanwhile
        text = next((one.text for one in held if isinstance(one, Halt)), waits[0].text)
        return Wait(text, min((one.until for one in waits if one.until), default=None))
    return held[0] if held else Over(State.ROLLED_BACK)


def taking_back(case: Case, way: Sequence[Task]) -> tuple[Task, ...]:
    """Return what takes back what was begun, done already or not."""
    begun = [task for task in way if case.tries(task) and not _stands(case, task)]
    return undoing(begun, asked=case.last(Verb.ROLLBACK) is not None)


def _left_to_undo(case: Case, way: Sequence[Task]) -> list[Task]:
    return [
        task
        for task in taking_back(case, way)
        if task.part not in case.abandoned() and not any(one.ok for one in case.tries(task))
    ]


def _stands(case: Case, task: Task) -> bool:
    """Whether a task has made what stays until a person gives it back, and asks for no more."""
    return task.undo is Undo.REQUEST and case.tries(task)[-1].ok


def stuck(case: Case, now: datetime) -> list[str]:
    """Return the parts that are to be taken back, and of which the last attempt did not succeed."""
    way = tasks(case.move)
    if going_back(case, way, now) is None:
        return []
    last = [(task.part, case.tries(task)[-1:]) for task in _left_to_undo(case, way)]
    return [part for part, tries in last if tries and tries[0].verdict in _IN_VAIN]


def _checking(case: Case) -> Decision | None:
    """Return the comparison that was asked for, as far as it has not been made."""
    wish, pause = case.last(Verb.VERIFY), case.last(Verb.PAUSE)
    synced = {entry.part for entry in case.entries if entry.step is StepName.INITIAL_SYNC}
    if wish is None or critical(case, tasks(case.move)):
        return None
    if paused(case) and pause is not None and pause.number > wish.number:
        return None
    for task in check(case.move):
        made = [one for one in case.tries(task) if one.number > wish.number and one.compared]
        if task.part in synced and not made:
            return Do(task, 1)
    return None


def _try(case: Case, task: Task, now: datetime) -> Do | Wait | Halt:
    """Return the next attempt at a task, after what came of the last."""
    resumed = case.last(Verb.RESUME)
    since = resumed.number if resumed else 0
    former = [entry for entry in case.tries(task) if entry.digest == task.digest]
    last = former[-1] if former else None
    # M1, once more: whatever led here, no source is touched before its gates have opened.
    assert not task.touches_source or _in_cutover(case, now), task
    if last is None or last.ended is None or last.verdict in (Verdict.OK, Verdict.STOPPED):
        return Do(task, len(former) + 1)
    if last.verdict is Verdict.FAILED and last.ended_number > since:
        return Halt(Text("migrate.run_halted", told(last)))
    if last.verdict is Verdict.UNREACHABLE and last.ended_number > since:
        again = last.ended + timedelta(seconds=_backoff_s(former, since))
        if now < again:
            return Wait(Text("migrate.run_unreachable", told(last)), again)
    return Do(task, len(former) + 1)


def _in_cutover(case: Case, now: datetime) -> bool:
    begun = any(entry.step in CRITICAL for entry in case.entries)
    return begun or not gates.cutover(case, now)


def _backoff_s(former: Sequence[Entry], since: int) -> float:
    failures = 0
    for entry in reversed(former):
        if entry.verdict is not Verdict.UNREACHABLE or entry.ended_number <= since:
            break
        failures += 1
    return min(RETRY_CAP_S, RETRY_FIRST_S * 2.0 ** min(failures - 1, 16))


def told(entry: Entry) -> dict[str, object]:
    """Return what a sentence about a failure says: at which step, of which part, and why."""
    step = Text(f"migrate.step_{entry.step.value.replace('-', '_')}")
    where = Text("migrate.run_part", {"step": step, "part": entry.part}) if entry.part else step
    why = ": ".join(filter(None, (entry.task, unended(entry.message))))
    return {"what": Text("migrate.run_why", {"where": where, "why": why}) if why else where}


def unended(text: str) -> str:
    """Return a text without the full stop that the sentence around it has."""
    return text.strip().rstrip(".。")


def _delta(case: Case, round_: Sequence[Task], now: datetime) -> Decision | None:
    """Return the next copy of what has changed, or a wait; None: the cut-over may begin."""
    if any(entry.step in CRITICAL for entry in case.entries):
        return None
    counts = [sum(entry.ok for entry in case.tries(task)) for task in round_]
    least = min(counts)
    for task, count in zip(round_, counts, strict=True):
        tries = case.tries(task)
        unfinished = bool(tries) and not tries[-1].ok
        behind = count == least and (least == 0 or max(counts) > least)
        if unfinished or behind:
            return _try(case, task, now)
    open_ = gates.cutover(case, now)
    ended = [one.ended for one in case.entries if one.step is StepName.DELTA_SYNC and one.ended]
    due = ended[-1] + timedelta(minutes=case.move.delta_every_minutes)
    if now >= due:
        return _try(case, round_[0], now)
    if not open_:
        return None
    opens = case.window.opens if case.window and case.last(Verb.CUTOVER) else due
    until = min(due, opens) if opens > now else due
    return Wait(open_[0], until)


def state_of(case: Case, decision: Decision) -> State | None:
    """Return the state that the system's plan is in; None: as it is, while it goes back."""
    if isinstance(decision, Over):
        return decision.state
    if isinstance(decision, Halt):
        return State.STOPPED
    if isinstance(decision, Do) and decision.task.step is StepName.UNDO:
        return None
    reached = State.PLAN_APPROVED
    for task in tasks(case.move):
        if task.reaches is not None and is_done(case, task):
            reached = task.reaches
    return reached
