"""Waves from groups: first fit by order of risk, the largest first within each. Pure.

Groups of low risk come first. A group goes into the first window that carries it, but not before
the first window of the rank below its own: so what is learnt on simple systems is learnt before
the others move, and windows are filled up all the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from migration.waves.groups import Edge, groups, uncut
from migration.waves.load import CLOUDS, Cell, Load, Steps, free_on, limit, weight
from migration.waves.model import Settings
from migration.waves.slots import Slot, Works, slots

Used = dict[tuple[str, str], int]
_FULL: Final = ("systems", "")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A group with what it weighs."""

    keys: tuple[str, ...]
    loads: tuple[Load, ...]
    rank: tuple[int, str]
    used: Mapping[tuple[str, str], int]
    demand: Mapping[Cell, int]
    share: float
    """The largest share of a window's limit that it takes."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A group in its window; `passed` counts the earlier windows by what spoke against them."""

    bundle: Bundle
    slot: Slot
    passed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A group that no window carries: the limit that speaks against it, and of whom or what."""

    bundle: Bundle
    reason: str
    subject: str
    alone: bool
    """Not even an empty window carries it."""


@dataclass(frozen=True, slots=True)
class Result:
    """Where everything is; windows without anything are left out."""

    placed: Sequence[Placed]
    unplaced: Sequence[Unplaced]
    windows: Sequence[Slot]


@dataclass(slots=True)
class _Packer:
    settings: Settings
    slots: Sequence[Slot]
    budget: Mapping[Cell, Steps]
    used: list[Used] = field(default_factory=list)
    slack: dict[Cell, list[int]] = field(default_factory=dict)
    caps: dict[str, int] = field(default_factory=dict)
    open_from: int = 0

    def __post_init__(self) -> None:
        self.used = [{} for _ in self.slots]
        for cell, steps in self.budget.items():
            self.slack[cell] = [free_on(steps, slot.day) for slot in self.slots]
        self.caps = {
            word: limit(word, self.settings)
            for word in ("systems", "hosts", "people", "sync", "delta")
        }
        # What is free at a window is free at all later ones: what is placed stays.
        for free in self.slack.values():
            for index in range(len(free) - 2, -1, -1):
                free[index] = min(free[index], free[index + 1])

    def obstacle(self, bundle: Bundle, index: int) -> tuple[str, str] | None:
        """Return the limit that a window has no room for, and whose; None where it fits."""
        used = self.used[index]
        for name, amount in bundle.used.items():
            if used.get(name, 0) + amount > self.caps[name[0]]:
                return name
        slot = self.slots[index]
        for load in bundle.loads:
            if not slot.suits(load.window):
                return "day", load.key
            if load.department in slot.frozen:
                return "freeze", load.department
        for cell, amount in bundle.demand.items():
            if cell in self.slack and amount > self.slack[cell][index]:
                return ("capacity", cell[1]) if cell[0] == CLOUDS else ("quota", " ".join(cell))
        return None

    def put(self, bundle: Bundle, index: int) -> None:
        used = self.used[index]
        for name, amount in bundle.used.items():
            used[name] = used.get(name, 0) + amount
        for cell, amount in bundle.demand.items():
            free = self.slack.get(cell)
            if free is not None:
                for later in range(index, len(free)):
                    free[later] -= amount
                for earlier in range(index - 1, -1, -1):
                    if free[earlier] <= free[earlier + 1]:
                        break
                    free[earlier] = free[earlier + 1]
        while self.open_from < len(self.used) and (
            self.used[self.open_from].get(_FULL, 0) >= self.caps["systems"]
        ):
            self.open_from += 1


def bundles(loads: Mapping[str, Load], edges: Iterable[Edge], settings: Settings) -> list[Bundle]:
    """Return the groups of systems that move together, with what they weigh."""
    return [
        _bundle([loads[key] for key in group], settings)
        for group in groups(loads, uncut(edges, settings))
    ]


def _bundle(loads: Sequence[Load], settings: Settings) -> Bundle:
    used: Used = {}
    demand: dict[Cell, int] = {}
    for load in loads:
        for name, amount in weight(load, settings).items():
            used[name] = used.get(name, 0) + amount
        for cell, amount in load.demand.items():
            demand[cell] = demand.get(cell, 0) + amount
    share = max(amount / limit(name[0], settings) for name, amount in used.items())
    rank = max(load.rank for load in loads)
    return Bundle(tuple(load.key for load in loads), tuple(loads), rank, used, demand, share)


def compute(
    loads: Mapping[str, Load],
    edges: Iterable[Edge],
    settings: Settings,
    works: Works,
    budget: Mapping[Cell, Steps],
) -> Result:
    """Return the waves; the same input gives the same waves."""
    packer = _Packer(settings, tuple(slots(settings, works)), budget)
    placed: list[tuple[int, Placed]] = []
    unplaced: list[Unplaced] = []
    floor = 0
    ordered = sorted(bundles(loads, edges, settings), key=lambda b: (b.rank, -b.share, b.keys))
    for _, same in groupby(ordered, key=lambda bundle: bundle.rank):
        first: int | None = None
        for bundle in same:
            found = _place(packer, bundle, floor)
            if isinstance(found, Unplaced):
                unplaced.append(found)
            else:
                placed.append(found)
                first = found[0] if first is None else min(first, found[0])
        floor = first if first is not None else floor
    placed.sort(key=lambda entry: (entry[0], entry[1].bundle.rank, entry[1].bundle.keys))
    windows = sorted({index for index, _ in placed})
    return Result(
        tuple(entry for _, entry in placed),
        tuple(unplaced),
        tuple(packer.slots[index] for index in windows),
    )


def _place(packer: _Packer, bundle: Bundle, floor: int) -> tuple[int, Placed] | Unplaced:
    for name, amount in bundle.used.items():
        if amount > packer.caps[name[0]]:
            return Unplaced(bundle, name[0], name[1], alone=True)
    start = max(floor, packer.open_from)
    passed = {"systems": start - floor} if start > floor else {}
    last = ("horizon", "")
    for index in range(start, len(packer.slots)):
        obstacle = packer.obstacle(bundle, index)
        if obstacle is None:
            packer.put(bundle, index)
            return index, Placed(bundle, packer.slots[index], passed)
        passed[obstacle[0]] = passed.get(obstacle[0], 0) + 1
        last = obstacle
    return Unplaced(bundle, *last, alone=False)


def fewest_windows(loads: Mapping[str, Load], edges: Iterable[Edge], settings: Settings) -> int:
    """Return a number of windows that no plan can do without.

    The most that any limit asks for by its sum, or by groups of which no two share a window.
    """
    found = bundles(loads, edges, settings)
    total: Used = {}
    for bundle in found:
        for name, amount in bundle.used.items():
            total[name] = total.get(name, 0) + amount
    by_sum = max((-(-amount // limit(n[0], settings)) for n, amount in total.items()), default=0)
    return max(by_sum, _by_size([b.used[_FULL] for b in found], settings.systems))


def _by_size(sizes: Sequence[int], most: int) -> int:
    """Return the bound of Martello and Toth for packing sizes into bins."""
    best = 0
    for small in sorted({0, *(size for size in sizes if 2 * size <= most)}):
        large = [size for size in sizes if size > most - small]
        middle = [size for size in sizes if most - small >= size and 2 * size > most]
        rest = sum(size for size in sizes if small <= size and 2 * size <= most)
        room = len(middle) * most - sum(middle)
        best = max(best, len(large) + len(middle) + max(0, -(-(rest - room) // most)))
    return best
