"""Whole reports over generated cities: every table adds up as printed, and months follow on."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from govcloud.figures.movement import Step
from govcloud.reports.on_cloud import explain, make
from govcloud.reports.report import Explanation, Report
from govcloud.reports.sections import RATE_COLUMNS, STEPS, Section, Speaker, sections_of
from govcloud.store.engine import Database
from govcloud.store.schema import create
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.register import Register

UNITS = ("a", "b", "c", "d")
NAMES = ("s1", "s2", "s3")
MAY, JUNE = datetime(2026, 5, 20, tzinfo=UTC), datetime(2026, 6, 20, tzinfo=UTC)
JULY = datetime(2026, 7, 2, tzinfo=UTC)
unit, name, flag = st.sampled_from(UNITS), st.sampled_from(NAMES), st.booleans()
acts = st.one_of(
    st.tuples(
        st.just("system"),
        unit,
        name,
        st.fixed_dictionaries(
            {
                "classified": st.sampled_from([False, False, True]),
                "lifecycle": st.sampled_from(["running", "running", "trial", "retired"]),
                "origin": st.sampled_from(["cloud", "legacy"]),
                "industryCloud": st.sampled_from([None, None, "police", "health"]),
            }
        ),
    ),
    st.tuples(st.just("remove"), unit, name),
    st.tuples(st.just("take-over"), unit, name, unit),
    st.tuples(st.just("machine"), unit, name),
    st.tuples(st.just("host"), unit, name),
    st.tuples(st.just("plan"), unit, name, st.sampled_from(["trial", "accepted", "closed"])),
    st.tuples(st.just("exempt"), unit, name, st.sampled_from(["2026-12-31", "2026-06-10"])),
    st.tuples(st.just("parent"), unit, st.sampled_from(["city", *UNITS])),
    st.tuples(st.just("dock"), flag),
)
months = st.tuples(st.lists(acts, min_size=3, max_size=14), st.lists(acts, max_size=10))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("city") / "empty.db"
    database = Database(f"sqlite:///{path}")
    create(database)
    database.close()
    return path


def act(register: Register, held: set[tuple[str, str]], what: tuple) -> None:  # type: ignore[type-arg]
    match what:
        case ("system", owner, called, spec):
            register.system(owner, called, **spec)
            held.add((owner, called))
        case ("remove", owner, called) if (owner, called) in held:
            register.remove("System", called, department=owner)
            held.discard((owner, called))
        case ("take-over", owner, called, other) if (owner, called) in held and owner != other:
            act(register, held, ("remove", owner, called))
            act(register, held, ("system", other, called, {"code": f"CS-{owner}-{called}".upper()}))
        case ("machine", owner, called):
            register.machine(owner, f"{called}-app", called)
        case ("host", owner, called):
            register.host(owner, f"{called}-host", called)
        case ("plan", owner, called, state):
            register.plan(owner, called, state)
        case ("exempt", owner, called, until):
            register.exemption(owner, called, validUntil=until)
        case ("parent", moved, above) if moved != above:
            register.department(moved, moved.upper(), parent=above)
        case ("dock", docked):
            spec = {"provider": "simulated", "management": "observed", "docked": docked}
            register.put("Cloud", "police", spec)


def play(path: Path, story: tuple[list, list]) -> Iterator[Store]:  # type: ignore[type-arg]
    clock = FixedClock(MAY)
    database = Database(f"sqlite:///{path}")
    store = Store(database, clock)
    register, held = Register(store), set[tuple[str, str]]()
    register.catalogue()
    for called in UNITS:
        register.department(called, called.upper())
    for instant, part in zip((MAY, JUNE), story, strict=True):
        clock.set(instant)
        for one in part:
            act(register, held, one)
    clock.set(JULY)
    yield store
    database.close()


def check_totals(section: Section) -> None:
    *parts, total = section.rows
    for place, cell in enumerate(total):
        if isinstance(cell, int):
            assert cell == sum(row[place] for row in parts), (section.key, place)


def check_rate(section: Section) -> None:
    for row in section.rows:
        shown = dict(zip(RATE_COLUMNS, row, strict=True))
        left = shown["registered"] - shown["classified"] - shown["exempt"] - shown["industry"]
        assert left == shown["eligible"]
        assert shown["on_cloud"] + shown["partial"] + shown["not_on_cloud"] == left


def check_movement(section: Section) -> None:
    signs = {"opening": 1, "new": 1, "retired": -1, "exempted": -1, "exemption_ended": 1}
    signs |= {"reclassified_in": 1, "reclassified_out": -1, "closing": -1}
    signs |= {"transferred_in": 1, "transferred_out": -1}
    for row in section.rows:
        assert sum(signs[step] * row[1 + place] for place, step in enumerate(STEPS)) == 0


def check(report: Report, before: Report | None) -> None:
    tables = {section.key: section for section in sections_of(report, "zh")}
    for section in tables.values():
        if section.total:
            check_totals(section)
    check_rate(tables["rate"])
    check_movement(tables["movement"])
    eligible = report.total.tally.eligible
    assert report.movement_total.movement.closing == eligible
    excluded = sum(count for _, count in report.exclusions)
    assert report.total.tally.registered == eligible + excluded
    assert before is None or report.movement_total.movement.opening == before.total.tally.eligible
    assert Speaker("zh").total(report.total.display_name) in tables["rate"].rows[-1]


def check_evidence(found: Explanation, report: Report) -> None:
    assert found.metric.rate == report.total.tally.rate
    counts = Counter(line.step for line in found.lines)
    movement = report.movement_total.movement
    assert {step: counts[step] for step in Step} == {step: getattr(movement, step) for step in Step}
    verdicts = Counter(line.verdict for line in found.lines)
    tally = report.total.tally
    assert (verdicts["on-cloud"], verdicts["partial"]) == (tally.on_cloud, tally.partial)
    assert (verdicts["not"], verdicts["industry-cloud"]) == (tally.missing, tally.industry)


@pytest.mark.guarantee("F3")
@given(months)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_table_adds_up_and_months_follow_on(empty: Path, tmp_path: Path, story) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "city.db"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    copyfile(empty, path)
    for store in play(path, story):
        for node in (None, *UNITS):
            before, now = (
                make(store, day, department=node) for day in ("2026-05-31", "2026-06-30")
            )
            check(before, None)
            check(now, before)
            check_evidence(explain(store, "2026-06-30", department=node), now)
