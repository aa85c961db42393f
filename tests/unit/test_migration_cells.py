"""Cells as people fill them in; what cannot be understood is a fault and never a traceback."""

from collections.abc import Sequence
from contextlib import suppress
from zipfile import ZipFile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration.inventory import cells, documents, sheet
from migration.inventory.cells import CellError, Sheet
from migration.inventory.columns import COLUMNS
from migration.inventory.rows import Host, cell_name, read_rows

HEADINGS = [column.headings[0] for column in COLUMNS]
text = st.text("0123456789.-*/%()（）：年月日GTMB核路一二三级是否涉密aS\n 　,、", max_size=12)


@pytest.mark.parametrize(
    ("parse", "written", "meant"),
    [
        (cells.count, "16核", 16),
        (cells.count, "2路8核", 16),
        (cells.count, "2*8", 16),
        (cells.memory, "64", "64Gi"),
        (cells.memory, "512MB", "512Mi"),
        (cells.storage, "4*600G", "2400Gi"),
        (cells.storage, "600GB×4", "2400Gi"),
        (cells.storage, "4*600", "2400Gi"),
        (cells.storage, "500G+2T", "2548Gi"),
        (cells.storage, "1.5T", "1536Gi"),
        (cells.storage, "100M", "1Gi"),
        (cells.memory, "16384KB", "16Mi"),
        (cells.percent, "35%", 35),
        (cells.percent, "0.35", 35),
        (cells.percent, "0.5%", 1),
        (cells.day, "2015年6月", "2015-06-01"),
        (cells.day, "2015/6/9", "2015-06-09"),
        (cells.day, "20150609", "2015-06-09"),
        (cells.day, "2015-06-09 00:00:00", "2015-06-09"),
        (cells.mlps_level, "等保三级", 3),
        (cells.mlps_level, "第二级", 2),
        (cells.mlps_level, "S3A3G3", 3),
        (cells.classified, "非涉密", False),
        (cells.classified, "机密", True),
        (cells.environment, "测试环境", "test"),
        (cells.several, "MySQL 5.7、Redis；无", ["MySQL 5.7", "Redis"]),
        (cells.networks, "政务外网、互联网", {"extranet": True, "internet": True}),
        (cells.networks, "互联网", {"extranet": False, "internet": True}),
        (cells.networks, "未接入互联网", {"extranet": False, "internet": False}),
        (cells.networks, "不接政务外网", {"extranet": False, "internet": False}),
        (cells.networks, "政务外网（不通互联网）", {"extranet": True, "internet": False}),
        (cells.networks, "接入政务外网但未接入互联网", {"extranet": True, "internet": False}),
        (cells.networks, "互联网和政务外网均未接入", {"extranet": False, "internet": False}),
        (cells.networks, "政务外网、无线专网", {"extranet": True, "internet": False}),
        (cells.networks, "政务外网，未接入公安网", {"extranet": True, "internet": False}),
        (cells.networks, "无", {"extranet": False, "internet": False}),
        (cells.mlps_level, "三级(S3A3G3)", 3),
    ],
)
def test_what_people_write(parse, written, meant):
    assert parse(cells.folded(written)) == meant


@pytest.mark.parametrize(
    ("parse", "written"),
    [
        (cells.count, "0"), (cells.count, "八核"), (cells.memory, "-4G"), (cells.memory, "0"),
        (cells.storage, "4*600*"), (cells.percent, "120"), (cells.day, "2015-13-01"),
        (cells.day, "去年"), (cells.mlps_level, "六级"), (cells.classified, "不详"),
        (cells.mlps_level, "二级、三级"), (cells.mlps_level, "二级(拟定三级)"),
        (cells.networks, "互联网(否)"), (cells.networks, "接入政务外网和未接入互联网"),
        (cells.networks, "互联网、不接互联网"),
        (cells.flag, "也许"), (cells.environment, "灾备"),
    ],
)  # fmt: skip
def test_what_nobody_can_understand(parse, written):
    with pytest.raises(CellError):
        parse(written)


@given(st.sampled_from(COLUMNS), text.map(cells.folded).filter(bool))
def test_a_parser_answers_or_says_why_not(column, written):
    with suppress(CellError):
        column.parse(written)


@given(st.lists(st.lists(st.none() | text | st.integers() | st.floats(), max_size=8), max_size=5))
def test_no_sheet_ends_in_a_traceback(rows):
    found = read_rows(Sheet("x.csv", [HEADINGS[:8], *rows]), {"机房": "room"}, "room")
    assert all(fault.field for fault in found.faults)
    assert bool(found.bad_rows) == bool(found.faults)


