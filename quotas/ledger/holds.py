"""Holds: what a key stands for, how entries change it, and what it charges to which cell.

Every change is a pure step from holds to holds with the entries that say so; folding the entries
gives the holds again (Q2).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from govcloud.domain.classes import most
from govcloud.ports.ledger import Demand
from quotas.ledger.places import Cell, Place, Tree, cells


class Phase(StrEnum):
    """What a key stands for."""

    RESERVED = "reserved"
    ALLOCATED = "allocated"
    LAPSED = "lapsed"
    """Voided or expired: charges nothing, but is charged again should it turn out to be built."""


class Action(StrEnum):
    """The kinds of entries."""

    RESERVE = "reserve"
    RENEW = "renew"
    ALLOCATE = "allocate"
    RELEASE = "release"
    VOID = "void"
    EXPIRE = "expire"


@dataclass(frozen=True, slots=True)
class Hold:
    """What one key stands for; `rank` orders the keys of an owner as they were first reserved."""

    key: str
    owner: str
    place: Place
    amounts: Mapping[str, int]
    phase: Phase
    rank: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a hold, as it is written down."""

    action: Action
    key: str
    owner: str
    place: Place
    amounts: Mapping[str, int]
    expires_at: datetime | None


class Charge(NamedTuple):
    """Amounts at a cell; also a difference between two such."""

    allocated: int
    reserved: int

    @property
    def total(self) -> int:
        """Both together: what counts against a limit."""
        return self.allocated + self.reserved


NOTHING = Charge(0, 0)
Charges = Mapping[Cell, Charge]


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the holds of some owners: all their holds before and after, and the entries."""

    before: Mapping[str, Hold]
    after: Mapping[str, Hold]
    entries: tuple[Entry, ...]


class _Pen:
    """Writes a step: holds by key, changed one by one, each change with its entry."""

    def __init__(self, holds: Mapping[str, Hold]) -> None:
        self.before = holds
        self.holds = dict(holds)
        self.entries: list[Entry] = []

    def put(self, action: Action, hold: Hold) -> None:
        self.holds[hold.key] = hold
        self._write(action, hold)

    def remove(self, hold: Hold) -> None:
        del self.holds[hold.key]
        self._write(Action.RELEASE, hold)

    def step(self) -> Step:
        return Step(self.before, self.holds, tuple(self.entries))

    def _write(self, action: Action, hold: Hold) -> None:
        self.entries.append(
            Entry(action, hold.key, hold.owner, hold.place, hold.amounts, hold.expires_at)
        )


def reserve(holds: Mapping[str, Hold], demands: Iterable[Demand], expires_at: datetime) -> Step:
    """Reserve what is demanded; keys that are reserved or allocated already stay as they are."""
    pen = _Pen(holds)
    ranks: dict[str, int] = defaultdict(int)
    for hold in holds.values():
        ranks[hold.owner] = max(ranks[hold.owner], hold.rank)
    for demand in demands:
        known = pen.holds.get(demand.key)
        if known is not None and known.phase is not Phase.LAPSED:
            continue
        if known is None:
            ranks[demand.owner] += 1
        amounts = {word: amount for word, amount in demand.amounts.items() if amount}
        place = Place(demand.department, demand.cloud, demand.zone)
        rank = known.rank if known is not None else ranks[demand.owner]
        pen.put(
            Action.RESERVE,
            Hold(demand.key, demand.owner, place, amounts, Phase.RESERVED, rank, expires_at),
        )
    return pen.step()


def renew(holds: Mapping[str, Hold], keys: Iterable[str], expires_at: datetime) -> Step:
    """Let reservations live until `expires_at`, if that is later; others stay as they are."""
    pen = _Pen(holds)
    for key in keys:
        hold = pen.holds.get(key)
        if hold is None or hold.phase is not Phase.RESERVED:
            continue
        if hold.expires_at is None or hold.expires_at < expires_at:
            pen.put(Action.RENEW, replace(hold, expires_at=expires_at))
    return pen.step()


def allocate(holds: Mapping[str, Hold], keys: Iterable[str]) -> Step:
    """Turn keys into allocations, lapsed ones too; each replaces its owner's earlier keys."""
    pen = _Pen(holds)
    for key in keys:
        hold = pen.holds.get(key)
        if hold is None or hold.phase is Phase.ALLOCATED:
            continue
        earlier = [
            other
            for other in pen.holds.values()
            if other.owner == hold.owner and other.rank < hold.rank
        ]
        for other in earlier:
            pen.remove(other)
        pen.put(Action.ALLOCATE, replace(hold, phase=Phase.ALLOCATED, expires_at=None))
    return pen.step()


def release(holds: Mapping[str, Hold], owners: Iterable[str]) -> Step:
    """Give back everything of these owners, and forget their keys."""
    pen, gone = _Pen(holds), set(owners)
    for hold in holds.values():
        if hold.owner in gone:
            pen.remove(hold)
    return pen.step()


