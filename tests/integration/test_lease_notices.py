"""A lease that ends soon is said in time, once, also by several controllers."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlmodel import col

from govcloud.policy.context import city_day
from govcloud.reconcile.leases import ENDING, Leases
from govcloud.store.tables import EventRow
from govcloud.store.unit import Store
from govcloud.testing.lab import ADMIN, Lab


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    return Lab(store, tmp_path).found()


def leased(lab: Lab, name: str, days: int, kind: str = "VirtualMachine", **spec: object) -> str:
    """Build something whose lease has so many days to go; return its uid."""
    end = city_day(lab.store.clock.now()) + timedelta(days=days)
    uid = lab.approve(name, kind, lease={"end": end.isoformat()}, **spec)
    lab.drive(lab.controller(f"build-{name}"))
    return uid


def said(lab: Lab, uid: str) -> list[str]:
    with lab.store.reading() as session:
        statement = select(EventRow).where(col(EventRow.uid) == uid, col(EventRow.reason) == ENDING)
        ordered = session.execute(statement.order_by(col(EventRow.seq))).scalars()
        return [event.message for event in ordered]


def day_later(lab: Lab, days: int = 1) -> None:
    """Let days pass and two controllers look."""
    lab.store.clock.advance(86_400 * days)  # type: ignore[attr-defined]
    for _ in range(2):
        Leases(lab.store).run_once(threading.Event())


def test_each_notice_is_given_once(lab: Lab) -> None:
    uid, other = leased(lab, "web", 40), lab.approve("other")
    counts = []
    for _ in range(42):
        day_later(lab)
        counts.append(len(said(lab, uid)))
    days_to_go = {40 - n: count for n, count in enumerate(counts, start=1)}
    steps = [(31, 0), (30, 1), (15, 1), (14, 2), (8, 2), (7, 3), (2, 3), (1, 4), (0, 4), (-2, 4)]
    assert [(days, days_to_go[days]) for days, _ in steps] == steps
    assert "in 30 day(s)" in said(lab, uid)[0]
    assert said(lab, other) == []


def test_what_nobody_was_there_to_say_is_said_late_and_with_the_right_number(lab: Lab) -> None:
    uid = leased(lab, "web", 40)
    day_later(lab, 35)
    [text] = said(lab, uid)
    assert "in 5 day(s)" in text


def test_a_renewed_lease_is_told_of_anew(lab: Lab) -> None:
    uid = leased(lab, "web", 10)
    day_later(lab)
    assert len(said(lab, uid)) == 1
    end = city_day(lab.store.clock.now()) + timedelta(days=60)
    lab.change(uid, lease={"end": end.isoformat()})
    lab.drive(lab.controller("renewed"))
    day_later(lab)
    assert len(said(lab, uid)) == 1
    day_later(lab, 32)
    assert len(said(lab, uid)) == 2


def test_when_machines_are_stopped_is_said_and_volumes_are_not(lab: Lab) -> None:
    with lab.store.unit(ADMIN) as unit:
        spared = {"lease-stop-days": 3}
        document = {"version": "1", "effectiveFrom": "2020-01-01", "parameters": spared}
        lab.put(unit, "Policy", "city", document)
    machine = leased(lab, "web", 8)
    volume = leased(lab, "data", 8, "Volume", size="10Gi", type="ssd")
    last = city_day(lab.store.clock.now()) + timedelta(days=8 + 3)
    day_later(lab)
    assert last.isoformat() in said(lab, machine)[0]
    assert last.isoformat() not in said(lab, volume)[0]
