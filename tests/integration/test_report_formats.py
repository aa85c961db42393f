"""The documents: CSV that Excel reads and cannot be made to run, XLSX with real numbers, golden."""

import csv
import io
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import openpyxl
import pytest

from govcloud.errors import UsageError
from govcloud.figures.definition import DEFINITIONS
from govcloud.figures.verdict import Verdict, Why
from govcloud.messages import LANGUAGES, lookup
from govcloud.reports.on_cloud import METRICS, explain, make
from govcloud.reports.report import Report
from govcloud.reports.write import render
from govcloud.store.engine import Database
from govcloud.store.schema import create
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.register import Register

GOLDEN = Path(__file__).parents[1] / "golden"
HEADINGS = [
    "序号",
    "单位",
    "登记系统数",
    "涉密",
    "已批免迁",
    "行业云未对接",
    "应上云数",
    "已上云数",
    "部分上云数",
    "未上云数",
    "上云率(%)",
    "含部分上云率(%)",
    "彻底上云率(%)",
    "环比(百分点)",
    "目标(%)",
    "差距(百分点)",
    "排名",
]


@pytest.fixture
def report(sqlite_url: str) -> Report:
    """A small city as of the end of June, the same to the byte in every run."""
    database = Database(sqlite_url)
    create(database)
    clock = FixedClock(datetime(2026, 5, 10, tzinfo=UTC))
    store = Store(database, clock)
    fill(Register(store, (f"{number:032x}" for number in count())), clock)
    clock.set(datetime(2026, 7, 1, 9, tzinfo=UTC))
    made = make(store, "2026-06-30")
    assert make(store, "2026-06-30") == made
    database.close()
    return made


def fill(register: Register, clock: FixedClock) -> None:
    register.catalogue()
    register.department("hrss", "人社局", connected=True, ipv6=True, testedOn="2026-03-01")
    register.department("edu", "教育局", connected=True)
    register.department("evil", '=HYPERLINK("http://x","点我")', connected=False)
    register.department("empty", "海事局")
    register.target("MET-1", 100)
    for name in ("social", "jobs", "pensions"):
        register.system("hrss", name)
        register.machine("hrss", f"{name}-app", name, count=2)
    register.system("hrss", "archive", origin="legacy")
    register.host("hrss", "old", "archive")
    register.system("hrss", "secret", classified=True)
    register.system("edu", "school")
    register.system("edu", "gauges")
    register.put("ServerRoom", "room", {"address": "+1 层", "baseline": True}, department="hrss")
    register.put("PrivateNetwork", "video", {"use": "video", "baseline": True}, department="edu")
    merged = {"state": "integrated", "baseline": True}
    register.put("PrivateNetwork", "classes", merged, department="edu")
    survey = {
        "title": "机房调研",
        "takenOn": "2021-01-01",
        "sampleSize": 3,
        "units": [
            {"department": "hrss", "usesGovernmentCloud": True, "keepsSelfBuiltRoom": True},
            {"department": "edu", "usesGovernmentCloud": False, "keepsSelfBuiltRoom": False},
        ],
        "stated": [{"figure": "virtual_machines", "value": 796}],
    }
    register.put("Survey", "rooms", survey)
    clock.set(datetime(2026, 6, 10, tzinfo=UTC))
    register.machine("edu", "school-app", "school", request_id="REQ-2026-0001")
    register.exemption("edu", "gauges", reason="physical-coupling")


def rows_of(report: Report, language: str = "zh") -> list[list[str]]:
    text = render(report, "csv", language).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_the_csv_equals_its_golden_file(report: Report) -> None:
    golden = GOLDEN / "on_cloud_rate.zh.csv"
    made = render(report, "csv", "zh")
    if os.environ.get("GOVCLOUD_UPDATE_GOLDEN"):
        golden.write_bytes(made)
    assert made == golden.read_bytes()


