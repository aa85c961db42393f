"""Admission: may the charges grow by this much? Pure, and the rule of guarantees Q1, Q4 and Q6.

For a node x with a limit L(x), in one scope,

    free(x) = L(x) - own use + sum of the contributions of the nodes below
    contribution(c) = min(lend(c), free(c)) - L(c)      where c has a limit; lend absent: unlimited
    contribution(c) = -own use + contributions below    where c has none: it is transparent

Where everything is lent, free(x) is the limit less everything used below: plain caps. Where c lends
less than it leaves unused, the rest stays its own and is taken from what others see as free.

A growth is admitted iff at each node with a limit on the way to the root

1. use stays within the limit and what the node may borrow, and
2. free does not fall below minus what the node may borrow, unless this growth does not lower it:
   what a child kept for itself it may always take, even where limits were overcommitted.

The rule is Kueue's (KEP-79), which keeps no account of who lent to whom, turned from guarantees
into caps.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from govcloud.ports.ledger import Demand, Leeway, Obstacle, QuotaLine, Refusal
from quotas.ledger.holds import NOTHING, Charge, Charges, add
from quotas.ledger.limits import Cap, Charter
from quotas.ledger.places import Cell, Place, Scope, Tree, cells, class_order, scopes


class Standing:
    """What is charged, against the limits in force at one instant."""

    def __init__(self, charter: Charter, at: datetime, balances: Charges) -> None:
        self.charter = charter
        self.at = at
        self._balances = balances
        self._kept: dict[Scope, Mapping[str, int]] = {}
        self._caps: dict[Cell, Cap | None] = {}

    def grown(self, growth: Charges) -> "Standing":
        """Return the standing after a growth."""
        balances = dict(self._balances)
        for cell, charge in growth.items():
            balances[cell] = add(balances.get(cell, NOTHING), charge)
        grown = Standing(self.charter, self.at, balances)
        grown._caps = self._caps
        return grown

    def charge(self, cell: Cell) -> Charge:
        """Return what a cell carries, with all below it."""
        return self._balances.get(cell, NOTHING)

    def cells(self) -> set[Cell]:
        """Return the cells with a limit in force or a charge."""
        limited = {cell for cell in self.charter.cells() if self.cap(cell) is not None}
        return limited | {cell for cell, charge in self._balances.items() if charge != NOTHING}

    def cap(self, cell: Cell) -> Cap | None:
        """Return what limits a cell now."""
        if cell not in self._caps:
            self._caps[cell] = self.charter.cap(cell, self.at)
        return self._caps[cell]

    def allowance(self, cell: Cell) -> int:
        """Return how far a cell may pass its limit now."""
        return self.charter.allowance(cell, self.at)

    def free(self, cell: Cell, cap: Cap) -> int:
        """Return what is free at a cell with a limit: negative if it borrows or is over."""
        return (
            cap.limit - self.charge(cell).total - self._withheld(cell.scope).get(cell.department, 0)
        )

    def _withheld(self, scope: Scope) -> Mapping[str, int]:
        """Return for each node how much of what is unused below it is not lent."""
        known = self._kept.get(scope)
        if known is None:
            known = self._kept[scope] = self._withhold(scope)
        return known

    def _withhold(self, scope: Scope) -> Mapping[str, int]:
        tree, kept = self.charter.tree, dict[str, int]()
        lenders: dict[str, tuple[Cap, int]] = {}
        for node in self.charter.traders(scope):
            cap = self.cap(Cell(node, *scope))
            if cap is not None and cap.lend is not None:
                lenders[node] = cap, cap.lend
        for node in sorted(lenders, key=lambda name: (-tree.depth(name), name)):
            cap, lend = lenders[node]
            below = kept.get(node, 0)
            free = cap.limit - self.charge(Cell(node, *scope)).total - below
            withheld = below + max(0, free - lend)
            for above in tree.path(node)[1:]:
                kept[above] = kept.get(above, 0) + withheld
                if above in lenders:  # it passes on what reaches it, with its own
                    break
        return kept


def weigh(before: Standing, demands: Iterable[Demand], growth: Charges) -> tuple[Refusal, ...]:
    """Return all reasons against a growth of charges: none means that it is admitted.

    In order from leaf to root, then by class and scope. `level` is left empty: the ledger knows
    only positions.
    """
    demands = tuple(demands)
    after = before.grown(growth)
    asking = {demand.department for demand in demands}
    found = dict(_ungranted(before, demands, growth))
    for cell, charge in growth.items():
        refusal = _refusal(before, after, cell, charge.total, asking) if charge.total > 0 else None
        if refusal is not None:
            found[cell] = refusal
    order = leaf_first(before.charter.tree)
    return tuple(found[cell] for cell in sorted(found, key=order))


def leaf_first(tree: Tree) -> Callable[[Cell], tuple[object, ...]]:
    """Return the sorting key of cells: from leaf to root, then by class and scope."""

    def key(cell: Cell) -> tuple[object, ...]:
        rank, order = -tree.depth(cell.department), class_order(cell.resource_class)
        return rank, cell.department, order, cell.cloud, cell.zone

    return key


def _ungranted(
    standing: Standing, demands: Iterable[Demand], growth: Charges
) -> Mapping[Cell, Refusal]:
    """Return a refusal for each class that no level limits: nothing was ever granted of it."""
    refusals = {}
    for demand in demands:
        cloud, zone = scopes(demand.cloud, demand.zone)[-1]
        for word in demand.amounts:
            cell = Cell(demand.department, cloud, zone, word)
            requested = growth.get(cell, NOTHING).total
            if requested > 0 and not _limited(standing, cell):
                refusals[cell] = refuse(
                    Obstacle.NO_QUOTA, standing, cell, limit=0, requested=requested, available=0
                )
    return refusals


def _limited(standing: Standing, narrowest: Cell) -> bool:
    return any(
        standing.cap(Cell(node, cloud, zone, narrowest.resource_class))
        for node in standing.charter.tree.path(narrowest.department)
        for cloud, zone in scopes(narrowest.cloud, narrowest.zone)
    )


def _refusal(
    before: Standing, after: Standing, cell: Cell, requested: int, asking: Collection[str]
) -> Refusal | None:
    cap = before.cap(cell)
    if cap is None:
        return None
    lowered = before.free(cell, cap) - after.free(cell, cap)
    capped = requested > _room(before, cell, cap)
    if not capped and (lowered <= 0 or after.free(cell, cap) >= -before.allowance(cell)):
        return None
    if not capped:
        obstacle = Obstacle.LENT_OUT
    elif cell.department in asking:
        obstacle = Obstacle.LIMIT_EXCEEDED
    else:
        borrowed = _borrowed_away(after, cell, asking)
        obstacle = Obstacle.LENT_OUT if borrowed else Obstacle.PARENT_EXCEEDED
    available = _available(before, after, cell, cap)
    return refuse(obstacle, before, cell, limit=cap.limit, requested=requested, available=available)


def _room(standing: Standing, cell: Cell, cap: Cap) -> int:
    return cap.limit + standing.allowance(cell) - standing.charge(cell).total


def _available(before: Standing, after: Standing, cell: Cell, cap: Cap) -> int:
    """Return how much of a growth a cell would admit, if it is more than that."""
    requested = after.charge(cell).total - before.charge(cell).total
    lowered = before.free(cell, cap) - after.free(cell, cap)
    lendable = max(0, before.free(cell, cap) + before.allowance(cell)) + requested - lowered
    return max(0, min(_room(before, cell, cap), lendable))


def leeway(standing: Standing, cell: Cell) -> Leeway:
    """Return how much more a department may use in a scope, and the level that decides that."""
    way = cells(
        standing.charter.tree,
        Place(cell.department, cell.cloud, cell.zone),
        cell.resource_class,
    )
    caps = {step: cap for step in way if (cap := standing.cap(step)) is not None}
    own = line(standing, cell)
    if not caps:
        return Leeway(own, 0, None)
    most = max(0, *(_room(standing, step, cap) for step, cap in caps.items()))
    after = standing.grown({step: Charge(0, most) for step in way})
    left = {step: _available(standing, after, step, cap) for step, cap in caps.items()}
    binding = min(left, key=lambda step: left[step])
    return Leeway(own, left[binding], line(standing, binding))


def _borrowed_away(after: Standing, cell: Cell, asking: Collection[str]) -> bool:
    """Say whether others below have passed their limits, while those who ask keep to theirs."""
    ways = [way for name in asking if (way := _way(after.charter.tree, name, cell))]
    limits = [[step for step in way if after.cap(step) is not None] for way in ways]
    if not all(limits) or any(_beyond(after, step) for steps in limits for step in steps):
        return False
    others = (cell.at(name) for name in after.charter.traders(cell.scope))
    return any(
        _beyond(after, other) and _way(after.charter.tree, other.department, cell)
        for other in others
    )


def _way(tree: Tree, department: str, cell: Cell) -> list[Cell]:
    """Return the cells from a department up to just below a cell; none if it is not below."""
    path = tree.path(department)
    if cell.department not in path:
        return []
    return [cell.at(node) for node in path[: path.index(cell.department)]]


def _beyond(standing: Standing, cell: Cell) -> bool:
    cap = standing.cap(cell)
    return cap is not None and standing.charge(cell).total > cap.limit


def refuse(
    obstacle: Obstacle,
    standing: Standing,
    cell: Cell,
    *,
    limit: int,
    requested: int,
    available: int,
) -> Refusal:
    """Return a refusal with the numbers of a cell; the store knows the levels and fills them in."""
    charge = standing.charge(cell)
    return Refusal(
        obstacle=obstacle,
        department=cell.department,
        level="",
        resource_class=cell.resource_class,
        cloud=cell.cloud,
        zone=cell.zone,
        limit=limit,
        allocated=charge.allocated,
        reserved=charge.reserved,
        requested=requested,
        available=available,
    )


def line(
    standing: Standing, cell: Cell, after: Standing | None = None, freed: int = 0
) -> QuotaLine:
    """Return the line of a cell as people see it; what is requested leads to `after`."""
    cap, charge = standing.cap(cell), standing.charge(cell)
    after = after or standing
    return QuotaLine(
        department=cell.department,
        cloud=cell.cloud,
        zone=cell.zone,
        resource_class=cell.resource_class,
        limit=cap.limit if cap is not None else None,
        allocated=charge.allocated,
        reserved=charge.reserved,
        requested=after.charge(cell).total - charge.total,
        freed=freed,
        borrowable=standing.allowance(cell) if cap is not None else 0,
        available=_available(standing, after, cell, cap) if cap is not None else None,
        limited=cap is not None or _limited(standing, cell),
    )
