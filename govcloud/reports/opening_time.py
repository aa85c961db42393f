"""How long requests took from their submission to their fulfilment (MET-10), as of an instant.

Counted from the audit log, which is only ever appended to and dated like the facts, so that a
report for a past day never changes (F1).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import col

from govcloud.errors import Diagnostic, InvalidInputError
from govcloud.figures.opening import BUCKETS, Times, times
from govcloud.policy.calendar import elapsed
from govcloud.policy.context import city_day
from govcloud.reports.cutoff import Cutoff
from govcloud.reports.on_cloud import DEFAULTS, AsOf, Options, opened
from govcloud.reports.reading import Reading
from govcloud.reports.report import frame_of
from govcloud.store.facts import last_number
from govcloud.store.tables import AuditRow
from govcloud.store.unit import Store

DEFINITION: Final = "MET-10/1"
_BEGUN, _DONE = "request.submit", "request.fulfilled"


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that was fulfilled: from which day to which, and the working days that took."""

    request: str
    department: str
    submitted: date
    fulfilled: date
    days: int


@dataclass(frozen=True, slots=True)
class OpeningTime:
    """The requests fulfilled from `since` up to the cut-off, and their figures by department."""

    cutoff: Cutoff
    since: date
    department: str | None
    names: dict[str, str]
    requests: tuple[Taken, ...]

    def plain(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        requests = [_request(taken) for taken in self.requests]
        body = json.dumps(requests, sort_keys=True).encode()
        owners = sorted({taken.department for taken in self.requests})
        rows = [self._row(owner, (t for t in self.requests if t.department == owner))
                for owner in owners]  # fmt: skip
        return {
            **frame_of(self.cutoff, DEFINITION, self.department, hashlib.sha256(body).hexdigest()),
            "since": self.since.isoformat(),
            "rows": rows,
            "total": self._row("", self.requests),
            "requests": requests,
        }

    def _row(self, owner: str, taken: Iterable[Taken]) -> dict[str, Any]:
        found = times([one.days for one in taken])
        return {"department": owner, "displayName": self.names.get(owner), **_figures(found)}


def make(
    store: Store,
    as_of: AsOf = None,
    *,
    since: date | None = None,
    department: str | None = None,
    options: Options = DEFAULTS,
) -> OpeningTime:
    """Return the report; `since` is the first day, absent: the first of the cut-off's year.

    Raises as `on_cloud.make`, and InvalidInputError for a first day after the cut-off.
    """
    with opened(store, as_of, department, options) as reading:
        day = reading.cutoff.day
        first = since or day.replace(month=1, day=1)
        if first > day:
            fault = Diagnostic("errors.since_after", {"since": first, "day": day}, field="since")
            raise InvalidInputError([fault])
        taken = sorted(_taken(reading, first), key=lambda one: one.request)
        return OpeningTime(reading.cutoff, first, department, reading.names, tuple(taken))


def _taken(reading: Reading, first: date) -> Iterable[Taken]:
    columns = AuditRow.__table__.c  # type: ignore[attr-defined]
    last = last_number(reading.session, columns.seq, columns.at, reading.cutoff.instant)
    statement = (
        select(columns.action, columns.target, columns.department, columns.at)
        .where(col(AuditRow.action).in_((_BEGUN, _DONE)), col(AuditRow.seq) <= last)
        .order_by(columns.seq)
    )
    policy, begun = reading.policy(), dict[str, date]()
    for action, request, department, at in reading.session.execute(statement):
        day = city_day(at)
        if action == _BEGUN:
            begun[request] = day
        elif request in begun and day >= first and reading.scope.has(department):
            days = max(1, elapsed(begun[request], day, policy))
            yield Taken(request, department, begun[request], day, days)


def _request(taken: Taken) -> dict[str, Any]:
    return {
        "id": taken.request,
        "department": taken.department,
        "submitted": taken.submitted.isoformat(),
        "fulfilled": taken.fulfilled.isoformat(),
        "days": taken.days,
    }


def _figures(found: Times) -> dict[str, Any]:
    return {
        "requests": found.count,
        "median": None if found.median is None else found.median / 10,
        "p90": found.ninth,
        "buckets": dict(zip(map(_span, BUCKETS), found.buckets, strict=True)),
    }


def _span(bucket: tuple[int, int | None]) -> str:
    first, last = bucket
    return f">{first - 1}" if last is None else f"{first}-{last}"
