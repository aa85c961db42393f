"""The steps of a migration as a table, and the tasks that they come to for one system. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from govcloud.domain.kinds import moving
from govcloud.domain.kinds.governance import MigrationState as State
from govcloud.domain.kinds.moving import Move, Workload
from migration.running.model import Does, StepName, Task, Undo
from migration.running.port import Mode, Stage


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the table: what is done, in which state it ends, what it may touch, what undoes it.

    `each` names the list of the `Move` of which it is done for each; "": once. A later workload
    needs the earlier ones: with `backwards`, it comes before them, and is undone after them.
    """

    name: StepName
    does: Does = Does.MARK
    each: str = ""
    stage: Stage = Stage.PLAN
    mode: Mode = Mode.NONE
    reaches: State | None = None
    changes: bool = False
    touches_source: bool = False
    undo: Undo = Undo.NOTHING
    repeats: bool = False
    backwards: bool = False


_W: Final = "workloads"
_PLAY: Final = Does.PLAY
STEPS: Final = (
    Step(StepName.PREFLIGHT, Does.PREFLIGHT),
    Step(
        StepName.PROVISION,
        Does.PROVISION,
        reaches=State.PROVISIONED,
        changes=True,
        undo=Undo.REQUEST,
    ),
    Step(StepName.CONFIGURE, _PLAY, "configure", Stage.START, changes=True, undo=Undo.TASK),
    Step(StepName.PLAN, _PLAY, _W, Stage.PLAN),
    Step(StepName.TEST_COPY, _PLAY, _W, Stage.SYNC, Mode.TEST, changes=True, undo=Undo.TEST),
    Step(StepName.TEST_VERIFY, _PLAY, _W, Stage.VERIFY, Mode.TEST),
    Step(StepName.TEST_UNDO, _PLAY, _W, Stage.UNDO, Mode.TEST, reaches=State.TEST_MIGRATED),
    Step(
        StepName.INITIAL_SYNC,
        _PLAY,
        _W,
        Stage.SYNC,
        Mode.INITIAL,
        reaches=State.SYNCING,
        changes=True,
        undo=Undo.ABORTED,
    ),
    Step(
        StepName.DELTA_SYNC,
        _PLAY,
        _W,
        Stage.SYNC,
        Mode.DELTA,
        changes=True,
        undo=Undo.ABORTED,
        repeats=True,
    ),
    Step(
        StepName.FREEZE,
        _PLAY,
        _W,
        Stage.FREEZE,
        changes=True,
        touches_source=True,
        undo=Undo.SERVE,
        backwards=True,
    ),
    Step(StepName.FINAL_SYNC, _PLAY, _W, Stage.SYNC, Mode.FINAL, changes=True, undo=Undo.SERVE),
    Step(StepName.VERIFY, _PLAY, _W, Stage.VERIFY),
    Step(StepName.START, _PLAY, _W, Stage.START, changes=True, undo=Undo.SERVE),
    Step(
        StepName.SWITCH,
        _PLAY,
        "switch",
        Stage.START,
        changes=True,
        touches_source=True,
        undo=Undo.TASK,
    ),
    Step(StepName.HEALTH, Does.HEALTH, reaches=State.CUTOVER),
    Step(StepName.TRIAL, reaches=State.TRIAL),
    Step(StepName.ACCEPT, reaches=State.ACCEPTED),
    Step(StepName.SOURCE_OFF, reaches=State.SOURCE_OFF),
    Step(StepName.CLOSE, reaches=State.CLOSED),
)
"""The way forward. Any failure from `freeze` to `health` goes all the way back by itself."""
ORDER: Final = tuple(step.name for step in STEPS)
CRITICAL: Final = frozenset(ORDER[ORDER.index(StepName.FREEZE) : ORDER.index(StepName.HEALTH) + 1])
"""Steps in which nothing serves: they lie inside the window."""


