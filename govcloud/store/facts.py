"""As-of queries: what was so at an instant, read from the facts.

Facts are numbered in the order of their instants, because both are given under the lock of the
chain's head (`store.unit`). So an instant becomes a number once, and what stood at it is, for each
object, the fact with the highest number up to that one. Read oldest first, that is the last one
met of each object: no join, no look-up for each row, and two cut-offs in one pass. Oldest first is
also the way in which a database reads facts that follow each other without searching for each.
Fields of the spec come from columns that repeat them (`store.counted`), others are taken out by the
database: no document is parsed in Python for a figure.
"""

import hashlib
import json
import marshal
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Dialect,
    Integer,
    String,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.sql.compiler import SQLCompiler
from sqlmodel import Session

from govcloud.domain.kinds.registry import KINDS
from govcloud.store.counted import COLUMNS
from govcloud.store.tables import FACT_HEAD, FactRow

Form: TypeAlias = Literal["text", "integer", "number", "flag"]
Fact: TypeAlias = tuple[Any, ...]
"""`seq, uid, phase, name`, in full also `department, display_name, request_id`, then the fields."""

UID: Final = 1
PHASE: Final = 2
_SEQ: Final = itemgetter(0)
_UID: Final = itemgetter(UID)
GONE: Final = "gone"
NOBODYS: Final = ""
"""The department of what belongs to none."""
_BATCH: Final = 2000
_MAPPED_BYTES: Final = 2**31 - 2**16
"""As much as SQLite maps at most; addresses, not memory."""
_FACTS: Final = FactRow.__table__.c  # type: ignore[attr-defined]
_BRIEF: Final = (_FACTS.seq, *(_FACTS[name] for name in FACT_HEAD))
_FULL: Final = (*_BRIEF, _FACTS.department, _FACTS.display_name, _FACTS.request_id)
_LABELS: Final = {
    dialect: f"SELECT seq, display_name, request_id FROM facts WHERE seq {among}"  # noqa: S608
    for dialect, among in {
        "sqlite": "IN (SELECT value FROM json_each(?))",
        "postgresql": "= ANY(%s)",
    }.items()
}
"""One text for any number of facts: nothing to be compiled for each department."""


@dataclass(frozen=True, slots=True)
class SpecField:
    """A field of the spec to read: its path (empty: the whole spec as JSON text), and what it is.

    A `number` comes as text, because it may have decimals; a `flag` as 1, 0 or None.
    """

    path: tuple[str, ...] = ()
    form: Form = "text"


@dataclass(frozen=True, slots=True)
class Standing:
    """Facts by when they stood: at both cut-offs, only at the later, only at the earlier one.

    Each list has the newest first.
    """

    kept: list[Fact] = field(default_factory=list)
    fresh: list[Fact] = field(default_factory=list)
    former: list[Fact] = field(default_factory=list)


class Label(NamedTuple):
    """What a reader is shown of a fact beside its name."""

    display_name: str | None
    request_id: str | None


class Digest:
    """SHA-256 over facts as they are read: same facts, same digest, on any database.

    They are written out in format 0 of `marshal`: the values and nothing else, fast enough for a
    million of them, and the same in every version of Python.
    """

    def __init__(self, of: str = "") -> None:
        self._hash = hashlib.sha256(of.encode())

    def add(self, standing: Standing) -> None:
        """Take in facts; the order in which they are added matters."""
        facts = (standing.kept, standing.fresh, standing.former)
        self._hash.update(marshal.dumps(facts, 0))

    def add_digest(self, digest: str) -> None:
        """Take in facts by their own digest, where they were read elsewhere."""
        self._hash.update(bytes.fromhex(digest))

    def hex(self) -> str:
        """Return the digest of what was taken in so far."""
        return self._hash.hexdigest()


