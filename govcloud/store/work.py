"""The work queue: which object the controller looks at next, and who is at it.

One row an object, and none for an object that is as it should be. `due_at` says when next to look
(R7); a lease says who is looking (R9). Claiming pushes `due_at` to the end of the lease, so that
the work of a controller that died falls due by itself. Nothing here commits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, bindparam, case, func, literal, or_, select, update
from sqlalchemy import delete as sql_delete
from sqlmodel import Session, col

from govcloud.store.engine import lock_row, upsert
from govcloud.store.tables import WorkRow

CHUNK: Final = 400
"""Values in one statement: below what any database refuses."""
LONGEST: Final = timedelta(days=1)
"""Nothing is put off or leased for longer, but by a clock that was wrong."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One object handed to a controller, as the queue stood when it was claimed."""

    uid: str
    generation: int
    fresh: bool
    attempts: int
    polls: int
    enqueued_at: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """What becomes of a claim: nothing more (`due_at` None), or another look at `due_at`."""

    uid: str
    due_at: datetime | None
    attempts: int = 0
    polls: int = 0


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """Yield the values in lists of at most `size`."""
    batch: list[Any] = []
    for value in values:
        batch.append(value)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def enqueue(session: Session, entries: Sequence[tuple[str, str, int]], now: datetime) -> None:
    """Make objects due at once, as fresh: `(uid, cloud, generation)` each.

    For a changed generation, a release, or an operator's wish: it starts anew, with no failures
    counted. A controller that is at the object keeps its lease, finds the row fresh again when it
    is done, and leaves it due.
    """
    _upsert(session, entries, now, fresh=True)


def notice(session: Session, entries: Sequence[tuple[str, str, int]], now: datetime) -> None:
    """Make objects due that a comparison found to differ; those in the queue stay as they are."""
    _upsert(session, entries, now, fresh=False)


def _upsert(
    session: Session, entries: Sequence[tuple[str, str, int]], now: datetime, *, fresh: bool
) -> None:
    for batch in chunks(entries):
        rows = [
            {
                "uid": uid,
                "cloud": cloud,
                "generation": generation,
                "due_at": now,
                "enqueued_at": now,
                "fresh": fresh,
                "attempts": 0,
                "polls": 0,
            }
            for uid, cloud, generation in batch
        ]
        statement = upsert(session, WorkRow).values(rows)
        names = [name for name in rows[0] if name != "uid"]
        session.execute(
            statement.on_conflict_do_update(
                index_elements=["uid"],
                set_={name: getattr(statement.excluded, name) for name in names},
            )
            if fresh
            else statement.on_conflict_do_nothing(index_elements=["uid"])
        )


def anything_due(session: Session, cloud: str, now: datetime) -> bool:
    """Whether a claim would get something; a cheap look that writes nothing."""
    return any(
        session.execute(
            select(literal(1)).where(*_claimable(cloud, now, fresh=fresh)).limit(1)
        ).first()
        for fresh in (True, False)
    )


def _claimable(cloud: str, now: datetime, *, fresh: bool) -> tuple[Any, ...]:
    return (
        col(WorkRow.cloud) == cloud,
        col(WorkRow.fresh).is_(fresh),
        col(WorkRow.due_at) <= now,
        or_(col(WorkRow.lease_owner).is_(None), col(WorkRow.lease_until) <= now),
    )


def claim(
    session: Session, cloud: str, owner: str, *, limit: int, now: datetime, until: datetime
) -> list[Claim]:
    """Lease up to `limit` due objects of a cloud to `owner`.

    Half of the places are for what is fresh, and of these half for the newest: so neither does
    one new object wait behind a hundred thousand, nor do the hundred thousand wait for ever, nor
    are those already building forgotten. Places that one side leaves empty the others take.
    """
    newest = _due(session, cloud, now, limit, fresh=True, newest=True)
    oldest = _due(session, cloud, now, limit, fresh=True, newest=False)
    routine = _due(session, cloud, now, limit, fresh=False, newest=False)
    chosen = _deal(limit, [newest, routine, oldest, routine])
    if chosen:
        _lease(session, [claim.uid for claim in chosen], owner, until)
    return chosen