def test_the_csv_has_a_bom_one_width_and_the_columns_of_the_circular(report: Report) -> None:
    data = render(report, "csv", "zh")
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.endswith(b"\r\n")
    rows = rows_of(report)
    assert len({len(row) for row in rows}) == 1
    assert HEADINGS in rows
    start = rows.index(HEADINGS)
    by_unit = {row[1]: row for row in rows[start + 1 : start + 6]}
    figures = {unit: " ".join(row[2:]).strip() for unit, row in by_unit.items()}
    assert figures["人社局"] == "5 1 0 0 4 3 0 1 75.0 75.0 0.0 0.0 100.0 -25.0 2"
    assert figures["教育局"] == "2 0 1 0 1 1 0 0 100.0 100.0 0.0 +100.0 100.0 0.0 1"
    assert figures["海事局"] == "0 0 0 0 0 0 0 0 — — — — 100.0 — —"
    assert figures["常熟市合计"] == "7 1 1 0 5 4 0 1 80.0 80.0 0.0 +30.0 100.0 -20.0"


@pytest.mark.guarantee("P2")
def test_no_cell_can_become_a_formula(report: Report) -> None:
    cells = {cell for row in rows_of(report) for cell in row}
    evil = next(cell for cell in cells if "HYPERLINK" in cell)
    assert evil.startswith("'=")
    for cell in cells:
        assert not cell.startswith(("=", "@", "\t")), cell
        assert not cell.startswith(("+", "-")) or float(cell) is not None
    book = openpyxl.load_workbook(io.BytesIO(render(report, "xlsx", "zh")))
    for sheet in book:
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


@pytest.mark.guarantee("F1")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", ["csv", "xlsx", "json", "table"])
def test_two_makings_are_the_same_bytes(report: Report, form: str, language: str) -> None:
    assert render(report, form, language) == render(report, form, language)


def test_the_workbook_has_numbers_totals_definitions_movement_evidence_and_a_chart(
    report: Report,
) -> None:
    data = render(report, "xlsx", "zh")
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.sheetnames == [
        "上云率统计表",
        "指标",
        "应上云数变动",
        "不计入明细",
        "规划数对照",
        "数据提示",
        "统计口径",
        "统计依据",
    ]
    sheet = book["上云率统计表"]
    top = next(row[0].row for row in sheet.iter_rows() if row[0].value == "序号")
    assert [cell.value for cell in sheet[top]] == HEADINGS
    assert sheet.freeze_panes == f"C{top + 1}"
    rows = {row[1].value: row for row in sheet.iter_rows(min_row=top + 1)}
    rate = rows["人社局"][10]
    assert (rate.value, rate.number_format, rate.data_type) == (0.75, "0.0%", "n")
    assert rows["人社局"][15].value == -25
    assert rows["人社局"][15].font.color.rgb == "FFC00000"  # a binding target, missed
    assert rows["常熟市合计"][10].value == 0.8
    assert rows["常熟市合计"][10].font.b
    assert rows["海事局"][10].value == "—"
    assert rows['=HYPERLINK("http://x","点我")'][1].data_type == "s"
    assert len(sheet._charts) == 1
    assert book.properties.created.isoformat() == "2026-06-30T15:59:59"
    evidence = [row[2].value for row in book["统计依据"].iter_rows() if row[1].value == "System"]
    assert sorted(evidence) == [
        "archive",
        "gauges",
        "jobs",
        "pensions",
        "school",
        "secret",
        "social",
    ]
    movement = {
        row[0].value: [c.value for c in row[1:]] for row in book["应上云数变动"].iter_rows()
    }
    assert movement["常熟市合计"] == [6, 0, 0, 1, 0, 0, 0, 0, 0, 5]
    definitions = [row[0].value for row in book["统计口径"].iter_rows()]
    assert "2026-1" in definitions[0]


def test_columns_are_wide_enough_for_chinese(report: Report) -> None:
    book = openpyxl.load_workbook(io.BytesIO(render(report, "xlsx", "zh")))
    assert book["指标"].column_dimensions["B"].width >= 2 * len("非涉密系统上云率（口径对照）")


