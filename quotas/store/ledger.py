"""The ledger on a database: reads rows, asks the algebra, writes rows.

Whoever changes the ledger first passes its gate, one row that is locked until the commit (on
SQLite the writing transaction is the gate). Every charge reaches up to the root of the tree, so
that all writers meet at the root's rows in any case: the gate costs nothing beyond that, and since
it is the only lock and comes first, units that change the ledger more than once, in whatever order
of departments, can never wait for each other in a circle. Readers take no lock.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection
from sqlmodel import Session

from govcloud.ports.ledger import Demand, Difference, Leeway, LimitFact, QuotaLine, Refusal, Verdict
from quotas.ledger import holds as steps
from quotas.ledger.admission import Standing, leaf_first, leeway, line, weigh
from quotas.ledger.holds import (
    NOTHING,
    Charge,
    Charges,
    Hold,
    Phase,
    Step,
    add,
    by_owner,
    change,
    charges,
    fold,
)
from quotas.ledger.limits import Charter
from quotas.ledger.places import Cell, Place, Tree, cells, class_order
from quotas.ledger.promises import affected, broken
from quotas.store import rows


class SqlLedger:
    """`govcloud.ports.ledger.Ledger` on SQLite and PostgreSQL.

    Keeps the tree and the limits in memory, by the revision of the database they were read from;
    safe to be shared by threads.
    """

    def __init__(self) -> None:
        self._known: tuple[str, Charter] = ("", _NO_CHARTER)

    # --- Demands --------------------------------------------------------------------------------

    def check(
        self,
        session: Session,
        demands: Sequence[Demand],
        at: datetime,
        *,
        gone: Sequence[str] = (),
    ) -> Verdict:
        """Say what `reserve` would say now, with the lines before and after; write nothing."""
        db = _connect(session)
        charter = self._charter(db, rows.revision(db))
        return _consider(db, charter, demands, gone, at=at, expires_at=at).verdict

    def reserve(
        self,
        session: Session,
        demands: Sequence[Demand],
        at: datetime,
        expires_at: datetime,
        *,
        gone: Sequence[str] = (),
    ) -> Verdict:
        """Reserve all demands or none, atomically at every level of the tree (Q1)."""
        db = _connect(session)
        charter = self._charter(db, rows.enter(db))
        case = _consider(db, charter, demands, gone, at=at, expires_at=expires_at)
        _post(db, case.lapse, case.relief, case.kept, at)
        if case.verdict.granted:
            _post(db, case.reserve, case.growth, _sum(case.kept, case.relief), at)
        return case.verdict

    def renew(self, session: Session, keys: Sequence[str], expires_at: datetime) -> None:
        """Let reservations that are still being worked on live longer."""
        self._step(session, keys, lambda holds: steps.renew(holds, keys, expires_at), None)

    def lapsed(self, session: Session, keys: Sequence[str]) -> Collection[str]:
        """Return which of the keys were reserved once and are charged no longer."""
        return [hold.key for hold in self._lapsed(_connect(session), keys)]

    def readmit(
        self, session: Session, keys: Sequence[str], at: datetime, expires_at: datetime
    ) -> Mapping[str, Sequence[Refusal]]:
        """Reserve again what has lapsed; return what stands against those that no longer fit."""
        refusals: dict[str, Sequence[Refusal]] = {}
        for hold in self._lapsed(_connect(session), keys):
            verdict = self.reserve(
                session, [Demand(hold.key, hold.owner, *hold.place, hold.amounts)], at, expires_at
            )
            if not verdict.granted:
                refusals[hold.key] = verdict.refusals
        return refusals

    @staticmethod
    def _lapsed(db: Connection, keys: Sequence[str]) -> list[Hold]:
        holds = rows.holds(db, rows.owners(db, keys))
        known = [holds[key] for key in keys if key in holds]
        return [hold for hold in known if hold.phase is Phase.LAPSED]

    def allocate(self, session: Session, keys: Sequence[str], at: datetime) -> None:
        """Turn reservations into allocations, replacing the owners' earlier entries."""
        self._step(session, keys, lambda holds: steps.allocate(holds, keys), at)

    def void(self, session: Session, keys: Sequence[str], at: datetime) -> None:
        """Give back reservations that will never be built; allocations stay."""
        self._step(session, keys, lambda holds: steps.void(holds, keys), at)

    def release(self, session: Session, owners: Sequence[str], at: datetime) -> None:
        """Give back everything charged to these objects."""
        if owners:
            db = _connect(session)
            charter = self._charter(db, rows.enter(db))
            _take(db, charter.tree, steps.release(rows.holds(db, owners), owners), at)

    def _step(
        self,
        session: Session,
        keys: Sequence[str],
        step: Callable[[Mapping[str, Hold]], Step],
        at: datetime | None,
    ) -> None:
        if keys:
            db = _connect(session)
            charter = self._charter(db, rows.enter(db))
            holds = rows.holds(db, rows.owners(db, keys))
            _take(db, charter.tree, step(holds), at)

    # --- The tree and the limits ----------------------------------------------------------------

    def revise(
        self,
        session: Session,
        at: datetime,
        *,
        parents: Mapping[str, str | None] | None = None,
        limits: Mapping[str, Sequence[LimitFact]] | None = None,
        force: bool = False,
    ) -> Sequence[Refusal]:
        """Replace the tree, and the limits of some sources, or return what stands against it."""
        db = _connect(session)
        old = self._charter(db, rows.enter(db))
        facts = {
            source: [replace(fact, source=source) for fact in each]
            for source, each in (limits or {}).items()
        }
        tree = old.tree if parents is None else Tree(parents)
        if tree.parents == old.tree.parents and not facts:
            return ()
        new = old.replaced(facts).rooted(tree)
        balances = _rerooted(db, old.tree, tree)
        if not force:
            refusals = _broken(db, old, new, at, sources=facts.keys(), balances=balances)
            if refusals:
                return refusals
        for source, each in facts.items():
            rows.replace_limits(db, source, each)
        if tree.parents != old.tree.parents:
            rows.replace_parents(db, tree.parents)
        if balances is not None:
            rows.replace_balances(db, balances)
        self._known = (rows.revise(db), new)
        return ()

    def _charter(self, db: Connection, revision: str) -> Charter:
        """Return the tree and the limits of a revision.

        A revision is a random word, so that one kept from a transaction that was rolled back is
        never asked for again.
        """
        if not revision:
            return _NO_CHARTER
        known, charter = self._known
        if known != revision:
            charter = Charter(Tree(rows.parents(db)), rows.limits(db))
            self._known = (revision, charter)
        return charter

    # --- Views ----------------------------------------------------------------------------------

    def charged(
        self, session: Session, cloud: str, owners: Sequence[str]
    ) -> Mapping[str, Mapping[str, int]]:
        """Return what objects are charged in a cloud now, by owner."""
        holds = rows.holds(_connect(session), owners).values()
        return by_owner(hold for hold in holds if hold.place.cloud == cloud)

    def lines(
        self, session: Session, at: datetime, departments: Sequence[str] | None = None
    ) -> Sequence[QuotaLine]:
        """Return every line with a limit or a charge, in the order of the tree."""
        db = _connect(session)
        charter = self._charter(db, rows.revision(db))
        standing = _standing(db, charter, at, departments)
        wanted = None if departments is None else set(departments)
        shown = standing.cells()
        place = {name: index for index, name in enumerate(charter.tree.walk())}

        def order(cell: Cell) -> tuple[object, ...]:
            last = place.get(cell.department, len(place))
            return last, cell.department, class_order(cell.resource_class), cell.cloud, cell.zone

        chosen = (cell for cell in shown if wanted is None or cell.department in wanted)
        return [line(standing, cell) for cell in sorted(chosen, key=order)]

    def leeways(self, session: Session, at: datetime, department: str) -> Sequence[Leeway]:
        """Return what a department may still use of each scope and class that any level has."""
        db = _connect(session)
        charter = self._charter(db, rows.revision(db))
        path = charter.tree.path(department)
        trading = (charter.traders(cell.scope) for cell in charter.cells())
        standing = _standing(db, charter, at, sorted({*path}.union(*trading)))
        own = {cell.at(department) for cell in standing.cells() if cell.department in path}
        return [
            leeway(standing, cell)
            for cell in sorted(own, key=lambda cell: (cell.resource_class, cell.cloud, cell.zone))
        ]

    def recount(self, session: Session, at: datetime) -> Sequence[Difference]:
        """Compare the kept balances, and the kept holds, with the sum of the entries (Q2)."""
        del at  # what is due but not yet marked as expired still counts, on both sides
        db = _connect(session)
        tree = self._charter(db, rows.revision(db)).tree
        counted = charges(fold(rows.entries(db)).values(), tree)
        balances = rows.all_balances(db)
        held = charges(rows.all_holds(db), tree)
        found = {**_unequal(held, counted), **_unequal(balances, counted)}
        return [
            Difference(*cell, kept=(*kept,), counted=(*true,))
            for cell, (kept, true) in sorted(found.items())
        ]


