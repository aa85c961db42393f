"""A shadow of the quota ledger: brute force, written from the rule, to test the real one against.

It computes everything from all records each time it is asked, keeps no balances, and shares no code
with `quotas`. It is slow, and meant to be read beside the rule in `quotas.ledger.admission`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from govcloud.ports.ledger import Demand, LimitFact

Scope = tuple[str, str]
"""Cloud and zone; empty means any."""
Cell = tuple[str, str, str, str]
"""Department, cloud, zone, class."""
EVERYTHING: Final = float("inf")


@dataclass(frozen=True)
class Record:
    """A key: what was demanded, its state (`reserved`, `allocated`, `lapsed`), and its age."""

    demand: Demand
    state: str
    expires: datetime
    order: int


class Shadow:
    """What the ledger should say. `limits` are by source; `records` by key."""

    def __init__(self, parents: Mapping[str, str | None]) -> None:
        self.parents = dict(parents)
        self.limits: dict[str, list[LimitFact]] = {}
        self.records: dict[str, Record] = {}
        self._count = 0

    # --- What happens ---------------------------------------------------------------------------

    def reserve(self, demands: Iterable[Demand], expires: datetime, now: datetime) -> None:
        """Reserve without asking; what is due when somebody reserves has lapsed."""
        for key, record in self.records.items():
            if record.state == "reserved" and record.expires <= now:
                self.records[key] = replace(record, state="lapsed")
        for demand in demands:
            known = self.records.get(demand.key)
            if known is None or known.state == "lapsed":
                self._count += 1
                order = known.order if known else self._count
                self.records[demand.key] = Record(demand, "reserved", expires, order)

    def renew(self, keys: Iterable[str], until: datetime) -> None:
        """Let reservations live longer."""
        for key in keys:
            record = self.records.get(key)
            if record is not None and record.state == "reserved":
                self.records[key] = replace(record, expires=max(record.expires, until))

    def allocate(self, keys: Iterable[str]) -> None:
        """Turn keys into allocations; what their owners had before is gone."""
        for key in keys:
            record = self.records.get(key)
            if record is None or record.state == "allocated":
                continue
            self.records = {
                other: each
                for other, each in self.records.items()
                if each.demand.owner != record.demand.owner or each.order >= record.order
            }
            self.records[key] = replace(record, state="allocated")

    def void(self, keys: Iterable[str]) -> None:
        """Give back reservations."""
        for key in keys:
            record = self.records.get(key)
            if record is not None and record.state == "reserved":
                self.records[key] = replace(record, state="lapsed")

    def release(self, owners: Collection[str]) -> None:
        """Give back all that these owners have."""
        kept = {k: each for k, each in self.records.items() if each.demand.owner not in owners}
        self.records = kept

    # --- What is used ---------------------------------------------------------------------------

    def chain(self, node: str) -> Iterator[str]:
        """Yield a node and all above it."""
        at: str | None = node
        while at is not None:
            yield at
            at = self.parents.get(at)

    def used(self, cell: Cell, now: datetime) -> tuple[int, int]:
        """Return allocated and reserved: owner by owner, max(old, new) while both are there."""
        allocated = total = 0
        for owner in {record.demand.owner for record in self.records.values()}:
            mine = [r for r in self.records.values() if self._counts(r, owner, cell)]
            standing = [_amount(r, cell) for r in mine if r.state == "allocated"]
            coming = [_amount(r, cell) for r in mine if r.state == "reserved" and r.expires > now]
            allocated += max(standing, default=0)
            total += max([*standing, *coming], default=0)
        return allocated, total - allocated

    def total(self, cell: Cell, now: datetime) -> int:
        """Return allocated and reserved together."""
        return sum(self.used(cell, now))

    def _counts(self, record: Record, owner: str, cell: Cell) -> bool:
        node, cloud, zone, _ = cell
        demand = record.demand
        inside = cloud in ("", demand.cloud) and zone in ("", demand.zone)
        return demand.owner == owner and inside and node in self.chain(demand.department)

    # --- What is allowed ------------------------------------------------------------------------

    def facts(self, cell: Cell, now: datetime) -> list[LimitFact]:
        """Return the limits and grants in force at a cell."""
        return [
            fact
            for source in self.limits.values()
            for fact in source
            if (fact.department, fact.cloud, fact.zone, fact.resource_class) == cell
            and (fact.valid_from is None or fact.valid_from <= now)
            and (fact.valid_until is None or fact.valid_until > now)
        ]

    def limit(self, cell: Cell, now: datetime) -> int | None:
        """Return the tightest limit with all grants, or None where there is neither."""
        facts = self.facts(cell, now)
        if not facts:
            return None
        base = [fact.limit for fact in facts if not fact.grant]
        return (min(base) if base else 0) + sum(fact.limit for fact in facts if fact.grant)

    def lend(self, cell: Cell, now: datetime) -> float:
        """Return how much of what is unused others may have."""
        lends = [f.lend for f in self.facts(cell, now) if not f.grant and f.lend is not None]
        return min(lends) if lends else EVERYTHING

    def borrow(self, cell: Cell, now: datetime) -> int:
        """Return how far a cell may go beyond its limit: nowhere, if none above has a limit."""
        above = list(self.chain(cell[0]))[1:]
        if not any(self.limit((node, *cell[1:]), now) is not None for node in above):
            return 0
        base = [fact.borrow for fact in self.facts(cell, now) if not fact.grant]
        return min(base, default=0)

    def free(self, cell: Cell, now: datetime) -> float:
        """Return T(x): the limit, less own use, plus what each child contributes."""
        limit = self.limit(cell, now)
        if limit is None:
            raise ValueError(cell)
        return limit + self._below(cell, now)

    def _below(self, cell: Cell, now: datetime) -> float:
        children = [(name, *cell[1:]) for name, above in self.parents.items() if above == cell[0]]
        own = self.total(cell, now) - sum(self.total(child, now) for child in children)
        return -own + sum(self._contribution(child, now) for child in children)

    def _contribution(self, cell: Cell, now: datetime) -> float:
        limit = self.limit(cell, now)
        if limit is None:
            return self._below(cell, now)
        return min(self.lend(cell, now), self.free(cell, now)) - limit

    # --- What is refused ------------------------------------------------------------------------

    def refused(self, demands: Collection[Demand], now: datetime) -> set[tuple[Cell, bool]]:
        """Return the cells that stand in the way; True marks those where nothing was granted."""
        after = Shadow(self.parents)
        after.limits, after.records = self.limits, dict(self.records)
        after.reserve(demands, datetime.max.replace(tzinfo=now.tzinfo), now)
        cells = {cell for demand in demands for cell in self._asked(demand)}
        full = {(cell, False) for cell in cells if not self._admits(after, cell, now)}
        ungranted = {
            ((demand.department, demand.cloud, demand.zone, word), True)
            for demand in demands
            for word in demand.amounts
            if self._grows(after, (demand.department, demand.cloud, demand.zone, word), now)
            and not any(self.facts(cell, now) for cell in self._asked(demand) if cell[3] == word)
        }
        return full | ungranted

    def _asked(self, demand: Demand) -> Iterator[Cell]:
        scopes: set[Scope] = {("", ""), (demand.cloud, ""), (demand.cloud, demand.zone)}
        for node in self.chain(demand.department):
            for cloud, zone in scopes:
                for word in demand.amounts:
                    yield node, cloud, zone, word

    def _grows(self, after: "Shadow", cell: Cell, now: datetime) -> bool:
        return after.total(cell, now) > self.total(cell, now)

    def _admits(self, after: "Shadow", cell: Cell, now: datetime) -> bool:
        limit = self.limit(cell, now)
        if limit is None or not self._grows(after, cell, now):
            return True
        allowed = self.borrow(cell, now)
        was, then = self.free(cell, now), after.free(cell, now)
        return after.total(cell, now) <= limit + allowed and (then >= was or then >= -allowed)


def _amount(record: Record, cell: Cell) -> int:
    return record.demand.amounts.get(cell[3], 0)
