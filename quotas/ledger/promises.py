"""What may be promised: limits and a tree, against what is in use and against each other."""

import math
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from govcloud.ports.ledger import Obstacle, Refusal
from quotas.ledger.admission import Standing, refuse
from quotas.ledger.limits import Cap, Charter
from quotas.ledger.places import Cell, Tree


def affected(old: Tree, new: Tree) -> frozenset[str]:
    """Return the departments whose way to the root differs, and all on their new ways."""
    moved = old.moved(new)
    below = {name for name in new.parents if not moved.isdisjoint(new.path(name))}
    return frozenset(node for name in {*moved, *below} for node in new.path(name))


def broken(was: Standing, now: Standing, touched: Collection[Cell]) -> Iterator[Refusal]:
    """Yield what stands against replacing limits or the tree (Q1, Q5): all of it at once.

    Only what gets worse is refused, so that what was once forced can be mended step by step, and
    the same limits can be set again. Since before and after are compared as wholes, it does not
    matter in which order limits are raised, lowered and departments moved.
    """
    for cell in touched:
        refusal = _overcharged(was, now, cell)
        if refusal is not None:
            yield refusal
    seen: set[Cell] = set()
    old, new = was.charter, now.charter
    for instant in new.changes(now.at):
        for cell in set(_parents(new, touched, instant)) - seen:
            refusal = _overcommitted(old, now, cell, instant)
            if refusal is not None:
                seen.add(cell)
                yield refusal


def _overcharged(was: Standing, now: Standing, cell: Cell) -> Refusal | None:
    cap = now.cap(cell)
    if cap is None:
        return _withdrawn(was, now, cell)
    room = cap.limit + now.allowance(cell)
    grown = now.charge(cell).total - was.charge(cell).total
    if _worse(_over(was, cell), now.charge(cell).total - room):
        if grown <= 0:
            return refuse(
                Obstacle.BELOW_USAGE, now, cell, limit=cap.limit, requested=0, available=0
            )
        obstacle = Obstacle.PARENT_EXCEEDED
    elif grown > 0 and _worse(_lacking(was, cell), _lacking(now, cell)):
        obstacle = Obstacle.LENT_OUT
    else:
        return None
    left = room - was.charge(cell).total
    if obstacle is Obstacle.LENT_OUT:
        left = min(left, grown - (_lacking(now, cell) or 0))
    return refuse(obstacle, was, cell, limit=cap.limit, requested=grown, available=max(0, left))


def _withdrawn(was: Standing, now: Standing, cell: Cell) -> Refusal | None:
    """Return what stands against taking away the limit of a cell: it is like one of nothing."""
    over = _over(was, cell)
    if over is None or now.charge(cell).total <= max(0, over):
        return None
    return refuse(Obstacle.BELOW_USAGE, now, cell, limit=0, requested=0, available=0)


def _worse(before: int | None, after: int | None) -> bool:
    return after is not None and after > 0 and (before is None or after > before)


def _over(standing: Standing, cell: Cell) -> int | None:
    """Return by how much a cell is charged beyond what it may be; None where nothing limits it."""
    cap = standing.cap(cell)
    if cap is None:
        return None
    return standing.charge(cell).total - cap.limit - standing.allowance(cell)


def _lacking(standing: Standing, cell: Cell) -> int | None:
    """Return how much of what is kept below a cell is no longer there to be taken."""
    cap = standing.cap(cell)
    return None if cap is None else -standing.free(cell, cap) - standing.allowance(cell)


def _parents(charter: Charter, touched: Iterable[Cell], at: datetime) -> Iterator[Cell]:
    """Yield the touched cells with a limit, and for each the next above that has one."""
    for cell in touched:
        if charter.cap(cell, at) is not None:
            yield cell
        above = (cell.at(node) for node in charter.tree.path(cell.department)[1:])
        nearest = next((other for other in above if charter.cap(other, at) is not None), None)
        if nearest is not None:
            yield nearest


def _overcommitted(old: Charter, now: Standing, cell: Cell, at: datetime) -> Refusal | None:
    new = now.charter
    cap = new.cap(cell, at)
    if cap is None:
        return None
    promised, allowed = _promised(new, cell, at), _allowed(cap)
    if promised <= allowed:
        return None
    before = old.cap(cell, at)
    worse = before is None or allowed < _allowed(before) or promised > _promised(old, cell, at)
    if not worse:
        return None
    return refuse(
        Obstacle.OVERCOMMITTED,
        now,
        cell,
        limit=cap.limit,
        requested=promised,
        available=allowed,
    )


def _allowed(cap: Cap) -> int:
    # Factors are decimals that people write (1.1): binary rounding must not cost them a unit.
    return math.floor(cap.limit * cap.overcommit + 1e-6)


def _promised(charter: Charter, cell: Cell, at: datetime) -> int:
    """Return the sum of the next limits below a cell, whatever lies between without one."""
    total = 0
    waiting = list(charter.tree.children(cell.department))
    while waiting:
        node = waiting.pop()
        cap = charter.cap(cell.at(node), at)
        if cap is None:
            waiting.extend(charter.tree.children(node))
        else:
            total += cap.limit
    return total