def _connect(session: Session) -> Connection:
    """Return the session's connection, with what the caller has not written yet written."""
    session.flush()
    return session.connection()


_NO_CHARTER = Charter(Tree({}), ())


@dataclass(frozen=True, slots=True)
class _Case:
    """Demands considered: what lapses first, what would be reserved, and what is said to it.

    `kept` are the balances as they stand in the database, before either.
    """

    kept: Charges
    lapse: Step
    relief: Charges
    reserve: Step
    growth: Charges
    verdict: Verdict


def _standing(
    db: Connection, charter: Charter, at: datetime, departments: Sequence[str] | None
) -> Standing:
    """Return what is charged to all or some departments, without what is over its time."""
    relief = change(_due(db, (), at), charter.tree)
    return Standing(charter, at, _sum(rows.all_balances(db, departments), relief))


def _consider(
    db: Connection,
    charter: Charter,
    demands: Sequence[Demand],
    gone: Sequence[str],
    *,
    at: datetime,
    expires_at: datetime,
) -> _Case:
    lapse = _due(db, demands, at, gone)
    reserve = steps.reserve(lapse.after, demands, expires_at)
    settled = _settled(reserve, demands, gone)
    relief, growth = change(lapse, charter.tree), change(reserve, charter.tree)
    freed = change(settled, charter.tree)
    shown = _shown(charter, demands) | {cell for cell, by in freed.items() if by.total}
    kept = rows.balances(db, {*relief, *growth, *shown, *_trading(charter, growth)})
    standing = Standing(charter, at, _sum(kept, relief))
    refusals = weigh(standing, demands, growth)
    if refusals:
        refusals = _levelled(db, refusals)
    own = {Cell(demand.department, "", "", word) for demand in demands for word in demand.amounts}
    after = standing.grown(growth)
    lines = tuple(
        line(standing, cell, after, -freed.get(cell, NOTHING).total)
        for cell in sorted(shown, key=leaf_first(charter.tree))
        if standing.cap(cell) is not None or cell in own
    )
    return _Case(kept, lapse, relief, reserve, growth, Verdict(not refusals, refusals, lines))


