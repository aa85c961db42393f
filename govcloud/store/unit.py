"""The unit of work: one transaction, with its facts and audit records sealed in as it commits.

Facts and audit records are gathered while the transaction runs and written as its last act, under
the lock of the chain's head. That gives them strictly rising instants in commit order, so that
"everything recorded at or before T" never changes once T is past (F1), and an unbroken hash chain
(F4), while the lock is held only for the moment of the commit.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlmodel import Session, insert, select

from govcloud.domain.access import Actor
from govcloud.errors import Diagnostic, InvalidInputError
from govcloud.store.counted import counted
from govcloud.store.engine import Database, lock_row
from govcloud.store.tables import AuditRow, ChainRow, FactRow, ObjectRow

if TYPE_CHECKING:
    from govcloud.ports.clock import Clock

GENESIS: Final = "0" * 64
_TICK: Final = timedelta(microseconds=1)


@dataclass
class Unit:
    """One transaction on behalf of `actor`; `now` is the clock at its beginning, aware, UTC."""

    session: Session
    actor: Actor
    now: datetime
    _facts: list[dict[str, Any]] = field(default_factory=list)
    _audit: list[dict[str, Any]] = field(default_factory=list)

    def fact(self, row: ObjectRow, *, phase: str | None = None, **instead: Any) -> None:
        """Record what the object is from now on.

        `phase` overrides the row's ("gone"); `instead` gives the other columns in which what stands
        is not what the row wants.
        """
        self._facts.append(
            {
                "uid": row.uid,
                "kind": row.kind,
                "department": row.department,
                "name": row.name,
                "display_name": row.display_name,
                "generation": row.generation,
                "phase": phase or row.phase,
                "spec": row.spec,
                "request_id": row.request_id,
            }
            | instead
        )

    def audit(
        self,
        action: str,
        target: str = "",
        *,
        department: str = "",
        request_id: str | None = None,
        before: str | None = None,
        after: str | None = None,
        outcome: str = "ok",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Record an act of this unit's actor; `before` and `after` are digests."""
        source = self.actor.source
        self._audit.append(
            {
                "actor": self.actor.name,
                "role": self.actor.role.value,
                "department": department,
                "action": action,
                "target": target,
                "request_id": request_id,
                "before": before,
                "after": after,
                "outcome": outcome,
                "detail": ({"source": source} if source else {}) | dict(detail or {}),
            }
        )

    def seal(self) -> None:
        """Write the gathered facts and audit records under the chain's lock."""
        if not self._facts and not self._audit:
            return
        self.session.flush()
        head = lock_head(self.session)
        at = max(self.now, head.at + _TICK)
        if self._facts:
            facts = [{**f, **counted(f["spec"]), "recorded_at": at} for f in self._facts]
            self.session.execute(insert(FactRow), facts)
        rows = chained(head.seq, head.hash, at, self._audit)
        if rows:
            self.session.execute(insert(AuditRow), rows)
            head.seq, head.hash = rows[-1]["seq"], rows[-1]["hash"]
        head.at = at
        self.session.add(head)


def lock_head(session: Session) -> ChainRow:
    """Return the chain's head, locked until the transaction ends."""
    dialect = session.get_bind().dialect.name
    return session.exec(lock_row(select(ChainRow).where(ChainRow.id == 1), dialect)).one()  # type: ignore[no-any-return]


def chained(
    seq: int, previous: str, at: datetime, records: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the records numbered, dated and hashed onto the chain that ends in `previous`."""
    rows: list[dict[str, Any]] = []
    for number, record in enumerate(records, start=seq + 1):
        row = {**record, "seq": number, "at": at, "previous_hash": previous}
        previous = record_hash(row)
        rows.append({**row, "hash": previous})
    return rows


HASHED: Final = (
    "seq",
    "at",
    "actor",
    "role",
    "department",
    "action",
    "target",
    "request_id",
    "before",
    "after",
    "outcome",
    "detail",
    "previous_hash",
)


def record_hash(row: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a record's canonical JSON, its predecessor's hash included."""
    plain = {name: row[name] for name in HASHED}
    plain["at"] = row["at"].isoformat(timespec="microseconds")
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Store:
    """The database with its clock: the one place where units of work begin."""

    def __init__(self, database: Database, clock: "Clock") -> None:
        self.database = database
        self.clock = clock

    @contextmanager
    def unit(self, actor: Actor) -> Iterator[Unit]:
        """Give a unit of work; it is sealed and committed at the end, or leaves no trace."""
        with self.database.writing() as session:
            unit = Unit(session, actor, self.clock.now())
            yield unit
            unit.seal()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one consistent state and changes nothing."""
        with self.database.reading() as session:
            yield session

    def settle(self, as_of: datetime) -> None:
        """Make sure that nothing more will ever be recorded at or before `as_of`.

        Taking the chain's lock waits for those who are committing; moving its head to `as_of`
        keeps those who begin with an older clock from recording behind it. Raises InvalidInputError
        for an instant that has not come yet.
        """
        if as_of > self.clock.now():
            raise InvalidInputError([Diagnostic("errors.as_of_future", {"as_of": as_of})])
        with self.database.writing() as session:
            head = lock_head(session)
            if head.at < as_of:
                head.at = as_of
                session.add(head)