def void(holds: Mapping[str, Hold], keys: Iterable[str]) -> Step:
    """Give back reservations; allocations stay."""
    pen = _Pen(holds)
    for key in keys:
        hold = pen.holds.get(key)
        if hold is not None and hold.phase is Phase.RESERVED:
            pen.put(Action.VOID, replace(hold, phase=Phase.LAPSED))
    return pen.step()


def expire(holds: Mapping[str, Hold], at: datetime) -> Step:
    """Give back the reservations whose time is over at `at`."""
    pen = _Pen(holds)
    for hold in holds.values():
        over = hold.expires_at is not None and hold.expires_at <= at
        if hold.phase is Phase.RESERVED and over:
            pen.put(Action.EXPIRE, replace(hold, phase=Phase.LAPSED))
    return pen.step()


_PHASES: Mapping[Action, Phase] = {
    Action.RESERVE: Phase.RESERVED,
    Action.RENEW: Phase.RESERVED,
    Action.ALLOCATE: Phase.ALLOCATED,
    Action.VOID: Phase.LAPSED,
    Action.EXPIRE: Phase.LAPSED,
}


def fold(entries: Iterable[Entry]) -> dict[str, Hold]:
    """Return the holds that entries, in the order they were written, add up to."""
    holds: dict[str, Hold] = {}
    for rank, entry in enumerate(entries, start=1):
        if entry.action is Action.RELEASE:
            holds.pop(entry.key, None)
            continue
        known = holds.get(entry.key)
        holds[entry.key] = Hold(
            entry.key,
            entry.owner,
            entry.place,
            entry.amounts,
            _PHASES[entry.action],
            known.rank if known is not None else rank,
            entry.expires_at,
        )
    return holds


def charges(holds: Iterable[Hold], tree: Tree) -> dict[Cell, Charge]:
    """Return what holds charge to each cell.

    At each cell an owner is charged what is allocated and, as reserved, what its largest
    reservation needs beyond that: max(old, new), class by class, while a resize is under way (Q3).
    """
    owners: dict[str, list[Hold]] = defaultdict(list)
    for hold in holds:
        if hold.phase is not Phase.LAPSED:
            owners[hold.owner].append(hold)
    # Nearly all owners stand in one place: those are summed by place, and spread over the cells
    # above only once, which is what makes a recount of a whole city quick.
    by_place: dict[tuple[Place, str], Charge] = defaultdict(lambda: NOTHING)
    total: dict[Cell, Charge] = defaultdict(lambda: NOTHING)
    for group in owners.values():
        if len({hold.place for hold in group}) == 1:
            place = group[0].place
            for word, charge in _charge((hold.phase, hold.amounts) for hold in group).items():
                by_place[place, word] = add(by_place[place, word], charge)
        else:
            for cell, charge in _spread(group, tree).items():
                total[cell] = add(total[cell], charge)
    for (place, word), charge in by_place.items():
        for cell in cells(tree, place, word):
            total[cell] = add(total[cell], charge)
    return dict(total)


def by_owner(holds: Iterable[Hold]) -> dict[str, dict[str, int]]:
    """Return what holds charge to each owner, wherever it stands: max(old, new), class by class."""
    owners: dict[str, dict[str, int]] = defaultdict(dict)
    for hold in holds:
        if hold.phase is not Phase.LAPSED:
            owners[hold.owner] = most(owners[hold.owner], hold.amounts)
    return dict(owners)


def _charge(amounts: Iterable[tuple[Phase, Mapping[str, int]]]) -> dict[str, Charge]:
    allocated: dict[str, int] = defaultdict(int)
    reserved: dict[str, int] = defaultdict(int)
    for phase, needed in amounts:
        into = allocated if phase is Phase.ALLOCATED else reserved
        for word, amount in needed.items():
            into[word] = max(into[word], amount)
    return {
        word: Charge(allocated[word], max(0, reserved[word] - allocated[word]))
        for word in {*allocated, *reserved}
    }


def _spread(group: Sequence[Hold], tree: Tree) -> dict[Cell, Charge]:
    """Return the charge of one owner whose holds stand in several places."""
    seen: dict[Cell, list[tuple[Phase, Mapping[str, int]]]] = defaultdict(list)
    for hold in group:
        for word, amount in hold.amounts.items():
            for cell in cells(tree, hold.place, word):
                seen[cell].append((hold.phase, {word: amount}))
    return {cell: _charge(parts)[cell.resource_class] for cell, parts in seen.items()}


def add(left: Charge, right: Charge) -> Charge:
    """Return the sum of two charges."""
    return Charge(left.allocated + right.allocated, left.reserved + right.reserved)


def change(step: Step, tree: Tree) -> dict[Cell, Charge]:
    """Return by how much a step changes each cell; cells that stay the same are left out."""
    old, new = charges(step.before.values(), tree), charges(step.after.values(), tree)
    differences = {}
    for cell in old.keys() | new.keys():
        was, now = old.get(cell, NOTHING), new.get(cell, NOTHING)
        if was != now:
            differences[cell] = Charge(now.allocated - was.allocated, now.reserved - was.reserved)
    return differences