def test_the_json_form_is_language_free_and_complete(report: Report) -> None:
    zh, en = (json.loads(render(report, "json", language)) for language in LANGUAGES)
    assert zh == en
    assert zh["definition"] == "2026-1"
    assert zh["cutoffShown"] == "2026-06-30 24:00"
    assert zh["cutoff"] == "2026-06-30T15:59:59.999999+00:00"
    assert len(zh["digest"]) == 64
    assert zh["total"]["rate"] == {"value": 80.0, "numerator": 4, "denominator": 5}
    assert {metric["id"]: metric["value"] for metric in zh["metrics"]} == {
        "MET-1": 80.0,
        "MET-1a": 80.0,
        "MET-1b": 66.7,
        "MET-1c": 80.0,
        "MET-1d": 77.8,
        "MET-1e": 0.0,
        "MET-3": 33.3,
        "MET-3a": 0.0,
        "MET-4": 50.0,
        "MET-5": 50.0,
    }
    assert not [key for key in zh if "generated" in key.lower() or "made" in key.lower()]


def test_the_table_form_speaks_the_reader_s_language(report: Report) -> None:
    zh, en = (json.loads(render(report, "table", language)) for language in LANGUAGES)
    assert zh["sections"][0]["headings"] == HEADINGS
    assert en["sections"][0]["headings"][:3] == ["No.", "Unit", "Registered"]
    assert zh["sections"][0]["rows"][-1][1] == "常熟市合计"
    assert zh["sections"][0]["numeric"][1] is False
    assert zh["sections"][0]["numeric"][2] is True
    headline = next(section for section in en["sections"] if section["key"] == "headline")
    assert ["Virtual machines", "796", "—", "7", "-789"] in headline["rows"]


def test_the_headline_stands_beside_the_plan_s_figures(report: Report) -> None:
    compared = {c.figure: (c.stated, c.listed, c.counted) for c in report.headline}
    assert compared["virtual_machines"] == (796, None, 7)
    assert compared["units_on_cloud"] == (None, None, 2)
    assert compared["projects_on_cloud"] == (None, None, 4)
    assert compared["surveyed_units"] == (3, 2, None)
    assert compared["units_with_own_room"] == (None, 1, 1)
    assert compared["own_room_share_percent"] == (None, 33.3, 33.3)
    assert compared["units_with_private_network"] == (None, 0, 1)


def test_explanations_are_written_in_every_form(sqlite_url: str, clock: FixedClock) -> None:
    database = Database(sqlite_url)
    create(database)
    store = Store(database, clock)
    register = Register(store)
    register.catalogue()
    register.system("hrss", "social")
    register.machine("hrss", "app", "social", request_id="REQ-2026-0001")
    clock.advance(60)
    for metric in METRICS:
        found = explain(store, metric=metric)
        for form in ("json", "table", "csv", "xlsx"):
            assert render(found, form, "zh") == render(found, form, "zh")
    text = render(explain(store), "csv", "zh").decode()
    assert "VirtualMachine/app #" in text
    assert "REQ-2026-0001" in text
    assert "云上新建" in text
    assert "System/social #" in text
    assert "(运行)" in text
    database.close()


def test_a_cell_that_is_too_long_is_cut_and_not_left_out(report: Report) -> None:
    line = report.evidence[0]
    records = line.records * 2_000
    long = replace(report, evidence=(line._replace(records=records),))
    book = openpyxl.load_workbook(io.BytesIO(render(long, "xlsx", "en")))
    text = list(book["Evidence"].iter_rows())[-1][-1].value
    assert len(text) == 32_767
    assert text.endswith("…")


def test_an_unknown_form_is_refused(report: Report) -> None:
    with pytest.raises(UsageError):
        render(report, "docx", "zh")