def test_a_formula_without_a_stored_value_is_told(tmp_path):
    """As programs write them that do not compute; an empty text that was computed is a value."""
    book = openpyxl.Workbook()
    for row in (
        ["主机名", "IP地址", "CPU核数", "内存", "备忘"],
        ["a", "10.0.0.1", 8, "=8*2", "=1+1"],
        ["b", "10.0.0.2", "=4*2", "16G", None],
        ["c", "10.0.0.3", 8, "16G", "=1+1"],
        ["d", "10.0.0.4", '=IF(A5="","",8)', "16G", None],
    ):
        book.active.append(row)
    book.save(tmp_path / "plain.xlsx")
    file = tmp_path / "hosts.xlsx"
    # A spreadsheet program stores an empty text so.
    with ZipFile(tmp_path / "plain.xlsx") as plain, ZipFile(file, "w") as edited:
        for name in plain.namelist():
            text = plain.read(name).replace(b'<c r="C5">', b'<c r="C5" t="str">')
            edited.writestr(name, text)
    found = read_rows(sheet.read(str(file)), {}, "room")
    assert [(one.field, one.key) for one in found.faults] == [
        ("D2", "migrate.cell_formula"),
        ("C3", "migrate.cell_formula"),
    ]
    assert [host.host["name"] for host in found.hosts] == ["c", "d"]
    assert found.bad_rows == 2


@pytest.mark.parametrize(
    ("value", "shown", "meant"),
    [
        (1, "0%", 100),
        (1.0, "0.00%", 100),
        (0.995, "0.0%", 100),
        (0.35000000000000003, "0%", 35),
        (0.005, "0.0%", 1),
        (0.07, "0%;[Red]-0%", 7),
        (35, '0"%"', 35),
        (35, "0\\%", 35),
        (1, "General", 1),
        (0.35, "General", 35),
    ],
)
def test_a_percentage_is_what_the_workbook_shows(tmp_path, value, shown, meant):
    book = openpyxl.Workbook()
    book.active.append(["主机名", "IP地址", "CPU峰值利用率"])
    book.active.append(["a", "10.0.0.1", value])
    book.active["C2"].number_format = shown
    book.save(tmp_path / "hosts.xlsx")
    found = read_rows(sheet.read(str(tmp_path / "hosts.xlsx")), {}, "room")
    assert [host.facts["cpuPeak"] for host in found.hosts] == [meant]


@pytest.mark.parametrize(
    ("title", "written", "meant"),
    [
        ("内存(KB)", 16_777_216, "16Gi"),
        ("内存（MB）", 512, "512Mi"),
        ("内存(兆)", 512, "512Mi"),
        ("内存(单位:GB)", 8, "8Gi"),
        ("内存(GB)(必填)", 8, "8Gi"),
        ("磁盘(TB)", "1+2", "3072Gi"),
        ("磁盘(TB)", "500G+2", "2548Gi"),
        ("磁盘(TB)", "600GB*4", "2400Gi"),
        ("磁盘(太字节)", 2, "2048Gi"),
        ("日增量(MB/天)", 50, "50Mi"),
        ("CPU(核)", 8, 8),
        ("CPU峰值利用率（％）", 35, 35),
        ("IP地址(内网)", "10.0.0.7", "10.0.0.7"),
        ("数据量(万条)", 3200, None),
        ("日增量(条)", 500, None),
        ("内存(条)", 4, None),
        ("内存(%)", 62, None),
        ("内存(MB/天)", 62, None),
        ("CPU(%)", 35, None),
        ("CPU(颗)", 2, None),
        ("CPU利用率(GHz)", 2, None),
    ],
)
def test_a_quantity_is_read_in_the_unit_of_its_heading_or_not_at_all(title, written, meant):
    found = read_rows(
        Sheet("x.csv", [["主机名", "资产编号", title], ["a", "ZC-1", written]]), {}, "room"
    )
    assert not found.faults
    [host] = found.hosts
    told = {**host.host, **host.facts}
    values = [told[name] for name in told if name not in ("name", "asset", "room")]
    assert values == ([] if meant is None else [meant])
    assert list(found.ignored) == ([title] if meant is None else [])


@pytest.mark.parametrize(
    "row",
    [
        [None, None, "合计", None, 32],
        ["合 计", None, None, None, "=SUM(E2:E3)"],
        [3, None, "信息中心小计", "-", 32],
        [None, None, "总计（台）", None, 2],
        ["填表人：张三", None, None, None, None],
        [None, None, "审核人:", None, None],
        ["填表日期：2026年1月", None, None, None, None],
    ],
)
def test_sums_and_signatures_are_no_hosts(row):
    titles = ["序号", "资产编号", "主机名", "IP地址", "CPU核数"]
    first = [1, None, "a", "10.0.0.1", 16]
    found = read_rows(Sheet("x.csv", [titles, first, row], frozenset({(3, 5)})), {}, "room")
    assert [host.host["name"] for host in found.hosts] == ["a"]
    assert (found.faults, found.bad_rows, list(found.passed)) == ((), 0, [3])