def tasks(move: Move) -> tuple[Task, ...]:
    """Return all tasks of the way forward, in order."""
    return tuple(task for step in STEPS for task in _with_hooks(step, move))


def _with_hooks(step: Step, move: Move) -> Iterator[Task]:
    yield from _hooks(step, move, "before")
    yield from _of(step, move)
    yield from _hooks(step, move, "after")


def _of(step: Step, move: Move) -> Iterator[Task]:
    made = Task(
        step.name,
        does=step.does,
        stage=step.stage,
        mode=step.mode,
        changes=step.changes,
        touches_source=step.touches_source,
        undo=step.undo,
        repeats=step.repeats,
    )
    if not step.each:
        yield replace(made, reaches=step.reaches, settings=_settings(step, move))
        return
    parts: Sequence[Workload | moving.Task] = getattr(move, step.each)
    numbered = list(enumerate(parts, start=1))
    if step.backwards:
        numbered.reverse()
    for number, part in numbered:
        # The state is reached with the last of them.
        reaches = step.reaches if number == numbered[-1][0] else None
        yield replace(
            made,
            part=_name(step.each, part, number),
            role=part.role,
            source=part.source if isinstance(part, Workload) else part.on,
            target=part.target if isinstance(part, Workload) else part.on,
            settings=part.settings,
            secrets=part.secrets,
            reaches=reaches,
        )


def _settings(step: Step, move: Move) -> dict[str, object]:
    """Return what a step of the whole system is done with."""
    if step.does is Does.PREFLIGHT:
        return {"move": move.plain()}
    return {"machines": move.machines} if step.does is Does.PROVISION else {}


def _name(each: str, part: Workload | moving.Task, number: int) -> str:
    return part.name if isinstance(part, Workload) else f"{each}.{number}"


def _hooks(step: Step, move: Move, when: str) -> Iterator[Task]:
    name = f"{when}-{step.name.value}"
    for number, hook in enumerate(move.hooks.get(name, ()), start=1):
        yield Task(
            step.name,
            part=f"{name}.{number}",
            does=Does.PLAY,
            role=hook.role,
            stage=Stage.START,
            source=hook.on,
            target=hook.on,
            settings=hook.settings,
            secrets=hook.secrets,
            changes=True,
            touches_source=step.name in CRITICAL,
            undo=Undo.TASK,
        )


_MODES: Final = {Undo.TEST: Mode.TEST, Undo.ABORTED: Mode.ABORTED}


def undoing(begun: Sequence[Task], *, asked: bool) -> tuple[Task, ...]:
    """Return what takes back what was begun, in reverse order, for each part what goes furthest.

    `asked`: a person wants it; otherwise copies at the target stay, since it will be tried again.
    """
    first: dict[tuple[str, Undo], Task] = {}
    furthest: dict[str, Undo] = {}
    for task in begun:
        skipped = task.undo is Undo.NOTHING
        kept = task.undo in (Undo.ABORTED, Undo.TEST) or task.step is StepName.CONFIGURE
        if not (skipped or (kept and not asked)):
            first.setdefault((task.part, task.undo), task)
            furthest[task.part] = task.undo
    chosen = [task for (part, undo), task in first.items() if furthest[part] is undo]
    return tuple(_undo(task) for task in reversed(chosen))


def _undo(task: Task) -> Task:
    return replace(
        task,
        step=StepName.UNDO,
        does=Does.WITHDRAW if task.undo is Undo.REQUEST else Does.PLAY,
        stage=Stage.UNDO,
        mode=_MODES.get(task.undo, Mode.NONE),
        touches_source=task.touches_source or task.undo is Undo.SERVE,
        undo=Undo.NOTHING,
        repeats=False,
        reaches=None,
    )


def check(move: Move) -> tuple[Task, ...]:
    """Return the comparison that somebody may ask for."""
    verify = next(step for step in STEPS if step.name is StepName.VERIFY)
    return tuple(replace(task, step=StepName.CHECK) for task in _of(verify, move))
