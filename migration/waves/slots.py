"""When windows may open: days, nights before rest days, freezes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from migration.assessment.questionnaire import Window
from migration.waves.model import HORIZON_DAYS, Settings

OPENS: Final = time(20)
"""When the window of a day opens, by the clock on the wall."""
Works = Callable[[date], bool]
"""Whether a day is a working day, by the calendar of the Policy."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A night on which a window may open; `rest_eve`: nobody works on the day after."""

    day: date
    rest_eve: bool
    frozen: frozenset[str]
    """Departments that are frozen on one of the days that it reaches into."""

    def suits(self, wanted: Window) -> bool:
        """Whether it is of the kind that is wanted."""
        return wanted is Window.ANY or (wanted is Window.REST_DAY) == self.rest_eve


def closing(day: date, settings: Settings) -> date:
    """Return the last day that the window of a day reaches into."""
    closes = datetime.combine(day, OPENS) + timedelta(hours=settings.window_hours)
    return (closes - timedelta.resolution).date()


def slot(day: date, settings: Settings, works: Works) -> Slot | None:
    """Return the window of a day, or None where everybody is frozen or the day is of no kind."""
    frozen: set[str] = set()
    last = closing(day, settings)
    for freeze in settings.freezes:
        if freeze.first <= last and day <= freeze.last:
            if not freeze.departments:
                return None
            frozen.update(freeze.departments)
    found = Slot(day, not works(day + timedelta(days=1)), frozenset(frozen))
    return found if found.suits(settings.windows) else None


def slots(settings: Settings, works: Works) -> Iterator[Slot]:
    """Yield the windows that may open, in order, each as early as the one before allows."""
    day = settings.begin
    last = settings.until or settings.begin + timedelta(days=HORIZON_DAYS)
    while day <= last:
        found = slot(day, settings, works)
        if found is not None:
            yield found
        day += timedelta(days=settings.every_days if found else 1)
