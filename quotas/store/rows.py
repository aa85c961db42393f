"""The SQL of the ledger: reads and writes rows, and decides nothing.

Statements are built once, and run on the session's connection without the object mapper: a
reservation is a handful of them, and their preparation would be most of its time.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeVar, cast
from uuid import uuid4

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    union,
    update,
)
from sqlmodel import SQLModel

from govcloud.ports.ledger import LimitFact
from govcloud.store.engine import lock_row
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
OBJECTS = _table(ObjectRow)


def _chunks(values: Iterable[T], size: int = _CHUNK) -> Iterator[list[T]]:
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _any(name: str) -> Any:
    """Return the parameter of an IN list."""
    return bindparam(name, expanding=True)


# --- The gate, the tree and the limits ----------------------------------------------------------


_REVISION: Final = select(HEAD.c.revision).where(HEAD.c.id == _GATE)


@lru_cache
def _gate(dialect: str) -> Any:
    return lock_row(_REVISION, dialect)


def revision(db: Connection) -> str:
    """Return the revision of the tree and the limits; empty before there are any."""
    return db.execute(_REVISION).scalar() or ""


def enter(db: Connection) -> str:
    """Pass the gate, alone until the transaction ends; return the revision."""
    gate = _gate(db.dialect.name)
    found = db.execute(gate).scalar()
    if found is None:
        first = _insert(db.dialect.name, HEAD).on_conflict_do_nothing()
        db.execute(first, [{"id": _GATE, "revision": ""}])
        found = db.execute(gate).scalar_one()
    return str(found)


def revise(db: Connection) -> str:
    """Give the tree and the limits a new revision; return it."""
    fresh = uuid4().hex
    db.execute(update(HEAD).where(HEAD.c.id == _GATE).values(revision=fresh))
    return fresh


def parents(db: Connection) -> dict[str, str | None]:
    """Return the tree: node to parent."""
    return {row.department: row.parent for row in db.execute(select(NODES))}


def replace_parents(db: Connection, tree: Mapping[str, str | None]) -> None:
    """Write the tree in place of the one before."""
    db.execute(delete(NODES))
    rows = [{"department": name, "parent": parent} for name, parent in sorted(tree.items())]
    if rows:
        db.execute(insert(NODES), rows)


def limits(db: Connection) -> list[LimitFact]:
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
        for row in db.execute(select(LIMITS).order_by(LIMITS.c.id))
    ]


def replace_limits(db: Connection, source: str, facts: Iterable[LimitFact]) -> None:
    """Write the limits of one source in place of those before."""
    db.execute(delete(LIMITS).where(LIMITS.c.source == source))
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
        db.execute(insert(LIMITS), rows)


def levels(db: Connection, departments: Collection[str]) -> dict[str, str]:
    """Return the levels that the Department objects name, for those that exist."""
    wanted = and_(OBJECTS.c.kind == "Department", OBJECTS.c.name.in_(sorted(departments)))
    found = db.execute(select(OBJECTS.c.name, OBJECTS.c.spec).where(wanted))
    return {row.name: str(row.spec.get("level", "")) for row in found}


# --- Holds and entries --------------------------------------------------------------------------


_DUE: Final = select(HOLDS.c.owner).where(
    HOLDS.c.phase == Phase.RESERVED.value, HOLDS.c.expires_at <= bindparam("at")
)
_OWNERS: Final = select(HOLDS.c.owner).where(HOLDS.c.key.in_(_any("keys")))
_DUE_AND_OWNERS: Final = union(_DUE, _OWNERS)
_HOLDS: Final = select(HOLDS).where(HOLDS.c.owner.in_(_any("owners"))).order_by(HOLDS.c.rank)


def owners(db: Connection, keys: Collection[str], due_at: datetime | None = None) -> set[str]:
    """Return the owners of keys, and of the reservations whose time is over at an instant."""
    found: set[str] = set()
    if due_at is not None and len(keys) <= _CHUNK:
        parameters = {"at": due_at, "keys": list(keys)}
        return set(db.execute(_DUE_AND_OWNERS, parameters).scalars())
    if due_at is not None:
        found.update(db.execute(_DUE, {"at": due_at}).scalars())
    for chunk in _chunks(keys):
        found.update(db.execute(_OWNERS, {"keys": chunk}).scalars())
    return found


def holds(db: Connection, owned_by: Collection[str]) -> dict[str, Hold]:
    """Return all holds of these owners, by key."""
    return {
        row.key: _hold(row)
        for chunk in _chunks(sorted(owned_by))
        for row in db.execute(_HOLDS, {"owners": chunk})
    }


def all_holds(db: Connection) -> Iterator[Hold]:
    """Yield all holds."""
    yield from map(_hold, _stream(db, select(HOLDS)))


def entries(db: Connection) -> Iterator[Entry]:
    """Yield all entries, in the order they were written."""
    for row in _stream(db, select(ENTRIES).order_by(ENTRIES.c.seq)):
        yield Entry(
            action=Action(row.action),
            key=row.key,
            owner=row.owner,
            place=Place(row.department, row.cloud, row.zone),
            amounts=row.amounts,
            expires_at=row.expires_at,
        )


def append(db: Connection, written: Iterable[Entry], at: datetime | None) -> None:
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
        db.execute(insert(ENTRIES), rows)


def keep_holds(db: Connection, before: Mapping[str, Hold], after: Mapping[str, Hold]) -> None:
    """Write the holds that changed, and remove those that are no more."""
    for chunk in _chunks(sorted(before.keys() - after.keys())):
        db.execute(delete(HOLDS).where(HOLDS.c.key.in_(chunk)))
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
    _write(db, HOLDS, rows)


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


_BALANCES: Final = select(BALANCES).where(
    BALANCES.c.department.in_(_any("departments")),
    BALANCES.c.cloud.in_(_any("clouds")),
    BALANCES.c.zone.in_(_any("zones")),
    BALANCES.c.resource_class.in_(_any("classes")),
)


def balances(db: Connection, wanted: Collection[Cell]) -> dict[Cell, Charge]:
    """Return the balances of these cells; those that carry nothing may be missing."""
    parameters = {
        "clouds": sorted({cell.cloud for cell in wanted}),
        "zones": sorted({cell.zone for cell in wanted}),
        "classes": sorted({cell.resource_class for cell in wanted}),
    }
    found: dict[Cell, Charge] = {}
    for chunk in _chunks(sorted({cell.department for cell in wanted})):
        rows = db.execute(_BALANCES, {**parameters, "departments": chunk})
        found.update((cell, charge) for cell, charge in map(_balance, rows) if cell in wanted)
    return found


def all_balances(db: Connection, departments: Collection[str] | None = None) -> dict[Cell, Charge]:
    """Return all balances that carry something, of all or the given departments."""
    statement = select(BALANCES)
    if departments is not None:
        statement = statement.where(BALANCES.c.department.in_(sorted(departments)))
    found = dict(map(_balance, _stream(db, statement)))
    return {cell: charge for cell, charge in found.items() if charge != NOTHING}


def keep_balances(db: Connection, kept: Charges) -> None:
    """Write balances."""
    written = [{**cell._asdict(), **kept[cell]._asdict()} for cell in sorted(kept)]
    if not written or db.dialect.name == "sqlite":
        _write(db, BALANCES, written)
        return
    # As arrays, in one statement: each reservation writes some tens of these rows while all other
    # writers wait, and PostgreSQL takes as long for each statement as for all the rows.
    columns = {name: [row[name] for row in written] for name in written[0]}
    db.execute(_replacing_arrays(), columns)


@lru_cache
def _replacing_arrays() -> Any:
    from sqlalchemy.dialects.postgresql import ARRAY

    rows = select(
        *(func.unnest(bindparam(each.name, type_=ARRAY(each.type))) for each in BALANCES.columns)
    )
    names = [each.name for each in BALANCES.columns]
    return _on_conflict(_insert("postgresql", BALANCES).from_select(names, rows), BALANCES)


def replace_balances(db: Connection, kept: Charges) -> None:
    """Write balances in place of all that were."""
    db.execute(delete(BALANCES))
    keep_balances(db, kept)


def _balance(row: Row[Any]) -> tuple[Cell, Charge]:
    cell = Cell(row.department, row.cloud, row.zone, row.resource_class)
    return cell, Charge(row.allocated, row.reserved)


# --- Both databases -----------------------------------------------------------------------------


def _stream(db: Connection, statement: Select[Any]) -> Iterator[Row[Any]]:
    yield from db.execute(statement, execution_options={"yield_per": 5000})


def _insert(dialect: str, table: Table) -> Any:
    """Return an INSERT that can say what is done on a conflict; loads only its own dialect."""
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


@lru_cache
def _replacing(dialect: str, table: Table) -> Any:
    return _on_conflict(_insert(dialect, table), table)


def _on_conflict(statement: Any, table: Table) -> Any:
    """Return an INSERT that overwrites the row with the same primary key."""
    keys = [column.name for column in table.primary_key]
    others = {name: column for name, column in statement.excluded.items() if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


def _write(db: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        db.execute(_replacing(db.dialect.name, table), list(rows))
