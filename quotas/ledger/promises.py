"""What may be promised: a new limit against what is in use, and children's against the parent's."""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime

from govcloud.ports import Obstacle, Refusal
from quotas.ledger.admission import Standing, refuse
from quotas.ledger.holds import Charges
from quotas.ledger.limits import Cap, Charter
from quotas.ledger.places import Cell


def broken(
    old: Charter, new: Charter, source: str, at: datetime, balances: Charges
) -> Iterator[Refusal]:
    """Yield what stands against replacing the limits of one source (Q5).

    A limit that is not lowered is never refused for being below usage, nor one that does not add
    to what the children were promised: so that what was once forced can be mended step by step,
    and the same limits can be set again.
    """
    touched = old.touched(source) | new.touched(source)
    yield from _below_usage(old, new, touched, at, balances)
    seen: set[Cell] = set()
    for instant in new.changes(at):
        for cell in set(_parents(new, touched, instant)) - seen:
            refusal = _overcommitted(old, new, cell, instant, balances)
            if refusal is not None:
                seen.add(cell)
                yield refusal


def _below_usage(
    old: Charter, new: Charter, touched: Iterable[Cell], at: datetime, balances: Charges
) -> Iterator[Refusal]:
    standing = Standing(new, at, balances)
    for cell in touched:
        was, now = old.cap(cell, at), new.cap(cell, at)
        if now is None:
            continue
        room = now.limit + new.allowance(cell, at)
        lowered = was is None or room < was.limit + old.allowance(cell, at)
        if lowered and standing.charge(cell).total > room:
            yield refuse(
                Obstacle.BELOW_USAGE, standing, cell, limit=now.limit, requested=0, available=0
            )


def _parents(charter: Charter, touched: Iterable[Cell], at: datetime) -> Iterator[Cell]:
    """Yield the touched cells with a limit, and for each the next above that has one."""
    for cell in touched:
        if charter.cap(cell, at) is not None:
            yield cell
        above = (cell.at(node) for node in charter.tree.path(cell.department)[1:])
        nearest = next((other for other in above if charter.cap(other, at) is not None), None)
        if nearest is not None:
            yield nearest


def _overcommitted(
    old: Charter, new: Charter, cell: Cell, at: datetime, balances: Charges
) -> Refusal | None:
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
    standing = Standing(new, at, balances)
    return refuse(
        Obstacle.OVERCOMMITTED,
        standing,
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
