"""Reading the audit chain, and proving that nobody has touched it (F4).

Each record's hash covers its columns and the hash of the record before it; the head of the chain
knows the number and the hash of the last one. What one altered, removed or inserted record breaks
is therefore found and located. Somebody who may write to the whole database could compute a chain
anew from some record on: against that, auditors keep the head that a verification prints, and give
it to a later one (`known`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import String, cast, type_coerce
from sqlmodel import Session, col, select

from govcloud.messages import DEFAULT_LANGUAGE, catalogue
from govcloud.store.facts import last_number
from govcloud.store.filters import choose
from govcloud.store.objects import DEFAULT_LIMIT, Page, bounded, make_token, read_token
from govcloud.store.tables import AuditRow, ChainRow, UserRow
from govcloud.store.unit import GENESIS, HASHED, record_hash
from govcloud.store.users import RESERVED

_ACTIONS: Final = "audit-action."

BATCH: Final = 2_000
MAX_FAULTS: Final = 100
"""Faults that are listed; a chain with more is rewritten rather than touched."""


class Tampering(StrEnum):
    """What was done to the chain."""

    ALTERED = "altered"
    """The record's columns do not give its hash."""
    UNLINKED = "unlinked"
    """The record does not follow the one before it: one of the two was replaced."""
    REMOVED = "removed"
    """Records are missing from this number on."""
    INSERTED = "inserted"
    """A record stands where the chain has none."""
    HEAD = "head"
    """The head of the chain does not match its last record."""
    REWRITTEN = "rewritten"
    """The chain is not the one whose head was noted earlier."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where the chain is broken; `count` is how many records are concerned."""

    seq: int
    what: Tampering
    count: int = 1


@dataclass(frozen=True, slots=True)
class Head:
    """Number and hash of the last record; of a noted one, the hash may be a beginning."""

    seq: int
    hash: str


@dataclass(slots=True)
class Verification:
    """What a walk over the whole chain found; `more` when faults beyond the limit are left out."""

    checked: int = 0
    head: Head | None = None
    faults: list[Fault] = field(default_factory=list)
    more: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    def add(self, fault: Fault) -> None:
        """Keep a fault, up to the limit."""
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)
        else:
            self.more = True


def recorded_at(session: Session, instant: datetime) -> list[AuditRow]:
    """Return the records of one instant: what one unit of work recorded, with its facts."""
    columns = AuditRow.__table__.c  # type: ignore[attr-defined]
    last = last_number(session, columns.seq, columns.at, instant)
    before = last_number(session, columns.seq, columns.at, instant - timedelta(microseconds=1))
    statement = select(AuditRow).where(col(AuditRow.seq) > before, col(AuditRow.seq) <= last)
    return list(session.exec(statement.order_by(col(AuditRow.seq))))


def list_records(
    session: Session,
    *,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
    limit: int = DEFAULT_LIMIT,
    token: str | None = None,
) -> Page[AuditRow]:
    """Return a page of records, newest first.

    `action` and `target` match as a whole, or as a beginning when they end in `*`. Raises
    UsageError for an actor and an action of which there is no record and can be none.
    """
    _check_filters(session, actor, action)
    statement = select(AuditRow)
    if actor:
        statement = statement.where(AuditRow.actor == actor)
    for column, wanted in ((AuditRow.action, action), (AuditRow.target, target)):
        if wanted and wanted.endswith("*"):
            statement = statement.where(col(column).startswith(wanted[:-1], autoescape=True))
        elif wanted:
            statement = statement.where(column == wanted)
    if token is not None:
        statement = statement.where(col(AuditRow.seq) < read_token(token, int)[0])
    limit = bounded(limit)
    rows = session.exec(statement.order_by(col(AuditRow.seq).desc()).limit(limit + 1)).all()
    more = make_token(rows[limit - 1].seq) if len(rows) > limit else None
    return Page(tuple(rows[:limit]), more)


def _check_filters(session: Session, actor: str | None, action: str | None) -> None:
    """Raise UsageError for an actor or action of which there is no record and can be none."""
    actors = [*session.exec(select(UserRow.name)), *RESERVED]
    labels = catalogue(DEFAULT_LANGUAGE, "labels")
    actions = [name.removeprefix(_ACTIONS) for name in labels if name.startswith(_ACTIONS)]
    for name, wanted, known in (("actor", actor, actors), ("action", action, actions)):
        if wanted and not _names(wanted, known):
            statement = select(AuditRow.seq).where(getattr(AuditRow, name) == wanted).limit(1)
            if session.exec(statement).first() is None:
                choose(wanted, known, name)


