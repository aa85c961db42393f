"""What is fixed for a city when its database is made: the time zone by which its days are counted.

It never changes afterwards: what a report of a past day counts would change with it (F1).
"""

from typing import Final

from sqlmodel import Session

from govcloud.domain import city
from govcloud.errors import ConflictError
from govcloud.store.tables import SettingRow

_ZONE: Final = "time-zone"


def time_zone(session: Session) -> str:
    """Return the name of the city's time zone."""
    row = session.get(SettingRow, _ZONE)
    return row.value if row else city.DEFAULT


def choose_time_zone(session: Session, zone: str, *, new: bool) -> None:
    """Fix the time zone; ConflictError for another one than a database that is not `new` has."""
    city.find(zone)
    if not new and zone != time_zone(session):
        raise ConflictError("errors.time_zone_fixed", zone=time_zone(session))
    if session.get(SettingRow, _ZONE) is None:
        session.add(SettingRow(name=_ZONE, value=zone))
