"""Limits in force: what the limits and grants of a cell add up to at an instant."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from govcloud.ports.ledger import LimitFact
from quotas.ledger.places import Cell, Scope, Tree


@dataclass(frozen=True, slots=True)
class Cap:
    """What holds at a cell: limit with grants, what it lends (None: all), what it may borrow."""

    limit: int
    lend: int | None
    borrow: int
    overcommit: float


class _Index:
    """Limits by the cell they speak of, and which cells each source touches."""

    def __init__(self) -> None:
        self.by_cell: dict[Cell, tuple[LimitFact, ...]] = {}
        self.by_source: dict[str, frozenset[Cell]] = {}
        self.begins: frozenset[datetime] = frozenset()

    def add(self, facts: Iterable[LimitFact]) -> None:
        sources: dict[str, set[Cell]] = defaultdict(set)
        for fact in facts:
            cell = cell_of(fact)
            self.by_cell[cell] = (*self.by_cell.get(cell, ()), fact)
            sources[fact.source].add(cell)
            if fact.valid_from is not None:
                self.begins |= {fact.valid_from}
        for source, touched in sources.items():
            self.by_source[source] = self.by_source.get(source, frozenset()) | touched

    def without(self, sources: Collection[str]) -> "_Index":
        new = _Index()
        new.by_cell, new.by_source = dict(self.by_cell), dict(self.by_source)
        new.begins = self.begins
        gone = [new.by_source.pop(source, frozenset()) for source in sources]
        for cell in frozenset().union(*gone):
            others = tuple(fact for fact in new.by_cell.pop(cell) if fact.source not in sources)
            if others:
                new.by_cell[cell] = others
        return new


class Charter:
    """The tree with all limits, past and to come; a value that is never changed."""

    def __init__(
        self, tree: Tree, facts: Iterable[LimitFact] = (), *, index: _Index | None = None
    ) -> None:
        self.tree = tree
        self._index = index or _Index()
        self._index.add(facts)
        self._traders: Mapping[Scope, frozenset[str]] | None = None

    def replaced(self, limits: Mapping[str, Iterable[LimitFact]]) -> Self:
        """Return the charter with these limits, by source, in place of those of these sources."""
        facts = [fact for each in limits.values() for fact in each]
        return type(self)(self.tree, facts, index=self._index.without(limits.keys()))

    def rooted(self, tree: Tree) -> Self:
        """Return the charter with another tree."""
        return type(self)(tree, index=self._index)

    def touched(self, source: str) -> frozenset[Cell]:
        """Return the cells that `source` limits."""
        return self._index.by_source.get(source, frozenset())

    def changes(self, at: datetime) -> list[datetime]:
        """Return `at` and the later instants at which limits may begin to hold, in order."""
        return [at, *sorted(moment for moment in self._index.begins if moment > at)]

    def cells(self) -> Iterator[Cell]:
        """Yield the cells that have, had or will have a limit."""
        yield from self._index.by_cell

    def cap(self, cell: Cell, at: datetime) -> Cap | None:
        """Return what holds at a cell at an instant, or None where nothing limits it.

        Of several limits for one cell the tightest holds; grants add to it, and a grant alone is
        the limit.
        """
        valid = [fact for fact in self._index.by_cell.get(cell, ()) if in_force(fact, at)]
        if not valid:
            return None
        base = [fact for fact in valid if not fact.grant]
        lends = [fact.lend for fact in base if fact.lend is not None]
        return Cap(
            limit=min((fact.limit for fact in base), default=0)
            + sum(fact.limit for fact in valid if fact.grant),
            lend=min(lends, default=None),
            borrow=min((fact.borrow for fact in base), default=0),
            overcommit=min((fact.overcommit for fact in base), default=1),
        )

    def allowance(self, cell: Cell, at: datetime) -> int:
        """Return how far a cell may pass its limit: what it may borrow, if anybody can lend.

        Where no level above has a limit in this scope there is nothing to borrow from, so that
        the root's own borrowing counts for nothing.
        """
        cap = self.cap(cell, at)
        if cap is None or not cap.borrow:
            return 0
        above = self.tree.path(cell.department)[1:]
        return cap.borrow if any(self.cap(cell.at(node), at) for node in above) else 0

    def traders(self, scope: Scope) -> frozenset[str]:
        """Return the nodes that limit what they lend, or may borrow, in a scope."""
        if self._traders is None:
            traders: dict[Scope, set[str]] = defaultdict(set)
            for cell, facts in self._index.by_cell.items():
                if any(fact.lend is not None or fact.borrow for fact in facts):
                    traders[cell.scope].add(cell.department)
            self._traders = {scope: frozenset(names) for scope, names in traders.items()}
        return self._traders.get(scope, frozenset())


def cell_of(fact: LimitFact) -> Cell:
    """Return the cell that a limit speaks of."""
    return Cell(fact.department, fact.cloud, fact.zone, fact.resource_class)


def in_force(fact: LimitFact, at: datetime) -> bool:
    """Say whether a limit holds at an instant; it no longer does at `valid_until` itself."""
    begun = fact.valid_from is None or fact.valid_from <= at
    return begun and (fact.valid_until is None or at < fact.valid_until)