def _names(wanted: str, known: Sequence[str]) -> bool:
    beginning = wanted.removesuffix("*")
    return wanted in known or (
        beginning != wanted and any(word.startswith(beginning) for word in known)
    )


def first_hash(session: Session) -> str | None:
    """Return the hash of the first record, which tells one database from every other."""
    return session.exec(select(AuditRow.hash).order_by(col(AuditRow.seq)).limit(1)).first()


def verify(session: Session, known: Head | None = None) -> Verification:
    """Walk the whole chain in one consistent state and return what is broken, and where."""
    chain = session.get(ChainRow, 1)
    head = Head(chain.seq, chain.hash) if chain else None
    found = walk(_records(session), head)
    if known is not None and known.seq > 0:
        _compare(session, found, known)
    return found


def _compare(session: Session, found: Verification, known: Head) -> None:
    last = found.head.seq if found.head else 0
    kept = session.exec(select(AuditRow.hash).where(AuditRow.seq == known.seq)).first()
    if kept is not None and not kept.startswith(known.hash):
        found.add(Fault(known.seq, Tampering.REWRITTEN))
    elif kept is None and known.seq > last:
        found.add(Fault(last + 1, Tampering.REMOVED, known.seq - last))


def walk(records: Iterable[Mapping[str, Any]], head: Head | None) -> Verification:
    """Check records, in rising number, against each other and against the chain's head."""
    found = Verification(head=head)
    last, hashes = 0, frozenset({GENESIS})
    for record in records:
        found.checked += 1
        seq = record["seq"]
        if seq <= last or (head is not None and seq > head.seq):
            found.add(Fault(seq, Tampering.INSERTED))
            continue
        computed = _hash(record)
        if seq > last + 1:
            found.add(Fault(last + 1, Tampering.REMOVED, seq - last - 1))
        if computed != record["hash"]:
            found.add(Fault(seq, Tampering.ALTERED))
        elif seq == last + 1 and record["previous_hash"] not in hashes:
            found.add(Fault(seq, Tampering.UNLINKED))
        # The record after an altered one follows what it was or what it is: one fault, not two.
        last, hashes = seq, frozenset({record["hash"], computed})
    _check_head(found, head, last, hashes)
    return found


def _check_head(found: Verification, head: Head | None, last: int, hashes: frozenset[str]) -> None:
    if head is None:
        found.add(Fault(last, Tampering.HEAD))
    elif head.seq > last:
        found.add(Fault(last + 1, Tampering.REMOVED, head.seq - last))
    elif head.hash not in hashes:
        found.add(Fault(last, Tampering.HEAD))


def _hash(record: Mapping[str, Any]) -> str:
    try:
        return record_hash(record)
    except (TypeError, ValueError, AttributeError):
        return ""  # holds what no record of ours can hold


def _records(session: Session) -> Iterator[dict[str, Any]]:
    """Read the columns as they are stored: a record that cannot be decoded is altered, no crash."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    columns = [_column(name, sqlite=sqlite) for name in (*HASHED, "hash")]
    statement = select(*columns).order_by(col(AuditRow.seq))
    with _any_bytes(session) if sqlite else nullcontext():
        result = session.execute(statement, execution_options={"yield_per": BATCH})
        for row in result.mappings():
            yield {**row, "detail": _json(row["detail"]), "at": _instant(row["at"])}


@contextmanager
def _any_bytes(session: Session) -> Iterator[None]:
    """Let SQLite give out texts that are not UTF-8; their hash cannot be computed, so they show."""
    raw = session.connection().connection.driver_connection
    assert raw is not None
    raw.text_factory = lambda octets: octets.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        raw.text_factory = str


def _column(name: str, *, sqlite: bool) -> Any:
    column = getattr(AuditRow, name)
    if name == "detail":
        return cast(column, String).label(name)
    if name == "at" and sqlite:
        return type_coerce(column, String).label(name)
    return column


def _json(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None


def _instant(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        return None
