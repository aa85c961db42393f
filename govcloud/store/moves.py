"""Migrations that run: what was wished, the journal, what they are doing. Nothing here commits.

A row of `migrations` is locked by whoever appends to its journal, so that its numbers are one
unbroken order of wishes and steps.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, col, func, select

from govcloud.store.engine import lock_row
from govcloud.store.tables import MoveRow, MoveStepRow, MoveWishRow, WorkRow

QUEUE: Final = "migration:"
"""Where migrations stand in the work queue, in place of a cloud's name, which has no colon."""
_STEP_COLUMNS: Final = tuple(
    column
    for column in SQLModel.metadata.tables["migration_steps"].columns
    if column.name != "evidence"
)


def find(session: Session, uid: str, *, lock: bool = False) -> MoveRow | None:
    """Return the migration of a plan, if it was ever run; `lock` holds it until the unit ends."""
    statement = select(MoveRow).where(col(MoveRow.uid) == uid)
    if lock:
        statement = lock_row(statement, session.get_bind().dialect.name)
    return session.exec(statement.execution_options(populate_existing=True)).first()


def of_plans(session: Session, uids: Iterable[str]) -> dict[str, MoveRow]:
    """Return the migrations of those plans that were ever run."""
    wanted = sorted(set(uids))
    found: dict[str, MoveRow] = {}
    for first in range(0, len(wanted), 400):
        rows = session.exec(
            select(MoveRow).where(col(MoveRow.uid).in_(wanted[first : first + 400]))
        )
        found |= {row.uid: row for row in rows}
    return found


def running(session: Session, uid: str) -> bool:
    """Whether a plan's state is the journal's to write, since it was run and not rolled back."""
    row = find(session, uid)
    return row is not None and row.live


def cut(session: Session, uid: str) -> bool:
    """Whether the cut-over of a plan's present run has begun."""
    row = find(session, uid)
    if row is None:
        return False
    of_run = (col(MoveStepRow.uid) == uid, col(MoveStepRow.run) == row.run)
    frozen = select(MoveStepRow.number).where(*of_run, col(MoveStepRow.step) == "freeze")
    return session.exec(frozen.limit(1)).first() is not None


def serves_since(session: Session, uid: str) -> datetime | None:
    """Return when a plan's present run was seen to serve from the cloud; None before that."""
    row = find(session, uid)
    if row is None:
        return None
    of_run = (col(MoveStepRow.uid) == uid, col(MoveStepRow.run) == row.run)
    seen = (col(MoveStepRow.step) == "health", col(MoveStepRow.verdict) == "ok")
    ended = select(func.max(MoveStepRow.ended_at)).where(*of_run, *seen)
    return session.exec(ended).one()


def begun(session: Session, uid: str) -> set[str]:
    """Return the parts of which a plan's present run has changed something, or tried to."""
    row = find(session, uid)
    if row is None:
        return set()
    of_run = (col(MoveStepRow.uid) == uid, col(MoveStepRow.run) == row.run)
    return set(session.exec(select(MoveStepRow.part).where(*of_run, col(MoveStepRow.undo) != "")))


def wishes(session: Session, row: MoveRow, *, all_runs: bool = False) -> list[MoveWishRow]:
    """Return what was wished in this run, in order; or in all."""
    statement = select(MoveWishRow).where(col(MoveWishRow.uid) == row.uid)
    if not all_runs:
        statement = statement.where(col(MoveWishRow.number) >= row.begun)
    return list(session.exec(statement.order_by(col(MoveWishRow.number))))


def steps(session: Session, row: MoveRow, *, all_runs: bool = False) -> list[RowMapping]:
    """Return the journal of this run, in order, without the evidence; or of all runs."""
    statement = select_columns(*_STEP_COLUMNS).where(_STEP_COLUMNS[0] == row.uid)
    if not all_runs:
        statement = statement.where(col(MoveStepRow.run) == row.run)
    ordered = statement.order_by(col(MoveStepRow.number))
    return [found._mapping for found in session.execute(ordered)]  # noqa: SLF001


def evidence(session: Session, uid: str, number: int) -> bytes | None:
    """Return the evidence of one step, compressed; None where there is no such step."""
    found = session.get(MoveStepRow, (uid, number))
    return None if found is None else found.evidence


def number(session: Session, row: MoveRow) -> int:
    """Return the next number of a locked migration's journal."""
    row.counter += 1
    session.add(row)
    return row.counter


def tell(session: Session, uid: str, values: Mapping[str, Any]) -> None:
    """Write what a migration is doing."""
    session.execute(update(MoveRow).where(col(MoveRow.uid) == uid).values(**values))


def at_work(session: Session, wave: str, besides: Sequence[str], now: Any) -> int:
    """Count the migrations of a wave that somebody is working on, but for those named."""
    statement = (
        select(func.count())
        .select_from(MoveRow)
        .join(WorkRow, col(WorkRow.uid) == col(MoveRow.uid))
        .where(
            col(MoveRow.wave) == wave,
            col(WorkRow.lease_until) > now,
            col(MoveRow.uid).not_in(list(besides)),
        )
    )
    return int(session.exec(statement).one())
