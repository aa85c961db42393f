"""The brake on healing: where much is missing at once, it is likely not lost but not shown (R4).

A cloud that is asked with the wrong rights, or recovers from a failure of its own, may answer well
and show nothing; building everything again would be the disaster. So healing stops for the cloud,
loudly, until a later look finds the objects again or an operator confirms that they are lost.
"""

import logging
from typing import Final

from sqlmodel import Session, col, select

from govcloud.domain.kinds.platform import CloudLimits
from govcloud.errors import ConflictError, Text
from govcloud.plan.conditions import MASS_LOSS
from govcloud.reconcile.record import make_event
from govcloud.store import clouds, work
from govcloud.store.tables import CloudRow, ObjectRow
from govcloud.store.unit import Unit

LOG: Final = logging.getLogger(__name__)


def too_much(limits: CloudLimits, lost: int, objects: int) -> bool:
    """Whether so many of a cloud's settled objects are missing that they are not to be healed."""
    return lost >= limits.brake_count and lost >= limits.brake_share * objects


def changes(session: Session, cloud: str, lost: int, *, braked: bool) -> bool:
    """Whether `follow` would change anything."""
    row = session.get(CloudRow, cloud)
    if row is None or row.braked_at is None:
        return braked
    return not braked or row.lost != lost


def follow(unit: Unit, cloud: str, lost: int, *, braked: bool) -> None:
    """Set or release the brake of a cloud, with an alarm where that is new."""
    if braked != clouds.braked(unit.session, cloud):
        key = "controller.braked" if braked else "controller.unbraked"
        _announce(unit, cloud, "Warning" if braked else "Normal", Text(key, {"lost": lost}))
        if braked:
            LOG.error("%s: %d objects are missing at once; nothing is healed", cloud, lost)
    clouds.brake(unit.session, cloud, unit.now if braked else None, lost if braked else 0)


def resume(unit: Unit, cloud: str, reason: str) -> int:
    """Let what is missing from a cloud be healed after all; return how many objects that are.

    Raises ConflictError for a cloud in which healing has not stopped.
    """
    if not clouds.braked(unit.session, cloud):
        raise ConflictError("controller.not_braked", cloud=cloud)
    clouds.brake(unit.session, cloud, None)
    statement = select(ObjectRow).where(ObjectRow.cloud == cloud, ObjectRow.reason == MASS_LOSS)
    rows = unit.session.exec(statement.order_by(col(ObjectRow.uid))).all()
    for row in rows:
        row.progressing = True  # so the next comparison leaves them to the queue
        unit.session.add(row)
    work.enqueue(unit.session, [(row.uid, cloud, row.generation) for row in rows], unit.now)
    _announce(unit, cloud, "Normal", Text("controller.resumed", {"reason": reason}))
    unit.audit("cloud.resume", f"Cloud {cloud}", detail={"reason": reason, "objects": len(rows)})
    return len(rows)


def _announce(unit: Unit, cloud: str, kind: str, text: Text) -> None:
    statement = select(ObjectRow.uid).where(ObjectRow.kind == "Cloud", ObjectRow.name == cloud)
    uid = unit.session.exec(statement).one()
    unit.session.add(make_event(uid, unit.now, kind, MASS_LOSS, text))
