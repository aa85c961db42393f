"""The values that the next step is decided from: what was wished, what was done, what is to do."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from govcloud.domain.kinds.governance import MigrationState
from govcloud.domain.kinds.moving import Move, MoveWindow
from govcloud.errors import Text
from migration.running.port import Mode, Number, Stage, Verdict


class Verb(StrEnum):
    """What a person may wish of a migration."""

    RUN = "run"
    PAUSE = "pause"
    RESUME = "resume"
    CUTOVER = "cutover"
    VERIFY = "verify"
    ROLLBACK = "rollback"
    ABANDON = "abandon"
    ACCEPT = "accept"
    SOURCE_OFF = "source-off"


class Party(StrEnum):
    """Who signs an acceptance (MIG-6)."""

    UNIT = "unit"
    AUTHORITY = "authority"
    PROVIDER = "provider"

    @property
    def label(self) -> Text:
        """What it is called in sentences."""
        return Text(f"migrate.party_{self.value}")


class StepName(StrEnum):
    """The steps, in their order; then those that stand outside of it."""

    PREFLIGHT = "preflight"
    PROVISION = "provision"
    CONFIGURE = "configure"
    PLAN = "plan"
    TEST_COPY = "test-copy"
    TEST_VERIFY = "test-verify"
    TEST_UNDO = "test-undo"
    INITIAL_SYNC = "initial-sync"
    DELTA_SYNC = "delta-sync"
    FREEZE = "freeze"
    FINAL_SYNC = "final-sync"
    VERIFY = "verify"
    START = "start"
    SWITCH = "switch"
    HEALTH = "health"
    TRIAL = "trial"
    ACCEPT = "accept"
    SOURCE_OFF = "source-off"
    CLOSE = "close"
    CHECK = "check"
    """A comparison that somebody asked for."""
    UNDO = "undo"


class Does(StrEnum):
    """How a step is done."""

    PLAY = "play"
    """A stage of a role is played on hosts."""
    PREFLIGHT = "preflight"
    PROVISION = "provision"
    WITHDRAW = "withdraw"
    """The request for machines is taken back, as far as it is not decided."""
    HEALTH = "health"
    MARK = "mark"
    """Nothing is done: that it was come to is all."""


class Undo(StrEnum):
    """What takes a step back."""

    NOTHING = ""
    """It changes nothing, or is an undoing itself."""
    REQUEST = "request"
    """Machines stand for the next try until a person gives them back; that they are asked for
    does not outlive the wish."""
    TEST = "test"
    ABORTED = "aborted"
    SERVE = "serve"
    TASK = "task"
    """The `undo` of the same role on the same host."""


@dataclass(frozen=True, slots=True)
class Task:
    """One step of one part: a workload by its name, or a numbered switch, configuration or hook.

    `touches_source` says that it may change what stands in the room (M1); `undo` what takes it
    back (M3). `repeats`: it is done over and over until the cut-over.
    """

    step: StepName
    part: str = ""
    does: Does = Does.MARK
    role: str = ""
    stage: Stage = Stage.PLAN
    mode: Mode = Mode.NONE
    source: str = ""
    target: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    touches_source: bool = False
    changes: bool = False
    undo: Undo = Undo.NOTHING
    repeats: bool = False
    reaches: MigrationState | None = None

    @property
    def key(self) -> tuple[StepName, str]:
        """What tells it from other tasks of the same migration."""
        return self.step, self.part

    @property
    def digest(self) -> str:
        """The digest of what it is done with: done with something else, it is not done."""
        told = (self.step, self.part, self.role, self.stage, self.mode, self.source, self.target)
        plain = [*told, dict(self.settings), dict(self.secrets)]
        text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wished; `number` orders wishes and entries of one migration."""

    number: int
    verb: Verb
    at: datetime
    actor: str = ""
    role: str = ""
    department: str = ""
    note: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt in the journal. Without `ended`, it runs, or who ran it died."""

    number: int
    step: StepName
    part: str
    attempt: int
    digest: str
    began: datetime
    ended: datetime | None = None
    ended_number: int = 0
    verdict: Verdict | None = None
    numbers: Mapping[str, Number] = field(default_factory=dict)
    task: str = ""
    message: str = ""

    @property
    def key(self) -> tuple[StepName, str]:
        """Which task it is an attempt at."""
        return self.step, self.part

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.verdict is Verdict.OK

    @property
    def compared(self) -> bool:
        """Whether it ended by itself: what was stopped has compared nothing."""
        return self.ended is not None and self.verdict is not Verdict.STOPPED


@dataclass(frozen=True, slots=True)
class Case:
    """One run of a migration: how it moves, what was wished since it began, what was done."""

    move: Move
    wishes: tuple[Wish, ...]
    entries: tuple[Entry, ...] = ()
    wave_window: MoveWindow | None = None

    @property
    def window(self) -> MoveWindow | None:
        """When it may be cut over."""
        return self.move.window or self.wave_window

    def last(self, verb: Verb) -> Wish | None:
        """Return the last wish of a kind."""
        return next((wish for wish in reversed(self.wishes) if wish.verb is verb), None)

    def tries(self, task: Task) -> tuple[Entry, ...]:
        """Return all attempts at a task."""
        return tuple(entry for entry in self.entries if entry.key == task.key)

    def signatures(self) -> dict[Party, Wish]:
        """Return who has signed, by party."""
        signed = [wish for wish in self.wishes if wish.verb is Verb.ACCEPT]
        return {Party(wish.detail["party"]): wish for wish in signed}

    def abandoned(self) -> frozenset[str]:
        """Return the parts whose undo somebody has given up."""
        given_up = (wish for wish in self.wishes if wish.verb is Verb.ABANDON)
        return frozenset(str(wish.detail["part"]) for wish in given_up)

    def switched_off(self) -> dict[str, Wish]:
        """Return the evidence that sources are off, by source."""
        off = [wish for wish in self.wishes if wish.verb is Verb.SOURCE_OFF]
        return {str(wish.detail["host"]): wish for wish in off}


# --- What is decided ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Do:
    """Do a task now."""

    task: Task
    attempt: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until`; None: before somebody wishes something."""

    text: Text
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Halt:
    """It cannot go on until somebody has mended something and says so."""

    text: Text


@dataclass(frozen=True, slots=True)
class Over:
    """The run is over, in this state."""

    state: MigrationState


Decision = Do | Wait | Halt | Over
