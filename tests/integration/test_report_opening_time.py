"""Opening time (MET-10) as of an instant: from the audit log, in the working days of the policy."""

from datetime import UTC, date, datetime

import pytest

from govcloud.domain.access import CONTROLLER
from govcloud.errors import InvalidInputError
from govcloud.reports.on_cloud import Options
from govcloud.reports.opening_time import make
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.register import Register


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 4, 27, 1, tzinfo=UTC))  # a Monday, 9:00 in the city


@pytest.fixture
def register(store: Store) -> Register:
    """Two departments below a city; May Day's week as the State Council gave it out."""
    filled = Register(store)
    for name, parent in (("city", None), ("hrss", "city"), ("health", "city")):
        filled.department(name, name.upper(), parent=parent)
    holidays = {"holidays": ["2026-05-01", "2026-05-04", "2026-05-05"], "workdays": ["2026-05-09"]}
    filled.put("Policy", "p", {"version": "1", "effectiveFrom": "2026-01-01"} | holidays)
    return filled


def record(store: Store, action: str, request: str, department: str) -> None:
    """Record an act on a request, as whoever submits or fulfils it does."""
    with store.unit(CONTROLLER) as unit:
        unit.audit(f"request.{action}", request, department=department, request_id=request)


def test_working_days_of_the_policy_are_counted(
    store: Store, register: Register, clock: FixedClock
) -> None:
    del register
    record(store, "submit", "REQ-1", "hrss")
    record(store, "submit", "REQ-2", "health")
    record(store, "submit", "REQ-3", "health")
    record(store, "fulfilled", "REQ-1", "hrss")
    clock.set(datetime(2026, 5, 9, 15, 59, tzinfo=UTC))  # a Saturday that is worked, 23:59
    record(store, "fulfilled", "REQ-2", "health")
    clock.advance(3600)
    found = make(store).plain()
    days = {one["id"]: one["days"] for one in found["requests"]}
    assert days == {"REQ-1": 1, "REQ-2": 7}  # 28, 29, 30 April, 6, 7, 8, 9 May
    assert [row["department"] for row in found["rows"]] == ["health", "hrss"]
    assert (found["total"]["median"], found["total"]["p90"]) == (4.0, 7)
    assert found["total"]["buckets"] == {"1-3": 1, "4-10": 1, "11-30": 0, "31-60": 0, ">60": 0}


@pytest.mark.guarantee("F1")
def test_a_past_day_stays_as_it_was(store: Store, register: Register, clock: FixedClock) -> None:
    record(store, "submit", "REQ-1", "hrss")
    clock.set(datetime(2026, 5, 12, tzinfo=UTC))
    record(store, "fulfilled", "REQ-1", "hrss")
    clock.set(datetime(2026, 5, 20, tzinfo=UTC))
    before = make(store, "2026-05-12").plain()
    record(store, "submit", "REQ-2", "hrss")
    record(store, "fulfilled", "REQ-2", "hrss")
    register.put("Policy", "p", {"version": "2", "effectiveFrom": "2026-01-01"})
    clock.set(datetime(2026, 6, 20, tzinfo=UTC))
    assert make(store, "2026-05-12").plain() == before
    assert make(store, "2026-05-11").plain()["requests"] == []
    assert make(store).plain()["total"]["requests"] == 2


@pytest.mark.guarantee("P1")
def test_whose_requests_and_since_when(store: Store, register: Register, clock: FixedClock) -> None:
    del register
    for number, department in enumerate(("hrss", "health")):
        record(store, "submit", f"REQ-{number}", department)
        clock.advance(86_400)
        record(store, "fulfilled", f"REQ-{number}", department)
    own = make(store, department="hrss", options=Options(below=False)).plain()
    assert {one["department"] for one in own["requests"]} == {"hrss"}
    assert make(store, department="city").plain()["total"]["requests"] == 2
    late = make(store, since=date(2026, 4, 29)).plain()
    assert [one["id"] for one in late["requests"]] == ["REQ-1"]
    with pytest.raises(InvalidInputError):
        make(store, since=date(2027, 1, 1))
