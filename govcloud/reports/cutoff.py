"""The cut-off of a report: an instant, the business day it ends, and how people write it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from govcloud.domain import city
from govcloud.errors import Diagnostic, InvalidInputError

EARLIEST: Final = 1950
"""The first year that a cut-off may lie in; earlier ones are typing errors."""
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Everything recorded up to `instant` (UTC, inclusive) counts, as of `day` in `zone`.

    A day ends with its last microsecond, so that what is recorded at midnight is of the next day.
    """

    instant: datetime
    day: date
    zone: str

    @property
    def ends_day(self) -> bool:
        """Whether the cut-off is the end of its day."""
        return self.instant == _end_of(self.day, city.find(self.zone))

    def __str__(self) -> str:
        if self.ends_day:
            return f"{self.day.isoformat()} 24:00"
        local = self.instant.astimezone(city.find(self.zone))
        return local.isoformat(sep=" ", timespec="microseconds")

    def month_end_before(self) -> "Cutoff":
        """Return the end of the month before the cut-off's month."""
        day = self.day.replace(day=1) - timedelta(days=1)
        return Cutoff(_end_of(day, city.find(self.zone)), day, self.zone)


def resolve(as_of: str | date | datetime | None, now: datetime, zone: str) -> Cutoff:
    """Return the cut-off that a user means: an instant, a day's end, or now.

    Today's end has not come: today means now. Text is an ISO date or instant; an instant without
    an offset is the city's. InvalidInputError for the future, and for what cannot be read.
    """
    place = city.find(zone)
    try:
        wanted = _parse(as_of) if isinstance(as_of, str) else as_of
    except ValueError:
        raise _fault("errors.as_of_unreadable", as_of) from None
    # By the year first: what no calendar holds cannot be told as an instant.
    if wanted is not None and wanted.year < EARLIEST:
        raise _fault("errors.as_of_too_early", as_of, earliest=f"{EARLIEST}-01-01")
    if wanted is not None and wanted.year > now.year + 1:
        raise _fault("errors.as_of_future", as_of)
    instant = _instant(wanted, now, place)
    if instant > now:
        raise _fault("errors.as_of_future", as_of)
    return Cutoff(instant, instant.astimezone(place).date(), zone)


def _fault(key: str, as_of: object, **params: object) -> InvalidInputError:
    return InvalidInputError([Diagnostic(key, {"as_of": str(as_of), **params}, field="asOf")])


def _instant(wanted: date | datetime | None, now: datetime, place: tzinfo) -> datetime:
    if wanted is None:
        return now
    if isinstance(wanted, datetime):
        aware = wanted if wanted.tzinfo is not None else wanted.replace(tzinfo=place)
        return aware.astimezone(UTC)
    if wanted == now.astimezone(place).date():
        return now
    return _end_of(wanted, place)


def _parse(text: str) -> date | datetime:
    text = text.strip()
    if len(text) <= 10:
        return date.fromisoformat(text)
    return datetime.fromisoformat(text)


def _end_of(day: date, place: tzinfo) -> datetime:
    midnight = datetime.combine(day + timedelta(days=1), time(0), tzinfo=place)
    return midnight.astimezone(UTC) - _TICK