def _due(
    session: Session, cloud: str, now: datetime, limit: int, *, fresh: bool, newest: bool
) -> list[Claim]:
    order = col(WorkRow.due_at).desc() if newest else col(WorkRow.due_at)
    statement = (
        select(
            WorkRow.uid,
            WorkRow.generation,
            WorkRow.fresh,
            WorkRow.attempts,
            WorkRow.polls,
            WorkRow.enqueued_at,
        )  # type: ignore[call-overload]
        .where(*_claimable(cloud, now, fresh=fresh))
        .order_by(order)
        .limit(limit)
    )
    if session.get_bind().dialect.name != "sqlite":
        statement = statement.with_for_update(skip_locked=True)
    return [Claim(*row) for row in session.execute(statement)]


def _deal(limit: int, turns: list[list[Claim]]) -> list[Claim]:
    """Deal the places in turn, a side that has nothing left being passed over."""
    heads = {id(side): iter(side) for side in turns}
    chosen: dict[str, Claim] = {}
    while turns and len(chosen) < limit:
        side, *rest = turns
        entry = next((c for c in heads[id(side)] if c.uid not in chosen), None)
        if entry is None:
            turns = [other for other in rest if other is not side]
        else:
            chosen[entry.uid] = entry
            turns = [*rest, side]
    return list(chosen.values())


def _lease(session: Session, uids: Sequence[str], owner: str, until: datetime) -> None:
    for batch in chunks(uids):
        session.execute(
            update(WorkRow)
            .where(col(WorkRow.uid).in_(batch))
            .values(lease_owner=owner, lease_until=until, due_at=until, fresh=False)
        )


def renew(
    session: Session, owner: str, uids: Sequence[str], now: datetime, until: datetime
) -> set[str]:
    """Let the owner's leases live until `until`; return the uids for which that was done.

    `due_at` moves along, unless the object was made due anew meanwhile. Rows that somebody is
    writing right now are passed over: there will be another time.
    """
    kept: set[str] = set()
    skip = session.get_bind().dialect.name != "sqlite"
    for batch in chunks(uids):
        mine = select(WorkRow.uid).where(  # type: ignore[call-overload]
            col(WorkRow.uid).in_(batch),
            col(WorkRow.lease_owner) == owner,
            col(WorkRow.lease_until) > now,
        )
        if skip:
            mine = mine.with_for_update(skip_locked=True)
        found = list(session.execute(mine).scalars())
        due = case((col(WorkRow.fresh), WorkRow.due_at), else_=until)
        session.execute(
            update(WorkRow).where(col(WorkRow.uid).in_(found)).values(lease_until=until, due_at=due)
        )
        kept.update(found)
    return kept


def leased(session: Session, uids: Iterable[str], now: datetime) -> set[str]:
    """Return those of `uids` that some controller is at."""
    found: set[str] = set()
    for batch in chunks(sorted(set(uids))):
        wanted = (col(WorkRow.uid).in_(batch), col(WorkRow.lease_until) > now)
        found.update(session.scalars(select(col(WorkRow.uid)).where(*wanted)))
    return found


def held(session: Session, owner: str, uids: Sequence[str], now: datetime) -> dict[str, bool]:
    """Lock and return those of `uids` whose lease is still the owner's, with `fresh` of each.

    `fresh` is set for an object that was made due anew since it was claimed.
    """
    found: dict[str, bool] = {}
    dialect = session.get_bind().dialect.name
    for batch in chunks(sorted(uids)):
        statement = (
            select(WorkRow.uid, WorkRow.fresh)  # type: ignore[call-overload]
            .where(
                col(WorkRow.uid).in_(batch),
                col(WorkRow.lease_owner) == owner,
                col(WorkRow.lease_until) > now,
            )
            .order_by(WorkRow.uid)
        )
        found.update((uid, fresh) for uid, fresh in session.execute(lock_row(statement, dialect)))
    return found


