"""Leases that end soon are said in time: an event 30, 14, 7 and 1 day before the last day.

A second controller says nothing twice, and what nobody was there to say is said late.
"""

import logging
import threading
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import Session, col

from govcloud.domain.access import CONTROLLER
from govcloud.errors import Text, UnavailableError
from govcloud.messages import plain
from govcloud.plan.phases import Phase
from govcloud.policy.context import city_day
from govcloud.reconcile.desired import World
from govcloud.reconcile.record import make_event
from govcloud.store.tables import EventRow, ObjectRow
from govcloud.store.unit import Store
from govcloud.store.work import chunks

LOG: Final = logging.getLogger(__name__)
NOTICES: Final = (1, 7, 14, 30)
"""Days before the last day of a lease (LIFE-1)."""
ENDING: Final = "LeaseEnding"
_LOOK_S: Final = 3600.0
_END: Final = col(ObjectRow.spec)["lease"]["end"].as_string()


class Leases:
    """Says of what is built for a time that the time is nearly over."""

    name = "leases"

    def __init__(self, store: Store, *, every_s: float = _LOOK_S) -> None:
        self._store = store
        self._every_s = every_s

    def run(self, stop: threading.Event) -> None:
        """Look every hour, so that a new day is noticed, until `stop`."""
        while not stop.is_set():
            self.run_once(stop)
            stop.wait(self._every_s)

    def run_once(self, stop: threading.Event) -> None:
        """Say what is to be said today and has not been said yet."""
        del stop
        today = city_day(self._store.clock.now())
        try:
            with self._store.reading() as session:
                world = World.read(session, today)
                uids = list(session.execute(_ending(today, col(ObjectRow.uid))).scalars())
            for batch in chunks(uids):
                self._say(batch, today, world)
        except UnavailableError as error:
            LOG.warning("leases: %s", plain(error))  # the next look says it
        except Exception:
            LOG.exception("leases: the next look says it")

    def renew(self) -> None:
        """Hold no leases of the queue: what is said is said in one transaction."""

    def _say(self, uids: Sequence[str], today: date, world: World) -> None:
        with self._store.unit(CONTROLLER) as unit:
            statement = _ending(today, ObjectRow).where(col(ObjectRow.uid).in_(uids))
            rows = list(unit.session.execute(statement.with_for_update(skip_locked=True)).scalars())
            said = _said(unit.session, uids)
            for row in rows:
                end = date.fromisoformat(row.spec["lease"]["end"])
                within = notice((end - today).days)
                if within is None or (row.uid, end.isoformat(), within) in said:
                    continue
                params = {"end": end.isoformat(), "days": (end - today).days, "within": within}
                key = "controller.lease_ending"
                if row.kind == "VirtualMachine" and world.stops_before:
                    last = end + (today - date.fromisoformat(world.stops_before))
                    key, params = "controller.lease_stopping", params | {"last": last.isoformat()}
                unit.session.add(
                    make_event(row.uid, unit.now, "Warning", ENDING, Text(key, params))
                )


def notice(days: int) -> int | None:
    """Return which notice is due with so many days to the last one; None while none is."""
    return next((within for within in NOTICES if 0 <= days <= within), None)


def _ending(today: date, what: Any) -> Any:
    """Return the statement for what is built and whose lease ends within the longest notice."""
    latest = today + timedelta(days=max(NOTICES))
    return select(what).where(
        col(ObjectRow.phase) == Phase.ACTIVE,
        col(ObjectRow.cloud).is_not(None),
        _END.between(today.isoformat(), latest.isoformat()),
    )


def _said(session: Session, uids: Sequence[str]) -> set[tuple[str, str, int]]:
    """Return which notices were given: of what, for which last day, how many days before."""
    events = session.execute(
        select(EventRow.uid, EventRow.text).where(  # type: ignore[call-overload]
            col(EventRow.uid).in_(uids), col(EventRow.reason) == ENDING
        )
    )
    return {(uid, text["params"]["end"], text["params"]["within"]) for uid, text in events}
