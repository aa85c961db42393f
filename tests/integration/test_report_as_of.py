"""Reports as of an instant, on both databases: the same bytes whenever they are made (F1)."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from govcloud.errors import InvalidInputError, NotFoundError
from govcloud.figures.definition import FIRST
from govcloud.reports.cutoff import resolve
from govcloud.reports.on_cloud import METRICS, Options, explain, make
from govcloud.reports.report import Report
from govcloud.reports.sections import sections_of
from govcloud.reports.sections import shown as shown_cell
from govcloud.reports.write import WRITERS, render
from govcloud.store.facts import last_fact
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.register import CLERK, Register

JUNE_END = datetime(2026, 6, 30, 16, tzinfo=UTC)
"""Midnight in Shanghai, where 30 June ends and July begins."""


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 4, 1, 1, tzinfo=UTC))


@pytest.fixture
def register(store: Store) -> Register:
    filled = Register(store)
    filled.catalogue()
    filled.department("hrss", "人社局", connected=True, ipv6=True, testedOn="2026-03-01")
    filled.department("edu", "教育局", connected=True)
    filled.system("hrss", "social")
    filled.machine("hrss", "app", "social", count=3)
    filled.system("hrss", "archive", origin="legacy")
    filled.host("hrss", "old", "archive")
    filled.system("edu", "school")
    filled.machine("edu", "web", "school", phase="pending")
    return filled


def everything(store: Store, as_of: str, department: str | None = None) -> list[bytes]:
    report = make(store, as_of, department=department)
    documents = [render(report, form, lang) for form in WRITERS for lang in ("zh", "en")]
    explained = [explain(store, as_of, metric=m, department=department) for m in METRICS]
    return documents + [render(document, "csv", "zh") for document in explained]


def churn(register: Register, store: Store) -> None:
    """Change nearly everything, with business dates that lie far back."""
    register.machine("edu", "web", "school")
    register.system("hrss", "social", lifecycle="retired")
    register.remove("VirtualMachine", "app", department="hrss")
    register.system("hrss", "new")
    register.exemption("edu", "school", approvedOn="2026-01-01", validFrom="2025-01-01")
    register.plan("hrss", "archive", "accepted")
    register.department("hrss", "人力资源局", connected=True, ipv6=False)
    register.put("Cloud", "gov", {"provider": "simulated", "management": "observed"})
    for number in range(20):
        register.system("edu", f"more-{number}", launchedOn="2020-01-01")
    with store.unit(CLERK) as unit:
        unit.audit("noise")


@pytest.mark.guarantee("F1")
def test_a_past_report_is_the_same_to_the_byte_whenever_it_is_made(
    store: Store, register: Register, clock: FixedClock
) -> None:
    clock.set(datetime(2026, 7, 1, 1, tzinfo=UTC))
    before = everything(store, "2026-06-30")
    scoped = everything(store, "2026-06-30", "hrss")
    churn(register, store)
    clock.advance(400 * 86_400)
    churn_again = Register(store)
    churn_again.system("health", "unseen")
    assert everything(store, "2026-06-30") == before
    assert everything(store, "2026-06-30", "hrss") == scoped
    assert everything(store, "2026-07-01") != before


@pytest.mark.guarantee("F1")
def test_nothing_that_is_committed_later_gets_behind_a_cut_off_already_reported(
    store: Store, register: Register, clock: FixedClock
) -> None:
    del register
    clock.set(JUNE_END - timedelta(seconds=5))
    began, go = threading.Event(), threading.Event()

    def late() -> None:
        writer = Register(store)
        with store.unit(CLERK) as unit:  # its clock stands before the cut-off
            spec = {"code": "LATE", "security": {"classified": False}}
            writer.put("System", "late", spec, department="edu", unit=unit)
            began.set()
            assert go.wait(30)

    def report() -> None:
        documents.append(everything(store, "2026-06-30"))

    documents: list[list[bytes]] = []
    writing, reporting = threading.Thread(target=late), threading.Thread(target=report)
    writing.start()
    assert began.wait(30)
    clock.set(JUNE_END + timedelta(seconds=5))
    reporting.start()
    if not store.database.is_sqlite:
        reporting.join(30)  # the writer holds no lock yet: the report is made before it commits
        assert not reporting.is_alive()
    go.set()
    writing.join(30)
    reporting.join(30)
    assert everything(store, "2026-06-30") == documents[0]
    with store.reading() as session:
        assert last_fact(session, clock.now()) > 0
    assert make(store).total.tally.registered == 4


def test_midnight_belongs_to_the_next_day(store: Store, clock: FixedClock) -> None:
    register = Register(store)
    clock.set(JUNE_END - timedelta(microseconds=1))
    register.system("hrss", "last-of-june")
    clock.set(JUNE_END)
    register.system("hrss", "first-of-july")
    clock.advance(3600)
    assert make(store, "2026-06-30").total.tally.registered == 1
    assert make(store).total.tally.registered == 2


@pytest.mark.parametrize(
    ("as_of", "shown"),
    [
        ("2026-06-30", "2026-06-30 24:00"),
        ("2026-07-01", "2026-07-01 09:00:00.000000+08:00"),  # today: now
        (None, "2026-07-01 09:00:00.000000+08:00"),
        ("2026-06-30T12:00:00", "2026-06-30 12:00:00.000000+08:00"),
        ("2026-06-30T12:00:00Z", "2026-06-30 20:00:00.000000+08:00"),
    ],
)
def test_cut_offs_are_of_the_city(as_of: str | None, shown: str) -> None:
    now = datetime(2026, 7, 1, 1, tzinfo=UTC)
    cutoff = resolve(as_of, now, "Asia/Shanghai")
    assert str(cutoff) == shown
    expected = "2026-06-30 24:00" if cutoff.day.month == 7 else "2026-05-31 24:00"
    assert str(cutoff.month_end_before()) == expected


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize(
    ("as_of", "key"),
    [
        ("2026-07-02", "errors.as_of_future"),
        ("2026-07-01T18:00:00+08:00", "errors.as_of_future"),
        ("9999-12-31", "errors.as_of_future"),
        ("9999-12-31T23:59:59-08:00", "errors.as_of_future"),
        ("0001-01-01T00:00:00+08:00", "errors.as_of_too_early"),
        ("0001-01-01", "errors.as_of_too_early"),
        ("last month", "errors.as_of_unreadable"),
        ("", "errors.as_of_unreadable"),
    ],
)
def test_what_has_not_come_or_cannot_be_read_is_refused(as_of: str, key: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        resolve(as_of, datetime(2026, 7, 1, 1, tzinfo=UTC), "Asia/Shanghai")
    assert [fault.key for fault in caught.value.diagnostics] == [key]


def test_an_unknown_time_zone_is_refused_with_its_name() -> None:
    with pytest.raises(InvalidInputError) as caught:
        resolve(None, datetime(2026, 7, 1, tzinfo=UTC), "Mars/Olympus")
    assert caught.value.diagnostics[0].params == {"zone": "Mars/Olympus", "meant": None}


def test_an_empty_register_reports_dashes_and_no_hundred_percent(store: Store) -> None:
    report = make(store)
    assert report.rows == ()
    assert report.total.tally.rate.tenths is None
    for form in WRITERS:
        assert render(report, form, "zh")


def by_name(report: Report) -> dict[str, tuple[int, int, str]]:
    return {
        row.department: (row.tally.on_cloud, row.tally.eligible, str(row.tally.rate))
        for row in report.rows
    }


def test_the_month_before_stands_beside(
    store: Store, register: Register, clock: FixedClock
) -> None:
    clock.set(datetime(2026, 6, 15, tzinfo=UTC))
    register.machine("edu", "web", "school")
    register.system("hrss", "fresh")
    register.exemption("hrss", "archive")
    clock.set(datetime(2026, 7, 1, 1, tzinfo=UTC))
    report = make(store, "2026-06-30")
    assert by_name(report) == {"edu": (1, 1, "100.0"), "hrss": (1, 2, "50.0")}
    assert report.total.previous == 333  # one of three at the end of May
    assert report.total.change == 667 - 333
    moved = {entry.department: entry.movement for entry in report.movement}
    assert (moved["hrss"].opening, moved["hrss"].new, moved["hrss"].exempted) == (2, 1, 1)
    assert moved["hrss"].closing == 2
    assert report.movement_total.movement.unexplained == 0
    assert dict(report.exclusions) == {"exemption:vertical": 1}
    assert [row.rank for row in report.rows] == [1, 2]


@pytest.mark.guarantee("P1")
def test_a_department_sees_its_own_figures_and_nothing_of_others(
    store: Store, register: Register, clock: FixedClock
) -> None:
    register.exemption("edu", "school")
    register.plan("edu", "school", "accepted")
    clock.advance(60)
    own = make(store, department="hrss")
    assert [row.department for row in own.rows] == ["hrss"]
    assert own.total.tally == own.rows[0].tally
    text = b"".join(render(own, form, "zh") for form in ("json", "table", "csv")).decode()
    assert "edu" not in text
    assert "教育局" not in text
    lines = [
        line
        for metric in METRICS
        for line in explain(store, metric=metric, department="hrss").lines
    ]
    assert {line.department for line in lines} == {"hrss"}
    with pytest.raises(NotFoundError):
        make(store, department="nowhere")


@pytest.mark.guarantee("F2")
def test_each_figure_drills_down_to_ids_and_records(
    store: Store, register: Register, clock: FixedClock
) -> None:
    register.plan("hrss", "archive", "trial")
    clock.advance(60)
    explained = explain(store)
    lines = {line.name: line for line in explained.lines}
    assert explained.metric.rate.plain() == {"value": 33.3, "numerator": 1, "denominator": 3}
    verdicts = {name: (line.verdict, line.why) for name, line in lines.items()}
    assert verdicts == {
        "social": ("on-cloud", "built_on_cloud"),
        "archive": ("partial", "moving"),
        "school": ("not", "no_component"),
    }
    kinds = [(record.kind, record.name) for record in lines["archive"].records]
    assert kinds == [
        ("System", "archive"),
        ("MigrationPlan", "hrss-archive"),
        ("LegacyHost", "old"),
    ]
    counted = sum(line.verdict == "on-cloud" for line in explained.lines)
    assert counted == make(store).total.tally.on_cloud
    seqs = [record.seq for line in explained.lines for record in line.records]
    assert len(set(seqs)) == len(seqs)


@pytest.mark.guarantee("F2")
@pytest.mark.parametrize("metric", METRICS)
def test_an_explanation_carries_the_report_s_own_figure(
    store: Store, register: Register, clock: FixedClock, metric: str
) -> None:
    del register
    clock.advance(60)
    reported = {m.id: m.rate for m in make(store).metrics}
    assert explain(store, metric=metric).metric.rate == reported[metric]


def test_unknown_metrics_and_formats_are_refused(store: Store) -> None:
    with pytest.raises(NotFoundError):
        explain(store, metric="MET-99")


@pytest.mark.guarantee("F3")
def test_two_definitions_are_printed_side_by_side(
    store: Store, register: Register, clock: FixedClock
) -> None:
    register.plan("hrss", "archive", "accepted")
    register.machine("hrss", "archive-app", "archive")
    clock.advance(60)
    other = replace(FIRST, version="2027-1", source_blocks=False)
    report = make(store, options=Options(beside=(other,)))
    assert report.definition == "2026-1"
    assert [(b.definition, str(b.rate)) for b in report.beside] == [("2027-1", "66.7")]
    assert str(report.total.tally.rate) == "33.3"
    assert "2027-1" in render(report, "csv", "zh").decode()


@pytest.mark.guarantee("F3")
def test_every_metric_of_systems_is_printed_under_both_definitions(
    store: Store, register: Register, clock: FixedClock
) -> None:
    clock.advance(60)
    report = make(store, options=Options(beside=("2026-1n",)))
    [other] = report.plain()["otherDefinitions"]
    thorough = {metric["id"]: metric for metric in other["metrics"]}["MET-1e"]
    assert thorough["numerator"] == report.total.tally.on_cloud > 0
    assert report.total.tally.thorough == 0
    (section,) = (s for s in sections_of(report, "en") if s.key == "beside")
    shown = [tuple(map(shown_cell, row)) for row in section.rows if row[0] == "MET-1e"]
    assert [(row[2], row[4]) for row in shown] == [
        ("2026-1", "0"),
        ("2026-1n", str(thorough["numerator"])),
    ]


def test_long_evidence_is_cut_and_says_so(
    store: Store, register: Register, clock: FixedClock
) -> None:
    del register
    clock.advance(60)
    report = make(store, options=Options(lines=2))
    assert (len(report.evidence), report.evidence_total) == (2, 3)
    assert len(explain(store, options=Options(lines=1)).lines) == 1


def test_what_does_not_fit_is_told(store: Store, register: Register, clock: FixedClock) -> None:
    register.system("edu", "twin", code="SAME")
    register.system("hrss", "twin", code="SAME")
    register.machine("edu", "stray", "unregistered")
    register.exemption("edu", "twin", approvedBy=None, approvedOn=None)
    register.system("edu", "cloudy", industryCloud="unheard-of")
    clock.advance(60)
    found = {remark.key.rpartition(".")[2]: remark.params for remark in make(store).remarks}
    assert found["duplicate_codes"]["names"] == ["SAME"]
    assert found["components_without_system"]["names"] == ["edu/unregistered"]
    assert found["exemptions_unapproved"]["names"] == ["edu-twin"]
    assert found["unknown_industry_cloud"]["names"] == ["edu/cloudy"]


def test_the_digest_is_the_same_on_any_database_and_in_any_process(
    store: Store, clock: FixedClock
) -> None:
    register = Register(store, (f"{number:032x}" for number in count()))
    register.catalogue()
    register.system("hrss", "social")
    register.machine("hrss", "app", "social", count=3)
    register.target("MET-1", 100)
    clock.advance(60)
    digest = "9c924112641abe1790e9940b94a3621ec3b38f4aaffaa2e01165913fb567b9a3"
    assert make(store).digest == digest


@pytest.mark.guarantee("F1")
def test_what_is_recorded_late_with_earlier_dates_changes_today_and_no_past_report(
    store: Store, register: Register, clock: FixedClock
) -> None:
    """Time is when a thing was recorded; dates of business are contents, not time."""
    register.plan("hrss", "archive", "trial")
    clock.set(datetime(2026, 7, 1, 1, tzinfo=UTC))
    june, may = everything(store, "2026-06-30"), everything(store, "2026-05-31")
    # In July it comes out: exempt since January, accepted and its host off since April.
    register.exemption("edu", "school", approvedOn="2026-01-05", validFrom="2026-01-01")
    register.plan("hrss", "archive", "accepted")
    register.host("hrss", "old", "archive", state="off")
    register.machine("hrss", "archive-app", "archive")
    register.department("edu", "教育局", connected=True, ipv6=True, testedOn="2026-02-01")
    register.system("hrss", "forgotten", launchedOn="2020-01-01")
    clock.advance(60)
    assert everything(store, "2026-06-30") == june
    assert everything(store, "2026-05-31") == may
    today = make(store)
    assert by_name(today) == {"edu": (0, 0, "—"), "hrss": (2, 3, "66.7")}
    assert (today.movement_total.movement.new, today.movement_total.movement.exempted) == (1, 1)
    assert today.movement_total.movement.opening == 3, "July opens with what June closed with"