@pytest.mark.guarantee("P4")
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_verdict_reason_and_clause_has_a_sentence(language: str) -> None:
    keys = [f"verdict.{verdict.value}" for verdict in Verdict]
    keys += [f"why.{why.value}" for why in Why]
    keys += [f"metric.{metric}" for metric in METRICS]
    keys += [f"clause.{clause}" for known in DEFINITIONS.values() for clause in known.clauses]
    assert not [key for key in keys if lookup(f"reports.{key}", language) is None]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sheet_is_typed_dated_frozen_and_ready_to_print(
    report: Report, language: str
) -> None:
    book = openpyxl.load_workbook(io.BytesIO(render(report, "xlsx", language)))
    for sheet in book:
        cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
        days = [cell for cell in cells if cell.is_date]
        assert [cell.value.isoformat()[:10] for cell in days] == ["2026-06-30"], sheet.title
        assert sheet.column_dimensions[days[0].column_letter].width >= 12
        text = [str(cell.value) for cell in cells]
        assert {"2026-1", "2026-06-30 24:00", "Asia/Shanghai", report.digest} <= set(text)
        for cell in cells:
            assert not (cell.data_type == "s" and cell.value.strip("+-").replace(".", "").isdigit())
        assert sheet.freeze_panes
        assert sheet.page_setup.orientation == "landscape"
        assert (sheet.page_setup.paperSize, sheet.page_setup.fitToHeight) == (9, 0)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.print_title_rows
        assert "&P" in sheet.oddFooter.right.text
        heading = int(sheet.freeze_panes[1:]) - 1
        assert sheet.print_title_rows == f"${heading}:${heading}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_plan_s_share_is_a_percentage_and_its_difference_points(
    report: Report, language: str
) -> None:
    stated = replace(report.headline[-2], stated=47.8)
    assert stated.figure == "own_room_share_percent"
    made = replace(report, headline=(*report.headline[:-2], stated, report.headline[-1]))
    book = openpyxl.load_workbook(io.BytesIO(render(made, "xlsx", language)))
    sheet = book["规划数对照" if language == "zh" else "Plan's figures"]
    share = list(sheet.iter_rows())[-2]
    assert [cell.value for cell in share[1:]] == [0.478, 0.333, 0.333, -14.5]
    assert [cell.number_format for cell in share[1:4]] == ["0.0%"] * 3
    counts = [cell for row in sheet.iter_rows(min_row=12) for cell in row[1:] if cell.value != "—"]
    assert all(cell.data_type == "n" for cell in counts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_definitions_say_what_is_counted_and_by_which_formula(
    report: Report, language: str
) -> None:
    book = openpyxl.load_workbook(io.BytesIO(render(report, "xlsx", language)))
    sheet = book["统计口径" if language == "zh" else "Definitions"]
    text = "\n".join(str(cell.value) for row in sheet.iter_rows() for cell in row)
    for metric in METRICS:
        formula = lookup(f"reports.clause.{metric.lower().replace('-', '_')}", language)
        assert formula is not None
        assert formula in text


@pytest.mark.guarantee("P2")
def test_names_that_begin_like_formulas_stay_names_in_every_sheet(
    sqlite_url: str, clock: FixedClock
) -> None:
    database = Database(sqlite_url)
    create(database)
    store = Store(database, clock)
    register = Register(store)
    register.catalogue()
    for number, first in enumerate("=+-@"):
        unit = f"unit-{number}"
        register.department(unit, f"{first}1+1|cmd")
        register.system(unit, "s", code=f"{first}cmd")
    clock.advance(60)
    report = make(store)
    for language in LANGUAGES:
        book = openpyxl.load_workbook(io.BytesIO(render(report, "xlsx", language)))
        cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
        evil = [cell for cell in cells if "cmd" in str(cell.value)]
        assert len(evil) >= 12
        assert {cell.data_type for cell in evil} == {"s"}
        assert not [cell for cell in cells if cell.data_type == "f" or cell.hyperlink]
    database.close()