def _settled(reserve: Step, demands: Sequence[Demand], gone: Sequence[str]) -> Step:
    """Return what follows once all that was reserved is built, and all that goes is gone."""
    if not gone and not reserve.before:
        return Step(reserve.after, reserve.after, ())
    built = steps.allocate(reserve.after, [demand.key for demand in demands])
    return Step(reserve.after, steps.release(built.after, gone).after, ())


def _due(db: Connection, demands: Sequence[Demand], at: datetime, gone: Sequence[str] = ()) -> Step:
    """Return the lapse of all reservations whose time is over, with the askers' holds in it."""
    owners = rows.owners(db, [demand.key for demand in demands], due_at=at)
    owners |= {demand.owner for demand in demands} | set(gone)
    return steps.expire(rows.holds(db, owners), at)


def _shown(charter: Charter, demands: Iterable[Demand]) -> set[Cell]:
    """Return the cells of the lines that people want to see with a set of demands."""
    places = {
        (Place(demand.department, demand.cloud, demand.zone), word)
        for demand in demands
        for word in demand.amounts
    }
    return {cell for place, word in places for cell in cells(charter.tree, place, word)}


def _trading(charter: Charter, growth: Charges) -> set[Cell]:
    """Return the cells whose balances decide besides: who lends not all, who may borrow."""
    scopes = {cell.scope for cell in growth}
    return {Cell(node, *scope) for scope in scopes for node in charter.traders(scope)}


