"""Whose figures a report holds: a node with all that is below it, named, and adding up."""

import json
from datetime import UTC, datetime

import pytest

from govcloud.errors import NotFoundError
from govcloud.reports.on_cloud import Options, explain, make
from govcloud.reports.report import Report
from govcloud.reports.write import render
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.register import Register


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 4, 1, 1, tzinfo=UTC))


@pytest.fixture
def register(store: Store) -> Register:
    """A city with a bureau of two offices and a bureau by itself; one system each."""
    filled = Register(store)
    filled.catalogue()
    filled.department("hrss", "人社局")
    filled.department("jobs", "就业中心", parent="hrss")
    filled.department("training", "培训科", parent="jobs")
    filled.department("edu", "教育局")
    for name in ("hrss", "jobs", "training", "edu"):
        filled.system(name, f"{name}-main")
    filled.machine("jobs", "app", "jobs-main")
    return filled


def eligible(report: Report) -> dict[str, int]:
    return {row.department: row.tally.eligible for row in report.rows}


def test_a_node_is_reported_with_all_that_is_below_it(
    store: Store, register: Register, clock: FixedClock
) -> None:
    clock.advance(60)
    report = make(store, department="hrss")
    assert eligible(report) == {"hrss": 1, "jobs": 1, "training": 1}
    assert report.total.display_name == "人社局"
    assert (report.total.tally.on_cloud, report.total.tally.eligible) == (1, 3)
    text = render(report, "csv", "zh").decode()
    assert "人社局合计" in text
    assert "教育局" not in text
    lines = explain(store, department="hrss").lines
    assert {line.department for line in lines} == {"hrss", "jobs", "training"}
    assert make(store).total.display_name == "常熟市"
    assert (
        json.loads(render(make(store, department="city"), "json", "zh"))["total"]
        == json.loads(render(make(store), "json", "zh"))["total"]
    )


@pytest.mark.guarantee("P1")
def test_who_is_kept_to_a_node_sees_it_and_what_is_below_and_nothing_else(
    store: Store, register: Register, clock: FixedClock
) -> None:
    clock.advance(60)
    within = Options(within="jobs")
    assert eligible(make(store, department="jobs", options=within)) == {"jobs": 1, "training": 1}
    assert eligible(make(store, department="training", options=within)) == {"training": 1}
    for other in ("hrss", "edu", "city", "nowhere"):
        with pytest.raises(NotFoundError):
            make(store, department=other, options=within)
        with pytest.raises(NotFoundError):
            explain(store, metric="MET-3", department=other, options=within)
    alone = make(store, department="jobs", options=Options(below=False))
    assert eligible(alone) == {"jobs": 1}
    assert "training" not in render(alone, "json", "zh").decode()


@pytest.mark.guarantee("F3")
def test_what_moves_in_the_tree_is_told_in_the_movement(
    store: Store, register: Register, clock: FixedClock
) -> None:
    clock.set(datetime(2026, 6, 15, tzinfo=UTC))
    register.department("training", "培训科", parent="edu")
    register.system("training", "fresh")
    register.remove("System", "training-main", department="training")
    register.system("jobs", "later")
    register.department("jobs", "就业中心", parent="edu")
    clock.set(datetime(2026, 7, 1, 1, tzinfo=UTC))
    left, joined = (
        make(store, "2026-06-30", department="hrss"),
        make(store, "2026-06-30", department="edu"),
    )
    lost, won = left.movement_total.movement, joined.movement_total.movement
    assert (lost.opening, lost.transferred_out, lost.retired, lost.closing) == (3, 1, 1, 1)
    assert (won.opening, won.transferred_in, won.new, won.closing) == (1, 1, 2, 4)
    assert lost.unexplained == won.unexplained == 0
    assert eligible(left) == {"hrss": 1}
    assert eligible(joined) == {"edu": 1, "jobs": 2, "training": 1}
    may = make(store, "2026-05-31", department="hrss")
    assert may.total.tally.eligible == lost.opening
    assert left.total.previous == may.total.tally.rate.tenths
    city = make(store, "2026-06-30").movement_total.movement
    assert (city.opening, city.new, city.retired, city.closing) == (4, 2, 1, 5)
    assert (city.transferred_in, city.transferred_out) == (0, 0)


def test_a_loop_in_the_tree_is_no_endless_report(
    store: Store, register: Register, clock: FixedClock
) -> None:
    register.department("hrss", "人社局", parent="training")
    clock.advance(60)
    assert set(eligible(make(store, department="jobs"))) == {"hrss", "jobs", "training"}
