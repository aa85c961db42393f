"""The clock on the city's wall: by it days begin and end, wherever a program runs.

A process serves one city, so its time zone is chosen once: by what opens the database, which knows
it (`store.city`), or by what a server says that is asked.
"""

from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

from govcloud.errors import Diagnostic, InvalidInputError

DEFAULT: Final = "Asia/Shanghai"
_CHINA: Final = timezone(timedelta(hours=8), DEFAULT)
"""China has one time zone and no summer time."""
_chosen: tuple[str, tzinfo] = (DEFAULT, _CHINA)


def use(zone: str) -> None:
    """Count days by a time zone from now on; InvalidInputError for a name that is none."""
    global _chosen  # noqa: PLW0603
    if zone != _chosen[0]:
        _chosen = (zone, _CHINA if zone == DEFAULT else find(zone))


def zone() -> str:
    """Return the name of the city's time zone."""
    return _chosen[0]


def time() -> tzinfo:
    """Return the city's time."""
    return _chosen[1]


def shown(instant: datetime) -> str:
    """Return an instant as people read it: in the city's time with its offset, to the second."""
    return instant.astimezone(time()).isoformat(sep=" ", timespec="seconds")


def find(zone: str) -> tzinfo:
    """Return a time zone; InvalidInputError for a name that is none."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if zone == DEFAULT:
            return _CHINA  # a machine without a time-zone database
        raise InvalidInputError([_unknown(zone)]) from None


def _unknown(zone: str) -> Diagnostic:
    from zoneinfo import available_timezones

    from govcloud.domain.suggest import nearest

    meant = nearest(zone, available_timezones())
    key = "errors.time_zone_meant" if meant else "errors.time_zone_unknown"
    return Diagnostic(key, {"zone": zone, "meant": meant})