def _rerooted(db: Connection, old: Tree, new: Tree) -> Charges | None:
    """Return the balances as another tree has them, or None where they stay as they are."""
    moved = old.moved(new)
    if moved and moved & {cell.department for cell in rows.all_balances(db)}:
        return charges(rows.all_holds(db), new)
    return None


def _broken(
    db: Connection,
    old: Charter,
    new: Charter,
    at: datetime,
    *,
    sources: Collection[str],
    balances: Charges | None,
) -> tuple[Refusal, ...]:
    """Return what stands against a charter; `balances` are the new ones, if they change."""
    lapse, departments = _due(db, (), at), affected(old.tree, new.tree)
    touched = {cell for cell in new.cells() if cell.department in departments}
    touched = touched.union(*(each.touched(source) for source in sources for each in (old, new)))
    concerned = {cell.at(node) for cell in touched for node in new.tree.path(cell.department)}
    relief = change(lapse, old.tree)
    kept = rows.balances(db, {*concerned, *relief}) if balances is None else rows.all_balances(db)
    after = kept if balances is None else balances
    was = Standing(old, at, _sum(kept, relief))
    now = Standing(new, at, _sum(after, change(lapse, new.tree)))
    order = leaf_first(new.tree)

    def rank(refusal: Refusal) -> tuple[object, ...]:
        return order(_cell(refusal))

    return _levelled(db, sorted(broken(was, now, touched), key=rank))


def _cell(refusal: Refusal) -> Cell:
    return Cell(refusal.department, refusal.cloud, refusal.zone, refusal.resource_class)


def _levelled(db: Connection, refusals: Iterable[Refusal]) -> tuple[Refusal, ...]:
    """Return refusals with the levels of their nodes, as the Department objects name them."""
    refusals = tuple(refusals)
    levels = rows.levels(db, {refusal.department for refusal in refusals}) if refusals else {}
    return tuple(replace(refusal, level=levels.get(refusal.department, "")) for refusal in refusals)


def _take(db: Connection, tree: Tree, step: Step, at: datetime | None) -> None:
    """Write a step that nothing decides on."""
    if step.entries:
        delta = change(step, tree)
        _post(db, step, delta, rows.balances(db, delta.keys()), at)


def _post(db: Connection, step: Step, delta: Charges, kept: Charges, at: datetime | None) -> None:
    """Write a step: its entries, the holds that changed, the balances that follow."""
    rows.append(db, step.entries, at)
    rows.keep_holds(db, step.before, step.after)
    rows.keep_balances(db, {cell: add(kept.get(cell, NOTHING), by) for cell, by in delta.items()})


def _sum(kept: Charges, delta: Charges) -> Charges:
    if not delta:
        return kept
    cells_ = kept.keys() | delta.keys()
    return {cell: add(kept.get(cell, NOTHING), delta.get(cell, NOTHING)) for cell in cells_}


def _unequal(kept: Charges, counted: Charges) -> dict[Cell, tuple[Charge, Charge]]:
    pairs = {
        cell: (kept.get(cell, NOTHING), counted.get(cell, NOTHING))
        for cell in kept.keys() | counted.keys()
    }
    return {cell: pair for cell, pair in pairs.items() if pair[0] != pair[1]}
