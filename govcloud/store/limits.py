"""What limits govcloud may have set in a cloud, tenant by tenant; nothing here commits."""

import json
from collections.abc import Callable, Iterable

from sqlalchemy import ColumnElement, CursorResult, delete, select, update
from sqlmodel import Session, col

from govcloud.plan.limits import Ours
from govcloud.store.engine import lock_row, upsert
from govcloud.store.tables import LimitsRow
from govcloud.store.work import chunks


def of_cloud(session: Session, cloud: str) -> dict[str, dict[str, list[int]]]:
    """Return what may be ours in a cloud, by tenant."""
    statement = select(LimitsRow.tenant, LimitsRow.ours).where(col(LimitsRow.cloud) == cloud)  # type: ignore[call-overload]
    return {tenant: json.loads(text) for tenant, text in session.execute(statement)}


def note(session: Session, cloud: str, tenant: str, after: Callable[[Ours], Ours]) -> None:
    """Replace what may be ours of one tenant by what follows from it; others wait meanwhile."""
    _seed(session, cloud, tenant)
    statement = select(LimitsRow.ours).where(*_is(cloud, tenant))  # type: ignore[call-overload]
    dialect = session.get_bind().dialect.name
    before = json.loads(session.execute(lock_row(statement, dialect)).scalar_one())
    text = _text(after(before))
    session.execute(update(LimitsRow).where(*_is(cloud, tenant)).values(ours=text))


def keep(session: Session, cloud: str, tenant: str, before: Ours, after: Ours) -> bool:
    """Replace what was read, if it is still that; whether it was. Empty: nothing was known."""
    if not before:
        _seed(session, cloud, tenant)
    same = (*_is(cloud, tenant), col(LimitsRow.ours) == _text(before))
    # An UPDATE says how many rows it met with every database; an INSERT does not.
    result = session.execute(update(LimitsRow).where(*same).values(ours=_text(after)))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def _seed(session: Session, cloud: str, tenant: str) -> None:
    row = upsert(session, LimitsRow).values(cloud=cloud, tenant=tenant, ours=_text({}))
    session.execute(row.on_conflict_do_nothing())


def forget(session: Session, cloud: str, tenants: Iterable[str]) -> None:
    """Forget tenants that are gone."""
    for batch in chunks(sorted(tenants)):
        of = (col(LimitsRow.cloud) == cloud, col(LimitsRow.tenant).in_(batch))
        session.execute(delete(LimitsRow).where(*of))


def _is(cloud: str, tenant: str) -> tuple[ColumnElement[bool], ...]:
    return (col(LimitsRow.cloud) == cloud, col(LimitsRow.tenant) == tenant)


def _text(ours: Ours) -> str:
    return json.dumps({word: list(ours[word]) for word in sorted(ours)}, separators=(",", ":"))
