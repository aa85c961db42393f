"""Faults that a simulated cloud can be told to have; kept in its file, so any process may."""

import random
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from govcloud.errors import CloudError, TerminalCloudError, TransientCloudError
from provisioners.simulated.file import transaction

ASYNCHRONOUS: Final = frozenset({"create", "change", "delete"})
"""Calls that start something which ends later."""
WRITES: Final = ASYNCHRONOUS | {"set_quota", "reboot", "adopt", "keep_copy", "force_delete"}
_READS: Final = frozenset({"observe", "find", "quotas", "report"})
METHODS: Final = WRITES | _READS | {"console_log", "discover", "inspect"}


class FaultKind(StrEnum):
    """What goes wrong."""

    SLOW = "slow"
    """What a call starts takes `seconds` longer; the call itself does not."""
    STALL = "stall"
    """The call itself takes `seconds` longer."""
    FAIL = "fail"
    """The call is accepted, and what it started ends FAILED with `reason`."""
    LOSE = "lose"
    """The cloud acts, and the answer is lost."""
    CUT = "cut"
    """The connection is cut before the cloud has acted; the caller cannot tell it from `lose`."""
    THROTTLE = "throttle"
    """429: refused, with `seconds` as what Retry-After says."""
    UNAVAILABLE = "unavailable"
    """503: refused, with `seconds` as Retry-After if it is not 0."""
    DOWN = "down"
    """Nothing answers."""
    NO_CAPACITY = "no-capacity"
    """No host has room for it."""
    REFUSE = "refuse"
    """Refused for good, with `reason`."""


AFFECTED: Final[Mapping[FaultKind, frozenset[str]]] = {
    FaultKind.SLOW: ASYNCHRONOUS,
    FaultKind.FAIL: ASYNCHRONOUS,
    FaultKind.LOSE: WRITES,
    FaultKind.NO_CAPACITY: frozenset({"create", "change"}),
}
"""The calls that a kind can strike, where not all; others do not use up its count."""

_REASONS: Final[Mapping[str, str]] = {
    "create": "BuildFailed",
    "change": "ChangeFailed",
    "delete": "DeleteFailed",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: which calls (a pattern such as `create` or `*`) it strikes, and how often.

    `count` None lasts until it is cleared; `probability` is drawn for each call from `seed`, so
    that a run can be repeated.
    """

    kind: FaultKind
    method: str = "*"
    count: int | None = None
    probability: float = 1.0
    seed: int = 0
    seconds: float = 0.0
    reason: str = ""

    def strikes(self, method: str) -> bool:
        """Whether calls of `method` can meet this fault."""
        return method in AFFECTED.get(self.kind, METHODS) and fnmatchcase(method, self.method)

    def refusal(self, method: str) -> CloudError | None:
        """Return the error with which the call is refused at once, or None if it is not."""
        wait = self.seconds or None
        error: CloudError | None = None
        match self.kind:
            case FaultKind.CUT:
                error = TransientCloudError("ConnectionLost", outcome_unknown=method in WRITES)
            case FaultKind.THROTTLE:
                error = TransientCloudError("Throttled", "429", retry_after_s=self.seconds)
            case FaultKind.UNAVAILABLE:
                error = TransientCloudError("Unavailable", "503", retry_after_s=wait)
            case FaultKind.DOWN:
                error = TransientCloudError("Unreachable")
            case FaultKind.NO_CAPACITY:
                error = TransientCloudError("NoCapacity", "no valid host", retry_after_s=wait)
            case FaultKind.REFUSE:
                error = TerminalCloudError(self.reason or "Refused")
        return error


@dataclass(slots=True)
class Effects:
    """What the faults do to one call that is not refused."""

    slow_s: float = 0.0
    stall_s: float = 0.0
    doom: str = ""
    lose: bool = False

    def add(self, fault: Fault, method: str) -> None:
        """Add what one fault does."""
        match fault.kind:
            case FaultKind.SLOW:
                self.slow_s += fault.seconds
            case FaultKind.STALL:
                self.stall_s += fault.seconds
            case FaultKind.FAIL:
                self.doom = fault.reason or _REASONS[method]
            case FaultKind.LOSE:
                self.lose = True


def meet(db: sqlite3.Connection, method: str) -> Effects:
    """Let a call meet the faults in force, using up their counts; raises if one refuses it."""
    effects = Effects()
    if not any(fault.strikes(method) for _, _, fault in _load(db)):
        return effects
    refusal: CloudError | None = None
    with transaction(db):
        for key, draws, fault in _load(db):
            if fault.strikes(method) and _drawn(db, key, draws, fault):
                effects.add(fault, method)
                if refusal := fault.refusal(method):
                    break
    if refusal:
        raise refusal
    return effects


def _drawn(db: sqlite3.Connection, key: int, draws: int, fault: Fault) -> bool:
    if fault.probability < 1:
        db.execute("UPDATE faults SET draws = draws + 1 WHERE id = ?", (key,))
        if random.Random(f"{fault.seed}:{draws}").random() >= fault.probability:  # noqa: S311
            return False
    if fault.count is not None:
        db.execute("UPDATE faults SET remaining = remaining - 1 WHERE id = ?", (key,))
    return True


_COLUMNS: Final = "kind, method, remaining, probability, seed, seconds, reason"


def _load(db: sqlite3.Connection) -> list[tuple[int, int, Fault]]:
    rows = db.execute(
        f"SELECT id, draws, {_COLUMNS} FROM faults"  # noqa: S608 (a constant)
        " WHERE remaining IS NULL OR remaining > 0 ORDER BY id"
    )
    return [(key, draws, Fault(FaultKind(kind), *rest)) for key, draws, kind, *rest in rows]


def active(db: sqlite3.Connection) -> Sequence[Fault]:
    """Return the faults in force, oldest first, with the count that is left."""
    return [fault for _, _, fault in _load(db)]


def store(db: sqlite3.Connection, fault: Fault) -> None:
    """Put a fault in force."""
    db.execute(
        f"INSERT INTO faults ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 (a constant)
        (
            fault.kind.value,
            fault.method,
            fault.count,
            fault.probability,
            fault.seed,
            fault.seconds,
            fault.reason,
        ),
    )


def clear(db: sqlite3.Connection) -> None:
    """End all faults."""
    db.execute("DELETE FROM faults")
