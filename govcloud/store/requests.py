"""Queries on requests, each scoped to who asks (P1), and their guarded writes.

Two may press the same button at the same time: a state changes only by an UPDATE that names the
state, step and version it was decided upon, and an object is claimed by its primary key.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Text, and_, cast, false, func, or_, text, true, tuple_, update
from sqlalchemy import delete as sql_delete
from sqlalchemy import select as sql_select
from sqlalchemy.orm import load_only
from sqlmodel import Session, col, select

from govcloud.domain.access import Actor, Permission
from govcloud.domain.keys import ObjectKey
from govcloud.errors import NotFoundError
from govcloud.store.engine import lock_row, upsert
from govcloud.store.objects import Page, bounded, make_token, read_token, sees_all
from govcloud.store.tables import ClaimRow, CounterRow, DecisionRow, RequestRow
from govcloud.store.work import chunks

OPEN: Final = ("review", "returned", "approved", "provisioning")
"""States from which a request still moves."""


_STANDING: Final = col(RequestRow.state).in_(("provisioning", "fulfilled"))
_UNREVIEWED: Final = and_(
    _STANDING, col(RequestRow.step) < func.json_array_length(RequestRow.steps)
)
"""Built, but not all steps are taken: some are taken afterwards."""


def _visible(actor: Actor) -> Any:
    if sees_all(actor):
        return true()
    if not actor.may(Permission.READ_OWN) or not actor.department:
        return false()
    return col(RequestRow.department) == actor.department


def get_request(
    session: Session, actor: Actor, request_id: str, *, lock: bool = False
) -> RequestRow:
    """Return a request that the actor may see; raises NotFoundError. `lock` holds its row."""
    statement = select(RequestRow).where(col(RequestRow.id) == request_id, _visible(actor))
    if lock:
        statement = lock_row(statement, session.get_bind().dialect.name)
    row = session.exec(statement.execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFoundError("requests.no_such_request", request=request_id)
    return row


def list_requests(
    session: Session,
    actor: Actor,
    *,
    states: Sequence[str] | None = None,
    unreviewed: bool = False,
    ids: Sequence[str] | None = None,
    department: str | None = None,
    limit: int = 500,
    token: str | None = None,
) -> Page[RequestRow]:
    """Return a page of the requests that the actor may see, newest first.

    Those in the `states`, or all; with `unreviewed` also those that were built before their last
    step. Of these the `ids`, where they are given.
    """
    statement = select(RequestRow).where(_visible(actor))
    if states is not None:
        wanted = col(RequestRow.state).in_(list(states))
        statement = statement.where(or_(wanted, _UNREVIEWED) if unreviewed else wanted)
    if ids is not None:
        statement = statement.where(col(RequestRow.id).in_(ids))
    if department is not None:
        statement = statement.where(col(RequestRow.department) == department)
    total = None
    if token is None:
        total = session.exec(select(func.count()).select_from(statement.subquery())).one()
    else:
        statement = statement.where(col(RequestRow.seq) < read_token(token, int)[0])
    limit = bounded(limit)
    rows = session.exec(statement.order_by(col(RequestRow.seq).desc()).limit(limit + 1)).all()
    more = len(rows) > limit
    return Page(tuple(rows[:limit]), make_token(rows[limit - 1].seq) if more else None, total)


def unfinished(session: Session, actor: Actor) -> Sequence[RequestRow]:
    """Return the requests that the actor may see on which somebody has still to act.

    Without what they change: enough to say whose turn it is.
    """
    names = ("id", "department", "state", "step", "steps", "submitted_by", "created_at")
    known = [getattr(RequestRow, name) for name in names]
    statement = select(RequestRow).where(
        _visible(actor),
        or_(
            col(RequestRow.state).in_(("review", "returned")),
            _UNREVIEWED,
            and_(_STANDING, cast(RequestRow.steps, Text).contains('"condition"')),
        ),
    )
    return session.exec(statement.options(load_only(*known)).order_by(col(RequestRow.seq))).all()


def own_key(department: str, key: str) -> str:
    """Return how a department's idempotency key is kept: what another chooses is no matter."""
    return sha256(f"{department}\n{key}".encode()).hexdigest()