@pytest.mark.parametrize(
    ("row", "name"),
    [
        ([None, None, "数据库服务器", None], None),
        ([None, None, "备注：以上为全部", None], None),
        ([None, None, "会计", "10.0.0.2"], "host-10-0-0-2"),
        ([None, None, "合计", "10.0.0.2"], "host-10-0-0-2"),
        ([None, "ZC-7", "数据库服务器", None], "host-zc-7"),
        ([None, None, "heji", None], "heji"),
    ],
)
def test_a_host_needs_what_a_name_can_be_made_of(row, name):
    titles = ["序号", "资产编号", "主机名", "IP地址"]
    found = read_rows(Sheet("x.csv", [titles, row]), {}, "room")
    made = documents.host_documents(found.hosts, documents.Register("hrss"))
    assert [one["metadata"]["name"] for one in made] == ([name] if name else [])
    faults = [] if name else [("C2", "migrate.no_latin_name")]
    assert [(one.field, one.key) for one in found.faults] == faults


@pytest.mark.parametrize(
    ("title", "value", "fault"),
    [
        ("上线时间", 2015.1, "migrate.cell_day"),
        ("上线时间", 2015.6, "migrate.cell_day"),
        ("上线时间", "2015.10", None),
        ("上线时间", 2015, None),
        ("上线时间", 20150601.0, None),
        ("操作系统", "#N/A", "migrate.cell_error"),
        ("数据库", "#REF!", "migrate.cell_error"),
        ("数据库", "#NAME?", "migrate.cell_error"),
        ("中间件", "#DIV/0!", "migrate.cell_error"),
        ("资产编号", 1.23457e15, "migrate.cell_rounded"),
        ("资产编号", 12345678901234567890, "migrate.cell_rounded"),
        ("资产编号", "1.23E+15", "migrate.cell_rounded"),
        ("资产编号", 123456789012345, None),
        ("资产编号", "12345678901234567890", None),
    ],
)
def test_what_a_spreadsheet_made_of_a_cell_is_not_taken_for_what_was_meant(title, value, fault):
    titles = ["主机名", "IP地址", "系统名称", title]
    found = read_rows(Sheet("x.csv", [titles, ["a", "10.0.0.1", "甲", value]]), {}, "room")
    faults = [("D2", fault)] if fault else []
    assert [(one.field, one.key) for one in found.faults] == faults


@pytest.mark.parametrize(("column", "name"), [(0, "A1"), (25, "Z1"), (26, "AA1"), (701, "ZZ1")])
def test_names_of_cells(column, name):
    assert cell_name(column, 1) == name


def rows(*cells_: list[object]) -> Sequence[Host]:
    """The hosts of a sheet with these rows, the first of which has the headings."""
    found = read_rows(Sheet("x.csv", cells_), {"A": "a", "B": "b"}, "a")
    assert not found.faults
    return found.hosts


NAMED = ["资产编号", "主机名", "IP地址", "所在机房"]


@pytest.mark.parametrize(
    ("former", "row", "same"),
    [
        (["ZC-1", "web", "10.0.0.1", "A"], ["ZC-1", "www", "10.0.0.9", "B"], True),
        (["ZC-1", "web", "10.0.0.1", "A"], ["ZC-2", "web", "10.0.0.1", "A"], False),
        ([None, "web", "10.0.0.1", "A"], ["ZC-2", "www", "10.0.0.1", "A"], True),
        (["ZC-1", "web", "192.168.1.10", "A"], ["ZC-2", "db", "192.168.1.10", "B"], False),
        ([None, "web", "192.168.1.10", "A"], [None, "db", "192.168.1.10", "B"], False),
        ([None, "web", "192.168.1.10", "A"], [None, "WEB", "192.168.1.10", "B"], True),
        ([None, "localhost", "10.0.0.1", "A"], [None, "localhost", "10.0.0.2", "A"], False),
        (["ZC-1", "localhost", None, "A"], ["ZC-2", "localhost", None, "A"], False),
        ([None, "localhost", "10.0.0.1", "A"], [None, "localhost", None, "A"], True),
        ([None, "localhost", None, "A"], ["ZC-1", "localhost", "10.0.0.1", "A"], True),
        ([None, "localhost", None, "A"], [None, "localhost", None, "B"], False),
    ],
)
def test_a_host_is_found_again_only_where_no_surer_identity_contradicts(former, row, same):
    known = documents.host_documents(rows(NAMED, former), documents.Register("hrss"))
    register = documents.Register("hrss", known)
    [found] = documents.host_documents(rows(NAMED, row), register)
    assert (found["metadata"]["name"] == known[0]["metadata"]["name"]) == same
    assert bool(documents.alike([found], register)) == (not same)


def test_hosts_of_one_name_stay_apart_however_often_they_are_imported():
    sheet_ = rows(
        NAMED,
        [None, "localhost", None, "A"],
        [None, "localhost", "10.0.0.2", "A"],
        [None, "localhost", "10.0.0.3", "A"],
        [None, "localhost", "10.0.0.2", "B"],
    )
    first = documents.host_documents(sheet_, documents.Register("hrss"))
    assert len({one["metadata"]["name"] for one in first}) == 4
    again = documents.host_documents(sheet_[::-1], documents.Register("hrss", first))
    assert again[::-1] == first
    [more] = documents.host_documents(
        rows(NAMED, [None, "localhost", "10.0.0.4", "A"]), documents.Register("hrss", first[1:])
    )
    assert more["metadata"]["name"] not in {one["metadata"]["name"] for one in first[1:]}
