"""The port of the quota ledger, and the values that cross."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Demand:
    """What one object needs: the full amounts of its new generation, not the difference.

    `key` is the idempotency key of the two-phase entry (`<uid>@<generation>`); `owner` the object's
    uid, whose earlier entry is replaced when this one is allocated: until then the charge is
    max(old, new), class by class (Q3).
    """

    key: str
    owner: str
    department: str
    cloud: str
    zone: str
    amounts: Mapping[str, int]


class Obstacle(StrEnum):
    """Why the ledger refuses."""

    LIMIT_EXCEEDED = "LimitExceeded"
    """The node's own limit (with what it may borrow) would be passed."""
    PARENT_EXCEEDED = "ParentExceeded"
    """A level above the department would pass its limit."""
    LENT_OUT = "LentOut"
    """The limit would hold, but siblings have borrowed what is unused, or do not lend it."""
    NO_QUOTA = "NoQuota"
    """No level of the tree has a limit for this class: nothing was ever granted."""
    BELOW_USAGE = "BelowUsage"
    """A limit that is to be set is less than what is in use (`revise` only)."""
    OVERCOMMITTED = "Overcommitted"
    """The limits below would together be more than the node may promise (`revise` only):
    `requested` is their sum, `available` what it may be."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason of a refusal: which level, which class, and the numbers (Q4)."""

    obstacle: Obstacle
    department: str
    level: str
    resource_class: str
    cloud: str
    zone: str
    limit: int
    allocated: int
    reserved: int
    requested: int
    available: int


@dataclass(frozen=True, slots=True)
class QuotaLine:
    """Quota before and after, of one node, scope and class; base units.

    `requested` is charged at once, `freed` is given back when the clouds confirm; `borrowable` may
    be used beyond the limit, and `available` is how much more this level would admit, with what is
    lent and borrowed below it (None: it has no limit). Not `limited`: no level limits the class
    here, so that nothing of it is granted.
    """

    department: str
    cloud: str
    zone: str
    resource_class: str
    limit: int | None
    allocated: int
    reserved: int
    requested: int = 0
    freed: int = 0
    borrowable: int = 0
    available: int | None = None
    limited: bool = True


@dataclass(frozen=True, slots=True)
class Leeway:
    """A department's line of one scope and class, and how much more of it would be admitted.

    `binding` is the line of the level that decides that; None where no level has a limit, so that
    nothing is granted.
    """

    line: QuotaLine
    left: int
    binding: QuotaLine | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledger says to a set of demands: all or nothing."""

    granted: bool
    refusals: tuple[Refusal, ...] = ()
    lines: tuple[QuotaLine, ...] = ()


@dataclass(frozen=True, slots=True)
class LimitFact:
    """One limit in force: from a Quota object, for a node, a scope and a class.

    `lend` None lends everything unused; `extra` is what time-bound grants add; instants are when
    it begins and ends to hold (None: open).
    """

    source: str
    department: str
    cloud: str
    zone: str
    resource_class: str
    limit: int
    lend: int | None
    borrow: int
    grant: bool
    overcommit: float
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a recount of the entries differs from the kept balances (Q2); should never be."""

    department: str
    cloud: str
    zone: str
    resource_class: str
    kept: tuple[int, int]
    counted: tuple[int, int]


class Ledger(Protocol):
    """The quota ledger. Methods run inside the caller's transaction and never commit."""

    def check(
        self,
        session: "Session",
        demands: Sequence[Demand],
        at: datetime,
        *,
        gone: Sequence[str] = (),
    ) -> Verdict:
        """Say what `reserve` would say now, with the lines before and after; write nothing."""
        ...

    def reserve(
        self,
        session: "Session",
        demands: Sequence[Demand],
        at: datetime,
        expires_at: datetime,
        *,
        gone: Sequence[str] = (),
    ) -> Verdict:
        """Reserve all demands or none, atomically at every level of the tree (Q1).

        `gone` are the owners that are to be released: the lines say what that will free. A key
        that is reserved or allocated already is granted again without a second charge.
        """
        ...

    def renew(self, session: "Session", keys: Sequence[str], expires_at: datetime) -> None:
        """Let reservations that are still being worked on live longer."""
        ...

    def lapsed(self, session: "Session", keys: Sequence[str]) -> Collection[str]:
        """Return which of the keys were reserved once and are charged no longer."""
        ...

    def readmit(
        self, session: "Session", keys: Sequence[str], at: datetime, expires_at: datetime
    ) -> Mapping[str, Sequence[Refusal]]:
        """Reserve again what has lapsed, each key by itself (Q1).

        Returns what stands against those that no longer fit. Keys that have not lapsed stay.
        """
        ...

    def allocate(self, session: "Session", keys: Sequence[str], at: datetime) -> None:
        """Turn reservations into allocations, replacing the owner's earlier entries.

        Idempotent. An expired or voided key is charged nevertheless, since the thing exists: the
        node is then over its limit, visibly.
        """
        ...

    def release(self, session: "Session", owners: Sequence[str], at: datetime) -> None:
        """Give back everything charged to these objects; idempotent."""
        ...

    def void(self, session: "Session", keys: Sequence[str], at: datetime) -> None:
        """Give back reservations that will never be built; idempotent, allocations stay."""
        ...

    def revise(
        self,
        session: "Session",
        at: datetime,
        *,
        parents: Mapping[str, str | None] | None = None,
        limits: Mapping[str, Sequence[LimitFact]] | None = None,
        force: bool = False,
    ) -> Sequence[Refusal]:
        """Replace the organisation tree, the limits of some sources, or both at once.

        The tree says each department's parent; a source is a Quota object, and one without limits
        is forgotten. Balances follow the tree. Use beyond a limit, or children's limits beyond
        the parent's, that this would bring about or make worse are returned as refusals and
        nothing is written, unless `force` (Q1, Q5).
        """
        ...

    def charged(
        self, session: "Session", cloud: str, owners: Sequence[str]
    ) -> Mapping[str, Mapping[str, int]]:
        """Return what objects are charged in a cloud now, by owner: max(old, new) (Q3)."""
        ...

    def lines(
        self, session: "Session", at: datetime, departments: Sequence[str] | None = None
    ) -> Sequence[QuotaLine]:
        """Return every line with a limit or a charge, for all or the given departments."""
        ...

    def leeways(self, session: "Session", at: datetime, department: str) -> Sequence[Leeway]:
        """Return what a department may still use of each scope and class that any level has."""
        ...

    def recount(self, session: "Session", at: datetime) -> Sequence[Difference]:
        """Compare the kept balances with the sum of the entries (Q2)."""
        ...