def finish(session: Session, owner: str, done: Sequence[Done]) -> None:
    """End the owner's leases: take settled objects off the queue, set when to look at the others.

    Rows that were made due anew meanwhile only lose their lease. The caller has checked with
    `held` that the leases are the owner's.
    """
    ended = 0
    settled = [entry.uid for entry in done if entry.due_at is None]
    for batch in chunks(settled):
        mine = and_(col(WorkRow.uid).in_(batch), col(WorkRow.lease_owner) == owner)
        gone = session.execute(sql_delete(WorkRow).where(mine, col(WorkRow.fresh).is_(False)))
        ended += int(gone.rowcount)  # type: ignore[attr-defined]
    again = [entry for entry in done if entry.due_at is not None]
    if again:
        # Without the ORM and in one go: this is written for each object at each look.
        table = WorkRow.__table__  # type: ignore[attr-defined]
        statement = (
            table.update()
            .where(
                table.c.uid == bindparam("its_uid"),
                table.c.lease_owner == owner,
                table.c.fresh.is_(False),
            )
            .values(
                due_at=bindparam("due"),
                attempts=bindparam("failed"),
                polls=bindparam("seen"),
                lease_owner=None,
                lease_until=None,
            )
        )
        rows = [
            {
                "its_uid": entry.uid,
                "due": entry.due_at,
                "failed": entry.attempts,
                "seen": entry.polls,
            }
            for entry in again
        ]
        ended += session.connection().execute(statement, rows).rowcount
    if ended < len(done):
        _unlease(session, owner, [entry.uid for entry in done])


def _unlease(session: Session, owner: str, uids: Sequence[str]) -> None:
    for batch in chunks(uids):
        session.execute(
            update(WorkRow)
            .where(col(WorkRow.uid).in_(batch), col(WorkRow.lease_owner) == owner)
            .values(lease_owner=None, lease_until=None)
        )


def give_back(session: Session, owner: str, now: datetime) -> int:
    """End all leases of `owner`, leaving its work due at once; return how many they were."""
    mine = update(WorkRow).where(col(WorkRow.lease_owner) == owner)
    changed = session.execute(mine.values(lease_owner=None, lease_until=None, due_at=now))
    return int(changed.rowcount)  # type: ignore[attr-defined]


def mend(session: Session, cloud: str, now: datetime) -> None:
    """Make due what is put off, or leased, for longer than can be: a clock was wrong (R7)."""
    beyond = now + LONGEST
    session.execute(
        update(WorkRow)
        .where(col(WorkRow.cloud) == cloud, col(WorkRow.due_at) > beyond)
        .values(due_at=now, lease_owner=None, lease_until=None)
    )


def forget(session: Session, uids: Sequence[str]) -> None:
    """Take objects off the queue whatever their state: they are no more."""
    for batch in chunks(uids):
        session.execute(sql_delete(WorkRow).where(col(WorkRow.uid).in_(batch)))


def queued(session: Session, uids: Sequence[str]) -> set[str]:
    """Return those of `uids` that stand in the queue."""
    found: set[str] = set()
    for batch in chunks(uids):
        found.update(
            session.execute(select(WorkRow.uid).where(col(WorkRow.uid).in_(batch))).scalars()  # type: ignore[call-overload]
        )
    return found


def anew(session: Session, cloud: str, now: datetime) -> None:
    """Make all of a cloud's queue due now, with failures forgotten, but what is being worked on."""
    session.execute(
        update(WorkRow)
        .where(
            col(WorkRow.cloud) == cloud,
            or_(col(WorkRow.lease_owner).is_(None), col(WorkRow.lease_until) <= now),
        )
        .values(due_at=now, attempts=0)
    )


def remaining(session: Session, cloud: str, attempts_below: int) -> int:
    """Count the queued objects of a cloud that are under way: those that do not just keep failing.

    That is those that failed fewer than so many times in a row, and those that were building when
    they were last looked at, however often they failed before.
    """
    return int(
        session.execute(
            select(func.count())
            .select_from(WorkRow)
            .where(
                col(WorkRow.cloud) == cloud,
                or_(col(WorkRow.attempts) < attempts_below, col(WorkRow.polls) > 0),
            )
        ).scalar_one()
    )
