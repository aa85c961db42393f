"""The policy in force and its working days (APP-8): weekdays but holidays, and weekends worked.

China moves working days to weekends around long holidays; the yearly list is data of the Policy.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from govcloud.domain.kinds.governance import PolicySpec

BUILTIN: Final = PolicySpec.model_validate({"version": "builtin", "effectiveFrom": "2000-01-01"})
_SATURDAY: Final = 5
_ONE: Final = timedelta(days=1)


def in_force(policies: Mapping[str, PolicySpec], today: date) -> PolicySpec:
    """Return the policy, of those by name, that took effect last; the built-in one for none."""
    begun = [
        (policy.effective_from, name, policy)
        for name, policy in policies.items()
        if policy.effective_from <= today
    ]
    return max(begun, key=lambda entry: entry[:2])[2] if begun else BUILTIN


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
