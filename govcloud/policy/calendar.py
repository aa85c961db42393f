"""Working days (APP-8): weekdays but for holidays, and the weekend days that are worked for them.

China moves working days to weekends around long holidays; the yearly list is data of the Policy.
"""

from datetime import date, timedelta
from typing import Final

from govcloud.domain.kinds.governance import PolicySpec

_SATURDAY: Final = 5
_ONE: Final = timedelta(days=1)


def works(day: date, policy: PolicySpec) -> bool:
    """Whether a day is a working day."""
    if day in policy.workdays:
        return True
    return day.weekday() < _SATURDAY and day not in policy.holidays


def elapsed(begun: date, today: date, policy: PolicySpec) -> int:
    """Return how many working days have begun after a day."""
    days = (begun + _ONE * number for number in range(1, (today - begun).days + 1))
    return sum(works(day, policy) for day in days)


def due(begun: date, within: int, policy: PolicySpec) -> date:
    """Return the last day of a time limit in working days; the day it begins does not count."""
    day, left = begun, within
    while left:
        day += _ONE
        left -= works(day, policy)
    return day
