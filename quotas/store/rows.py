"""The SQL of the ledger: reads and writes rows, and decides nothing."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar, cast
from uuid import uuid4

from sqlalchemy import Row, Select, Table, and_, delete, insert, select
from sqlmodel import Session, SQLModel

from govcloud.ports import LimitFact
from govcloud.store.engine import lock_row, upsert
from govcloud.store.tables import ObjectRow
from quotas.ledger.holds import NOTHING, Action, Charge, Charges, Entry, Hold, Phase
from quotas.ledger.places import Cell, Place
from quotas.tables import BalanceRow, EntryRow, HeadRow, HoldRow, LimitRow, NodeRow

T = TypeVar("T")
_GATE: Final = 1
_CHUNK: Final = 500
"""How many values one IN list takes: well below what either database allows."""


def _table(model: type[SQLModel]) -> Table:
    return cast("Table", model.__table__)  # type: ignore[attr-defined]


HEAD, NODES, LIMITS = _table(HeadRow), _table(NodeRow), _table(LimitRow)
ENTRIES, HOLDS, BALANCES = _table(EntryRow), _table(HoldRow), _table(BalanceRow)


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name


def _chunks(values: Iterable[T], size: int = _CHUNK) -> Iterator[list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


# --- The gate, the tree and the limits ----------------------------------------------------------


def revision(session: Session) -> str:
    """Return the revision of the tree and the limits; empty before there are any."""
    return session.execute(select(HEAD.c.revision).where(HEAD.c.id == _GATE)).scalar() or ""


def enter(session: Session) -> str:
    """Pass the gate, alone until the transaction ends; return the revision."""
    statement = lock_row(select(HEAD.c.revision).where(HEAD.c.id == _GATE), _dialect(session))
    found = session.execute(statement).scalar()
    if found is None:
        first = upsert(session, HEAD).on_conflict_do_nothing()
        session.execute(first, [{"id": _GATE, "revision": ""}])
        found = session.execute(statement).scalar_one()
    return str(found)


def revise(session: Session) -> str:
    """Give the tree and the limits a new revision; return it."""
    fresh = uuid4().hex
    session.execute(HEAD.update().where(HEAD.c.id == _GATE).values(revision=fresh))
    return fresh


def parents(session: Session) -> dict[str, str | None]:
    """Return the tree: node to parent."""
    return {row.department: row.parent for row in session.execute(select(NODES))}


def replace_parents(session: Session, tree: Mapping[str, str | None]) -> None:
    """Write the tree in place of the one before."""
    session.execute(delete(NODES))
    rows = [{"department": name, "parent": parent} for name, parent in sorted(tree.items())]
    if rows:
        session.execute(insert(NODES), rows)


def limits(session: Session) -> list[LimitFact]:
    """Return all limits, past and to come."""
    return [
        LimitFact(
            source=row.source,
            department=row.department,
            cloud=row.cloud,
            zone=row.zone,
            resource_class=row.resource_class,
            limit=row.amount,
            lend=row.lend,
            borrow=row.borrow,
            grant=row.temporary,
            overcommit=row.overcommit,
            valid_from=row.valid_from,
            valid_until=row.valid_until,
        )
        for row in session.execute(select(LIMITS).order_by(LIMITS.c.id))
    ]


def replace_limits(session: Session, source: str, facts: Iterable[LimitFact]) -> None:
    """Write the limits of one source in place of those before."""
    session.execute(delete(LIMITS).where(LIMITS.c.source == source))
    rows = [
        {
            "source": source,
            "department": fact.department,
            "cloud": fact.cloud,
            "zone": fact.zone,
            "resource_class": fact.resource_class,
            "amount": fact.limit,
            "lend": fact.lend,
            "borrow": fact.borrow,
            "temporary": fact.grant,
            "overcommit": fact.overcommit,
            "valid_from": fact.valid_from,
            "valid_until": fact.valid_until,
        }
        for fact in facts
    ]
    if rows:
        session.execute(insert(LIMITS), rows)


def levels(session: Session, departments: Collection[str]) -> dict[str, str]:
    """Return the levels that the Department objects name, for those that exist."""
    objects = _table(ObjectRow)
    wanted = and_(objects.c.kind == "Department", objects.c.name.in_(sorted(departments)))
    found = session.execute(select(objects.c.name, objects.c.spec).where(wanted))
    return {row.name: str(row.spec.get("level", "")) for row in found}


# --- Holds and entries --------------------------------------------------------------------------


def owners_due(session: Session, at: datetime) -> set[str]:
    """Return the owners of reservations whose time is over."""
    due = and_(HOLDS.c.phase == Phase.RESERVED.value, HOLDS.c.expires_at <= at)
    return set(session.execute(select(HOLDS.c.owner).where(due)).scalars())


def owners_of(session: Session, keys: Iterable[str]) -> set[str]:
    """Return the owners of keys."""
    statement = select(HOLDS.c.owner)
    return {
        owner
        for chunk in _chunks(keys)
        for owner in session.execute(statement.where(HOLDS.c.key.in_(chunk))).scalars()
    }


def holds(session: Session, owners: Iterable[str]) -> dict[str, Hold]:
    """Return all holds of these owners, by key."""
    statement = select(HOLDS).order_by(HOLDS.c.owner, HOLDS.c.rank)
    return {
        row.key: _hold(row)
        for chunk in _chunks(sorted(owners))
        for row in session.execute(statement.where(HOLDS.c.owner.in_(chunk)))
    }


def all_holds(session: Session) -> Iterator[Hold]:
    """Yield all holds."""
    yield from map(_hold, _stream(session, select(HOLDS)))


def entries(session: Session) -> Iterator[Entry]:
    """Yield all entries, in the order they were written."""
    for row in _stream(session, select(ENTRIES).order_by(ENTRIES.c.seq)):
        yield Entry(
            action=Action(row.action),
            key=row.key,
            owner=row.owner,
            place=Place(row.department, row.cloud, row.zone),
            amounts=row.amounts,
            expires_at=row.expires_at,
        )


def append(session: Session, written: Iterable[Entry], at: datetime | None) -> None:
    """Append entries."""
    rows = [
        {
            "at": at,
            "action": entry.action.value,
            "key": entry.key,
            "owner": entry.owner,
            **entry.place._asdict(),
            "amounts": dict(entry.amounts),
            "expires_at": entry.expires_at,
        }
        for entry in written
    ]
    if rows:
        session.execute(insert(ENTRIES), rows)


def keep_holds(session: Session, before: Mapping[str, Hold], after: Mapping[str, Hold]) -> None:
    """Write the holds that changed, and remove those that are no more."""
    for chunk in _chunks(sorted(before.keys() - after.keys())):
        session.execute(delete(HOLDS).where(HOLDS.c.key.in_(chunk)))
    rows = [
        {
            "key": hold.key,
            "owner": hold.owner,
            **hold.place._asdict(),
            "amounts": dict(hold.amounts),
            "phase": hold.phase.value,
            "rank": hold.rank,
            "expires_at": hold.expires_at,
        }
        for key, hold in after.items()
        if before.get(key) != hold
    ]
    _write(session, HOLDS, rows)


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        key=row.key,
        owner=row.owner,
        place=Place(row.department, row.cloud, row.zone),
        amounts=row.amounts,
        phase=Phase(row.phase),
        rank=row.rank,
        expires_at=row.expires_at,
    )


# --- Balances -----------------------------------------------------------------------------------


def balances(session: Session, wanted: Collection[Cell]) -> dict[Cell, Charge]:
    """Return the balances of these cells; those that carry nothing may be missing."""
    if not wanted:
        return {}
    columns: tuple[Callable[[Cell], str], ...] = (
        lambda cell: cell.cloud,
        lambda cell: cell.zone,
        lambda cell: cell.resource_class,
    )
    names = (BALANCES.c.cloud, BALANCES.c.zone, BALANCES.c.resource_class)
    statement = select(BALANCES)
    for name, pick in zip(names, columns, strict=True):
        statement = statement.where(name.in_(sorted({pick(cell) for cell in wanted})))
    found: dict[Cell, Charge] = {}
    for chunk in _chunks(sorted({cell.department for cell in wanted})):
        rows = session.execute(statement.where(BALANCES.c.department.in_(chunk)))
        found.update((cell, charge) for cell, charge in map(_balance, rows) if cell in wanted)
    return found


def all_balances(
    session: Session, departments: Collection[str] | None = None
) -> dict[Cell, Charge]:
    """Return all balances that carry something, of all or the given departments."""
    statement = select(BALANCES)
    if departments is not None:
        statement = statement.where(BALANCES.c.department.in_(sorted(departments)))
    found = dict(map(_balance, _stream(session, statement)))
    return {cell: charge for cell, charge in found.items() if charge != NOTHING}


def keep_balances(session: Session, kept: Charges) -> None:
    """Write balances."""
    rows = [{**cell._asdict(), **kept[cell]._asdict()} for cell in sorted(kept)]
    _write(session, BALANCES, rows)


def replace_balances(session: Session, kept: Charges) -> None:
    """Write balances in place of all that were."""
    session.execute(delete(BALANCES))
    keep_balances(session, kept)


def _balance(row: Row[Any]) -> tuple[Cell, Charge]:
    cell = Cell(row.department, row.cloud, row.zone, row.resource_class)
    return cell, Charge(row.allocated, row.reserved)


# --- Both databases -----------------------------------------------------------------------------


def _stream(session: Session, statement: Select[Any]) -> Iterator[Row[Any]]:
    yield from session.execute(statement, execution_options={"yield_per": 5000})


def _write(session: Session, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    if not rows:
        return
    statement = upsert(session, table)
    keys = [column.name for column in table.primary_key]
    others = {name: column for name, column in statement.excluded.items() if name not in keys}
    statement = statement.on_conflict_do_update(index_elements=keys, set_=others)
    session.execute(statement, list(rows))
