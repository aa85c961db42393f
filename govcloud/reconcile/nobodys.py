"""What is nobody's: kept as it was last seen, for people to read; never touched (R2).

Of a managed cloud these are differences; all that an observed cloud holds is such, and none.
"""

import json
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import delete, select
from sqlmodel import Session, col

from govcloud.domain.access import CONTROLLER
from govcloud.domain.drift import DriftMode
from govcloud.plan.drift import ModeOf
from govcloud.ports.cloud import Observed
from govcloud.store.engine import upsert
from govcloud.store.tables import DriftRow
from govcloud.store.unit import Store
from govcloud.store.work import chunks


class Said(NamedTuple):
    """A difference as it is stored or would be."""

    resource: str
    field: str
    wanted: str | None
    found: str | None
    mode: str
    detail: str = ""


class Nobodys(NamedTuple):
    """A resource that belongs to no object, as it is reported; `detail` is JSON text."""

    id: str
    found: str
    field: str
    detail: str


def of(item: Observed, field: str) -> Nobodys:
    """Return what is kept of a resource that is nobody's."""
    said = {
        "type": item.type,
        "name": item.name,
        "tenant": item.tenant,
        "props": dict(item.props),
        "tags": dict(item.tags),
        "info": {name: value for name, value in item.info.items() if "address" in name},
    }
    detail = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return Nobodys(item.id, f"{item.type} {item.name}", field, detail)


def ignored(_field: str) -> DriftMode:
    """Return that nothing is a difference: the mode of a cloud that is only observed."""
    return DriftMode.IGNORE


def said_of(session: Session, cloud: str) -> dict[str, set[Said]]:
    """Return the stored differences of a cloud by object; those of nobody under ""."""
    statement = select(
        DriftRow.uid,
        DriftRow.resource,
        DriftRow.field,
        DriftRow.wanted,
        DriftRow.found,
        DriftRow.mode,
        DriftRow.detail,
    ).where(col(DriftRow.cloud) == cloud)  # type: ignore[call-overload]
    said: dict[str, set[Said]] = {}
    for uid, *rest in session.execute(statement):
        said.setdefault(uid, set()).add(Said(*rest))
    return said


def keep(store: Store, cloud: str, found: Sequence[Nobodys], mode: ModeOf, said: Set[Said]) -> int:
    """Bring the rows of what is nobody's to what was found; return how many that changed.

    It is reported or ignored, never healed. What is as it was keeps since when it is known.
    """
    would = {
        Said(item.id, item.field, None, item.found, _mode(mode, item.field), item.detail)
        for item in found
    }
    if would == said:
        return 0
    with store.unit(CONTROLLER) as unit:
        before = _since(unit.session, cloud)
        for old in sorted(said - would, key=str):
            unit.session.execute(
                delete(DriftRow).where(
                    col(DriftRow.cloud) == cloud,
                    col(DriftRow.resource) == old.resource,
                    col(DriftRow.field) == old.field,
                    col(DriftRow.uid) == "",
                )
            )
        new = [
            {
                "cloud": cloud,
                "uid": "",
                "department": "",
                "since": before.get((one.resource, one.field), unit.now),
                **one._asdict(),
            }
            for one in sorted(would - said, key=str)
        ]
        for rows in chunks(new):
            _write(unit.session, rows)
    return len(said ^ would)


def _write(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows; what a comparison that runs beside this one has written is seen anew."""
    statement = upsert(session, DriftRow).values(rows)
    seen = {name: getattr(statement.excluded, name) for name in ("found", "mode", "detail")}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["cloud", "resource", "field"],
            set_=seen,
            where=col(DriftRow.uid) == "",
        )
    )


def _mode(mode: ModeOf, field: str) -> str:
    ignored = mode(field) is DriftMode.IGNORE
    return (DriftMode.IGNORE if ignored else DriftMode.REPORT).value


def _since(session: Session, cloud: str) -> dict[tuple[str, str], datetime]:
    statement = select(DriftRow.resource, DriftRow.field, DriftRow.since).where(  # type: ignore[call-overload]
        col(DriftRow.cloud) == cloud, col(DriftRow.uid) == ""
    )
    return {(resource, field): since for resource, field, since in session.execute(statement)}
