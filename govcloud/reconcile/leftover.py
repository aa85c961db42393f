"""What a single run leaves: objects that are not as approved, and clouds that could not be read."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, or_, select
from sqlmodel import Session, col

from govcloud.domain.keys import ObjectKey
from govcloud.errors import Text
from govcloud.reconcile.compare import Comparison
from govcloud.store.observed import Sight, Watched
from govcloud.store.tables import ObjectRow, WorkRow

NAMED: Final = 5
"""So many of the objects that are left are named."""


@dataclass(frozen=True, slots=True)
class Left:
    """An object that is not as approved, and what is said of it."""

    object: str
    reason: str
    text: Text


@dataclass(frozen=True, slots=True)
class Once:
    """What came of a single run: what was found, what could not be read, what is left.

    `left` are the first of `count` objects.
    """

    found: tuple[Comparison, ...]
    unread: tuple[Watched, ...]
    left: tuple[Left, ...]
    count: int

    @property
    def complete(self) -> bool:
        """Whether all clouds were read and everything is as approved."""
        return not (self.unread or self.count)


def unread(watched: list[Watched]) -> tuple[Watched, ...]:
    """Return the clouds of which it is not known how they are."""
    return tuple(found for found in watched if found.sight is not Sight.CURRENT)


def left(session: Session) -> tuple[tuple[Left, ...], int]:
    """Return the first objects that are not as approved or still in the queue, and their number."""
    queued = select(WorkRow.uid)  # type: ignore[call-overload]
    unfinished: tuple[Any, ...] = (
        col(ObjectRow.cloud).is_not(None),
        or_(
            col(ObjectRow.progressing),
            col(ObjectRow.ready).is_(False),
            col(ObjectRow.uid).in_(queued),
        ),
    )
    count = session.execute(select(func.count()).select_from(ObjectRow).where(*unfinished))
    first = (
        select(ObjectRow)
        .where(*unfinished)
        .order_by(col(ObjectRow.department), col(ObjectRow.kind), col(ObjectRow.name))
        .limit(NAMED)
    )
    return tuple(map(_left, session.execute(first).scalars())), int(count.scalar_one())


def _left(row: ObjectRow) -> Left:
    said = row.status.get("text") or {}
    text = Text(said.get("key", "controller.waiting"), said.get("params") or {})
    return Left(str(ObjectKey(row.kind, row.department, row.name)), row.reason or "Waiting", text)