def by_idempotency_key(session: Session, department: str, key: str) -> RequestRow | None:
    """Return the request that the department submitted under this key."""
    key = own_key(department, key)
    return session.exec(select(RequestRow).where(col(RequestRow.idempotency_key) == key)).first()


def decisions(session: Session, request_id: str) -> list[DecisionRow]:
    """Return everything that was decided on a request, in order."""
    statement = select(DecisionRow).where(col(DecisionRow.request_id) == request_id)
    return list(session.exec(statement.order_by(col(DecisionRow.seq))))


def hold_counter(session: Session, name: str) -> int:
    """Return a counter's value and hold it until the unit ends: who counts, counts alone."""
    session.execute(upsert(session, CounterRow).values(name=name, value=0).on_conflict_do_nothing())
    statement = sql_select(CounterRow.value).where(col(CounterRow.name) == name)  # type: ignore[call-overload]
    return int(session.execute(lock_row(statement, _dialect(session))).scalar_one())


def set_counter(session: Session, name: str, value: int) -> None:
    """Set a counter that is held."""
    session.execute(update(CounterRow).where(col(CounterRow.name) == name).values(value=value))


def exclude(session: Session, name: str) -> None:
    """Let only one unit at a time do what `name` says, writing nothing for it."""
    if _dialect(session) != "sqlite":  # a writer of SQLite excludes all others anyway
        lock = text("SELECT pg_advisory_xact_lock(hashtext(:name))")
        session.execute(lock, {"name": f"govcloud.{name}"})


def claim(session: Session, request_id: str, keys: Iterable[ObjectKey]) -> dict[ObjectKey, str]:
    """Claim objects for a request; return those that another one holds, with its number.

    Claims of an unfinished unit elsewhere are waited for. In one order, so that two who claim the
    same objects do not wait for each other.
    """
    ordered = sorted(keys)
    for batch in chunks(ordered, 200):
        values = [{**key._asdict(), "request_id": request_id} for key in batch]
        session.execute(upsert(session, ClaimRow).values(values).on_conflict_do_nothing())
    return {
        key: holder for key, holder in holders(session, ordered).items() if holder != request_id
    }


def holders(session: Session, keys: Iterable[ObjectKey]) -> dict[ObjectKey, str]:
    """Return which open request holds each of those objects that one holds."""
    found: dict[ObjectKey, str] = {}
    columns = (col(ClaimRow.kind), col(ClaimRow.department), col(ClaimRow.name))
    for batch in chunks(keys, 200):
        statement = select(ClaimRow).where(tuple_(*columns).in_([tuple(key) for key in batch]))
        found.update(
            {
                ObjectKey(row.kind, row.department, row.name): row.request_id
                for row in session.exec(statement)
            }
        )
    return found


def unclaim(session: Session, request_id: str) -> None:
    """Give up all claims of a request."""
    session.execute(sql_delete(ClaimRow).where(col(ClaimRow.request_id) == request_id))


def move(session: Session, row: RequestRow, values: Mapping[str, Any], at: datetime) -> bool:
    """Change a request as it was read, and only if it still is; return whether it was.

    The row in hand is brought up to date.
    """
    changed = session.execute(
        update(RequestRow)
        .where(
            col(RequestRow.id) == row.id,
            col(RequestRow.state) == row.state,
            col(RequestRow.step) == row.step,
            col(RequestRow.version) == row.version,
        )
        .values(**values, version=row.version + 1, updated_at=at)
        .execution_options(synchronize_session=False)
    )
    session.refresh(row)
    return changed.rowcount == 1  # type: ignore[attr-defined, no-any-return]


def with_ids(
    session: Session, request_ids: Iterable[str], states: Sequence[str], *, lock: bool = False
) -> list[RequestRow]:
    """Return those of the requests that are in one of the states, by number."""
    rows: list[RequestRow] = []
    for batch in chunks(sorted(set(request_ids))):
        statement = (
            select(RequestRow)
            .where(col(RequestRow.id).in_(batch), col(RequestRow.state).in_(list(states)))
            .order_by(col(RequestRow.id))
        )
        if lock:
            statement = lock_row(statement, _dialect(session))
        rows += session.exec(statement)
    return rows


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name
