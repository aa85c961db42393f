"""Rooms, networks, IPv6, surveys and targets; every trap that Changshu's own figures carry."""

import csv
from datetime import date
from pathlib import Path

import pytest

from govcloud.domain.kinds.governance import SurveySpec, TargetSpec
from govcloud.figures.estate import (
    NetworkFact,
    RoomFact,
    UnitFact,
    ipv6_coverage,
    networks_merged,
    rooms_closed,
    units_with_rooms,
)
from govcloud.figures.survey import Survey, compare, findings
from govcloud.figures.targets import Aim, TargetFact, aim

GOLDEN = Path(__file__).parents[1] / "golden"
DAY = date(2026, 6, 30)
COLUMNS = {
    "uses_government_cloud": "usesGovernmentCloud",
    "keeps_self_built_room": "keepsSelfBuiltRoom",
    "room_reports_no_problem": "roomReportsNoProblem",
    "own_internet_exit": "ownInternetExit",
    "own_private_network": "ownPrivateNetwork",
    "reports_high_opex": "reportsHighOpex",
    "reports_missing_security_supervision": "reportsMissingSecuritySupervision",
}


def table(name: str) -> list[dict[str, str]]:
    with (GOLDEN / f"changshu_{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def changshu(**changes: object) -> Survey:
    rows = table("survey")
    units = [
        {"department": f"unit-{number}"}
        | {field: row[column] == "yes" for column, field in COLUMNS.items()}
        for number, row in enumerate(rows)
    ]
    stated = [{"figure": r["figure"], "value": float(r["value"])} for r in table("headline")]
    spec = {
        "title": "十四五现状调研",
        "takenOn": "2021-01-01",
        "sampleSize": 23,
        "units": units,
        "stated": stated,
    }
    return Survey.of(7, "changshu", SurveySpec.model_validate(spec | changes))


def room(department: str, state: str = "open", **flags: int) -> RoomFact:
    base = (1, f"{department}-{state}", "active", f"{department}-room", department, None, None)
    kept = {"baseline": 1, "only_network_gear": 0} | flags
    return RoomFact(*base, state, **kept)


def rooms_of(survey: Survey) -> list[RoomFact]:
    return [room(name) for name, unit in survey.units.items() if unit.keeps_self_built_room]


def network(department: str, name: str, state: str = "separate", **flags: int) -> NetworkFact:
    kept = {"baseline": 1, "classified": 0} | flags
    return NetworkFact(1, name, "active", name, department, None, None, state, **kept)


def test_eleven_of_twenty_three_units_keep_a_room_although_only_22_are_named() -> None:
    survey = changshu()
    measure = units_with_rooms(rooms_of(survey), survey)
    assert (measure.rate.numerator, measure.rate.denominator) == (11, 23)
    assert str(measure.rate) == "47.8"


def test_a_stated_count_may_exceed_the_list_and_neither_is_derived() -> None:
    survey = changshu()
    beside = {c.figure: (c.stated, c.listed) for c in compare(survey, {})}
    assert beside["surveyed_units"] == (23, 22)
    assert beside["units_using_cloud"] == (11, 9)
    assert beside["units_with_own_room"] == (11, 11)
    assert beside["units_with_own_exit"] == (12, 12)
    assert beside["units_with_private_network"] == (13, 12)
    assert beside["own_room_share_percent"] == (47.8, 47.8)
    assert beside["virtual_machines"] == (796, None)


def test_ours_stand_beside_the_stated_and_change_with_neither() -> None:
    counted = {"units_on_cloud": 40.0, "virtual_machines": None}
    compared = {c.figure: c for c in compare(changshu(), counted)}
    assert (compared["units_on_cloud"].stated, compared["units_on_cloud"].counted) == (55, 40)
    assert compared["virtual_machines"].counted is None
    assert [c.figure for c in compare(None, counted)] == list(counted)


def test_using_the_cloud_and_keeping_a_room_are_independent() -> None:
    survey = changshu()
    both = next(f for f in findings(survey) if f.key == "reports.remark.cloud_and_room")
    names = [row["unit"] for row in table("survey")]
    named = {names[int(unit.removeprefix("unit-"))] for unit in both.params["units"]}  # type: ignore[attr-defined]
    assert named == {"发改委", "人社局", "住建局", "应急管理局"}


def test_three_without_and_six_with_problems_are_not_made_to_add_up_to_eleven() -> None:
    survey = changshu()
    calm = sum(unit.room_reports_no_problem for unit in survey.units.values())
    assert calm == 3
    assert survey.listed("units_with_own_room") == 11


def test_a_unit_that_is_listed_twice_counts_once_and_is_told() -> None:
    twice = [{"department": "edu", "usesGovernmentCloud": False, "keepsSelfBuiltRoom": True}] * 2
    survey = changshu(units=twice, sampleSize=1)
    assert survey.listed("units_with_own_room") == 1
    keys = {finding.key: finding.params for finding in findings(survey)}
    assert keys["reports.remark.survey_repeats"]["units"] == ["edu"]


def test_a_sample_that_is_larger_than_its_list_is_told() -> None:
    found = next(f for f in findings(changshu()) if f.key == "reports.remark.sample_named")
    assert found.params == {"stated": 23, "listed": 22}


def test_rooms_with_only_network_gear_never_count_and_closing_ones_still_do() -> None:
    survey = changshu()
    rooms = [
        room("unit-0", "closing"),
        room("unit-1", "closed"),
        room("unit-2", only_network_gear=1),
        room("unit-3"),
        room("unit-3", "closed"),
    ]
    assert units_with_rooms(rooms, survey).rate.numerator == 2
    assert str(rooms_closed(rooms).rate) == "50.0"


def test_a_room_outside_the_sample_is_told_and_not_counted() -> None:
    measure = units_with_rooms([room("elsewhere")], changshu())
    assert measure.rate.numerator == 0
    assert measure.remarks[0].params == {"count": 1, "units": ["elsewhere"]}


def test_without_a_survey_there_is_no_share() -> None:
    assert str(units_with_rooms([room("unit-0")], None).rate) == "—"


@pytest.mark.guarantee("F3")
def test_deleting_a_room_does_not_shrink_the_baseline() -> None:
    gone = room("unit-0")._replace(phase="gone")
    closed = room("unit-1", "closed")._replace(phase="gone")
    assert str(rooms_closed([gone, closed, room("unit-2")]).rate) == "33.3"
    assert units_with_rooms([gone], changshu()).rate.numerator == 0


def test_private_networks_of_the_baseline_that_are_not_classified() -> None:
    networks = [
        network("edu", "video", "integrated"),
        network("edu", "monitoring"),
        network("police", "secret", classified=1),
        network("water", "late", "integrated", baseline=0),
    ]
    measure = networks_merged(networks)
    assert (measure.rate.numerator, measure.rate.denominator) == (1, 2)
    assert [item.why for item in measure.items] == [
        "network_separate",
        "network_merged",
        "classified",
        "not_baseline",
    ]


def test_ipv6_counts_only_where_it_was_tested_by_the_day() -> None:
    def unit(name: str, *extranet: object) -> UnitFact:
        return UnitFact(1, name, "active", name, "", None, None, "department", "city", *extranet)  # type: ignore[arg-type]

    units = [
        unit("tested", 1, 1, "2026-06-30"),
        unit("later", 1, 1, "2026-07-01"),
        unit("untested", 1, 1, None),
        unit("off", 1, 0, None),
        unit("offline", 0, 0, None),
        unit("unknown", None, None, None),
    ]
    measure = ipv6_coverage(units, DAY)
    assert str(measure.rate) == "25.0"
    assert measure.unit == "unit_connected"


def target(metric: str, year: int, value: float, binding: str = "binding") -> TargetFact:
    spec = TargetSpec.model_validate(
        {
            "number": 1,
            "category": "基础支撑",
            "indicator": "上云率",
            "metric": metric,
            "unit": "%",
            "year": year,
            "value": value,
            "property": binding,
        }
    )
    base = (year, f"t{year}", "active", f"t{year}", "", None, None)
    return TargetFact(*base, 1, spec.indicator, spec.metric, "%", year, str(spec.value), binding)


def test_the_next_target_due_applies_and_else_the_last_one_that_was() -> None:
    targets = [target("MET-1", 2023, 80), target("MET-1", 2025, 100), target("MET-5", 2025, 85)]
    assert aim(targets, "MET-1", 2022) == Aim(2023, 800, binding=True)
    assert aim(targets, "MET-1", 2024) == Aim(2025, 1000, binding=True)
    assert aim(targets, "MET-1", 2030) == Aim(2025, 1000, binding=True)
    assert aim(targets, "MET-4", 2024) is None


def test_only_binding_targets_are_missed_and_nothing_to_count_misses_nothing() -> None:
    binding, expected = Aim(2025, 1000, binding=True), Aim(2025, 850, binding=False)
    assert (binding.gap(478), binding.missed(478)) == (-522, True)
    assert not binding.missed(1000)
    assert not binding.missed(None)
    assert (expected.gap(478), expected.missed(478)) == (-372, False)
    lower = aim([target("MET-3", 2025, 20)], "MET-3", 2025)
    assert lower is not None
    assert lower.missed(478)
    assert not lower.missed(100)


def test_all_twenty_targets_of_the_plan_are_read() -> None:
    rows = table("targets")
    assert len(rows) == 20
    assert {row["property"] for row in rows} == {"binding", "expected"}
    for row in rows:
        TargetSpec.model_validate(
            {
                "number": int(row["number"]),
                "category": row["category"],
                "indicator": row["indicator"],
                "unit": row["unit"],
                "year": 2025,
                "value": float(row["target_2025"]),
                "property": row["property"],
            }
        )
