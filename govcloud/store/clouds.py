"""What the controller remembers of each cloud: when it looks next, and who is looking (R7, R9)."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlmodel import Session, col

from govcloud.errors import Text
from govcloud.store.engine import lock_row, upsert
from govcloud.store.tables import CloudRow

_KEY: Final = "key"
_PARAMS: Final = "params"


def remember(session: Session, cloud: str) -> CloudRow:
    """Return the row of a cloud, making an empty one if there is none."""
    row = session.get(CloudRow, cloud)
    if row is not None:
        return row
    values: dict[str, Any] = {"cloud": cloud, "failures": 0, "error": "", "counts": {}, "lost": 0}
    session.execute(
        upsert(session, CloudRow).values(values).on_conflict_do_nothing(index_elements=["cloud"])
    )
    return session.get_one(CloudRow, cloud)


def take(
    session: Session, cloud: str, owner: str, *, now: datetime, until: datetime, latest: datetime
) -> bool:
    """Lease the observation of a cloud if it is due and nobody has it; whether that worked.

    A stored time beyond `latest` counts as due: a clock that was wrong must not stop the looking.
    Nor must an own lease that is left over: one thread of a controller asks, and it is not looking.
    """
    remember(session, cloud)
    dialect = session.get_bind().dialect.name
    statement = lock_row(select(CloudRow).where(col(CloudRow.cloud) == cloud), dialect)
    row: CloudRow = session.execute(statement).scalar_one()
    lasting = until + (until - now)  # No lease lives longer, but by a clock that was wrong.
    leased = row.lease_until is not None and now < row.lease_until <= lasting
    busy = leased and row.lease_owner not in (None, owner)
    waiting = row.next_at is not None and now < row.next_at <= latest
    if busy or waiting:
        return False
    row.lease_owner, row.lease_until = owner, until
    session.add(row)
    return True


def renew(session: Session, owner: str, until: datetime) -> None:
    """Let the owner's observations live on."""
    session.execute(
        update(CloudRow).where(col(CloudRow.lease_owner) == owner).values(lease_until=until)
    )


def give_back(session: Session, owner: str) -> None:
    """End the owner's observations, as they are."""
    session.execute(
        update(CloudRow)
        .where(col(CloudRow.lease_owner) == owner)
        .values(lease_owner=None, lease_until=None)
    )


def looked(
    session: Session, cloud: str, *, at: datetime, next_at: datetime, counts: dict[str, int]
) -> None:
    """End an observation that worked."""
    row = remember(session, cloud)
    row.observed_at, row.next_at = at, next_at
    row.failures, row.error = 0, ""
    row.lease_owner = row.lease_until = None
    if row.counts != counts:
        row.counts = counts
    session.add(row)


def missed(session: Session, cloud: str, *, next_at: datetime, error: Text | None) -> None:
    """End an observation that failed; without a new error it is said what was said before."""
    row = remember(session, cloud)
    row.next_at, row.error = next_at, _written(error) or row.error
    row.failures += 1
    row.lease_owner = row.lease_until = None
    session.add(row)


def pause(session: Session, cloud: str, until: datetime | None, error: Text | None) -> None:
    """Store until when a cloud is left alone; None for no longer."""
    row = remember(session, cloud)
    row.open_until, row.error = until, _written(error)
    session.add(row)


def error_of(row: CloudRow) -> Text | None:
    """Return why a cloud could not be asked, to be said in the reader's language."""
    if not row.error.startswith("{"):
        return Text(row.error) if row.error else None  # as older versions wrote it
    text: Text = json.loads(row.error, object_hook=_text)
    return text


def _written(error: Text | None) -> str:
    return json.dumps(error, default=_plain, ensure_ascii=False) if error else ""


def _plain(value: object) -> object:
    return {_KEY: value.key, _PARAMS: value.params} if isinstance(value, Text) else str(value)


def _text(said: Mapping[str, Any]) -> object:
    return Text(said[_KEY], said[_PARAMS]) if said.keys() == {_KEY, _PARAMS} else said


def braked(session: Session, cloud: str) -> bool:
    """Whether nothing is healed in a cloud, because too much was missing at once."""
    row = session.get(CloudRow, cloud)
    return row is not None and row.braked_at is not None


def brake(session: Session, cloud: str, at: datetime | None, lost: int = 0) -> None:
    """Let nothing be healed in a cloud since `at`, or with None let it be healed again."""
    row = remember(session, cloud)
    row.braked_at = (row.braked_at or at) if at else None
    row.lost = lost
    session.add(row)