def map_file(session: Session) -> None:
    """Map an SQLite file into memory for this connection: a report reads most of it once.

    That is a third faster than copying it page by page.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA mmap_size={_MAPPED_BYTES}")


def last_fact(session: Session, instant: datetime) -> int:
    """Return the number of the last fact recorded at or before an instant; 0 for none."""
    return last_number(session, _FACTS.seq, _FACTS.recorded_at, instant)


def last_number(
    session: Session, seq: ColumnElement[Any], at: ColumnElement[Any], instant: datetime
) -> int:
    """Return the number of the last row dated at or before an instant; 0 for none.

    For rows that are numbered in the order of their instants: by bisection over the key, so that
    no index on instants has to be kept for it.
    """
    low, high = 0, session.execute(select(func.coalesce(func.max(seq), 0))).scalar_one()
    while low < high:
        middle = (low + high + 1) // 2
        nearest = select(seq, at).where(seq <= middle, seq > low).order_by(seq.desc()).limit(1)
        found = session.execute(nearest).first()
        if found is None or found[1] <= instant:
            low = middle
        else:
            high = found[0] - 1
    return low


def departments_of(session: Session, kinds: Sequence[str], upto: int) -> list[str]:
    """Return the departments that ever had an object of these kinds, up to a fact, sorted.

    From one department to the next in the index: there are thousands of facts of each.
    """
    wanted: list[ColumnElement[bool]] = [_FACTS.kind == bindparam("kind"), _FACTS.seq <= upto]
    found = select(func.min(_FACTS.department).label("name")).where(*wanted).cte(recursive=True)
    after = select(func.min(_FACTS.department)).where(*wanted, _FACTS.department > found.c.name)
    found = found.union_all(select(after.scalar_subquery()).where(found.c.name.is_not(None)))
    names = select(found.c.name).where(found.c.name.is_not(None))
    return sorted(
        {name for kind in kinds for name in session.execute(names, {"kind": kind}).scalars()}
    )


def standing(
    session: Session,
    kind: str,
    fields: Sequence[SpecField],
    *,
    now: int,
    then: int = 0,
    department: str | None = None,
    phase: str | None = None,
    brief: bool = False,
    removed: bool = False,
) -> Standing:
    """Return what stood at fact number `now`, and at the earlier `then`, of one kind.

    A `brief` fact lacks what only a reader is shown (`labels`); it is read faster.

    With `phase`, fields are taken only of facts in that phase and are None in others. With
    `removed`, objects that are no more come as well, as they last were, with phase "gone".
    """
    dialect = session.connection().dialect
    if department is None and not KINDS[kind].owned:
        department = NOBODYS  # else the database would have to sort what is there in order
    head = _BRIEF if brief else _FULL
    statement = _statement(dialect, head, tuple(fields), phase, scoped=department is not None)
    wanted = {"kind": kind, "now": now, "department": department}
    return _split(_batches(session, statement, wanted), then, removed=removed)


def labels(session: Session, seqs: Iterable[int]) -> dict[int, Label]:
    """Return what a reader is shown of facts, by their numbers."""
    wanted: Any = sorted(set(seqs))
    connection = session.connection()
    dialect = connection.dialect.name
    if dialect == "sqlite":
        wanted = json.dumps(wanted)
    with connection.exec_driver_sql(_LABELS[dialect], (wanted,)) as result:
        rows = result.cursor.fetchall() if result.cursor is not None else ()
    return {seq: Label(shown, request) for seq, shown, request in rows}


def _batches(
    session: Session, statement: SQLCompiler, wanted: Mapping[str, object]
) -> Iterator[Sequence[Fact]]:
    given: Any = statement.construct_params(wanted)
    if statement.positiontup is not None:
        given = tuple(given[name] for name in statement.positiontup)
    with session.connection().exec_driver_sql(statement.string, given) as result:
        # The driver's own tuples: all columns are text and whole numbers, nothing to convert.
        cursor = result.cursor
        while cursor is not None and (batch := cursor.fetchmany(_BATCH)):
            yield batch


@lru_cache(maxsize=64)
def _statement(
    dialect: Dialect,
    head: tuple[ColumnElement[Any], ...],
    fields: tuple[SpecField, ...],
    phase: str | None,
    *,
    scoped: bool,
) -> SQLCompiler:
    """Return the statement, compiled once: a report asks the same of each department."""
    columns = [_column(dialect.name, wanted) for wanted in fields]
    if phase is not None:
        columns = [case((_FACTS.phase == phase, column)) for column in columns]
    statement = select(*head, *columns).where(
        _FACTS.kind == bindparam("kind"), _FACTS.seq <= bindparam("now")
    )
    if scoped:
        statement = statement.where(_FACTS.department == bindparam("department"))
    compiled = statement.order_by(_FACTS.seq).compile(dialect=dialect)
    assert isinstance(compiled, SQLCompiler)
    return compiled


def _column(dialect: str, wanted: SpecField) -> ColumnElement[Any]:
    if wanted.path in COLUMNS:
        column: ColumnElement[Any] = _FACTS[COLUMNS[wanted.path]]
        return column
    path = "$." + ".".join(f'"{step}"' for step in wanted.path)
    if not wanted.path:
        return type_coerce(_FACTS.spec, String) if dialect == "sqlite" else cast(_FACTS.spec, Text)
    if dialect == "sqlite":
        # Booleans come as 1 and 0, numbers as numbers, the rest as text: as wanted already.
        value: ColumnElement[Any] = func.json_extract(_FACTS.spec, literal(path))
        return cast(value, String) if wanted.form == "number" else value
    text = func.json_extract_path_text(_FACTS.spec, *wanted.path)
    if wanted.form == "flag":
        return cast(cast(text, Boolean), Integer)
    return cast(text, Integer) if wanted.form == "integer" else text


def _split(batches: Iterable[Sequence[Fact]], then: int, *, removed: bool) -> Standing:
    # Loops of the interpreter would take longer here than the database does for reading.
    before: dict[str, Fact] = {}
    later: dict[str, Fact] = {}
    for batch in batches:
        cut = bisect_right(batch, then, key=_SEQ)
        for found, rows in ((before, batch[:cut]), (later, batch[cut:])):
            found.update(zip(map(_UID, rows), rows, strict=True))
    stood = _newest_first(before, removed=removed)
    return Standing(
        kept=[row for row in stood if row[UID] not in later],
        fresh=_newest_first(later, removed=removed),
        former=[row for row in stood if row[UID] in later],
    )


def _newest_first(found: Mapping[str, Fact], *, removed: bool) -> list[Fact]:
    rows = sorted(found.values(), key=_SEQ, reverse=True)
    return rows if removed else [row for row in rows if row[PHASE] != GONE]
