"""As-of queries: what was so at an instant, read from the facts.

Facts are numbered in the order of their instants, because both are given under the lock of the
chain's head (`store.unit`). So an instant becomes a number once, and what stood at it is, for each
object, the fact with the highest number up to that one. Read newest first, that is the first one
met of each object: no join, no look-up for each row, and two cut-offs in one pass. Fields of the
spec are taken out by the database, so that no document is parsed for a figure.
"""

import hashlib
import marshal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Select,
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
from sqlmodel import Session

from govcloud.store.tables import FactRow

Form: TypeAlias = Literal["text", "integer", "number", "flag"]
Fact: TypeAlias = tuple[Any, ...]
"""`seq, uid, phase, department, name, display_name, request_id`, then the fields asked for."""

UID: Final = 1
PHASE: Final = 2
GONE: Final = "gone"
_BATCH: Final = 2000
_MAPPED_BYTES: Final = 2**31 - 2**16
"""As much as SQLite maps at most; addresses, not memory."""
_FACTS: Final = FactRow.__table__.c  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class SpecField:
    """A field of the spec to read: its path (empty: the whole spec as JSON text), and what it is.

    A `number` comes as text, because it may have decimals; a `flag` as 1, 0 or None.
    """

    path: tuple[str, ...] = ()
    form: Form = "text"


@dataclass(frozen=True, slots=True)
class Standing:
    """Facts by when they stood: at both cut-offs, only at the later, only at the earlier one."""

    kept: list[Fact] = field(default_factory=list)
    fresh: list[Fact] = field(default_factory=list)
    former: list[Fact] = field(default_factory=list)


class Digest:
    """SHA-256 over facts as they are read: same facts, same digest, on any database.

    They are written out in format 0 of `marshal`: the values and nothing else, fast enough for a
    million of them, and the same in every version of Python.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

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
    """Return the departments that ever had an object of these kinds, up to a fact, sorted."""
    statement = (
        select(_FACTS.department).distinct().where(_FACTS.kind.in_(kinds), _FACTS.seq <= upto)
    )
    return sorted(session.execute(statement).scalars())


def standing(
    session: Session,
    kind: str,
    fields: Sequence[SpecField],
    *,
    now: int,
    then: int = 0,
    department: str | None = None,
    phase: str | None = None,
    removed: bool = False,
) -> Standing:
    """Return what stood at fact number `now`, and at the earlier `then`, of one kind.

    With `phase`, fields are taken only of facts in that phase and are None in others. With
    `removed`, objects that are no more come as well, as they last were, with phase "gone".
    """
    dialect = session.get_bind().dialect.name
    statement = _statement(dialect, tuple(fields), phase, scoped=department is not None)
    wanted = {"kind": kind, "now": now, "department": department}
    return _split(_batches(session, statement, wanted), then, removed=removed)


def _batches(
    session: Session, statement: Select[Any], wanted: Mapping[str, object]
) -> Iterator[Sequence[Fact]]:
    with session.connection().execute(statement, wanted) as result:
        # The driver's own tuples: all columns are text and whole numbers, nothing to convert.
        cursor = result.cursor
        while cursor is not None and (batch := cursor.fetchmany(_BATCH)):
            yield batch


@lru_cache(maxsize=64)
def _statement(
    dialect: str, fields: tuple[SpecField, ...], phase: str | None, *, scoped: bool
) -> Select[Any]:
    """Return the statement, made once: a report asks the same of each department."""
    columns = [_column(dialect, wanted) for wanted in fields]
    if phase is not None:
        columns = [case((_FACTS.phase == phase, column)) for column in columns]
    statement = select(
        _FACTS.seq,
        _FACTS.uid,
        _FACTS.phase,
        _FACTS.department,
        _FACTS.name,
        _FACTS.display_name,
        _FACTS.request_id,
        *columns,
    ).where(_FACTS.kind == bindparam("kind"), _FACTS.seq <= bindparam("now"))
    if scoped:
        statement = statement.where(_FACTS.department == bindparam("department"))
    return statement.order_by(_FACTS.seq.desc())


def _column(dialect: str, wanted: SpecField) -> ColumnElement[Any]:
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
    found = Standing()
    later: set[str] = set()
    before: set[str] = set()
    for batch in batches:
        for row in batch:
            uid = row[UID]
            if row[0] > then:
                if uid in later:
                    continue
                later.add(uid)
                wanted = found.fresh
            else:
                if uid in before:
                    continue
                before.add(uid)
                wanted = found.former if uid in later else found.kept
            if removed or row[PHASE] != GONE:
                wanted.append(row)
    return found
