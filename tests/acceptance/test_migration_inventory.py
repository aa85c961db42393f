"""The inventory of a room from the spreadsheet that a department has, as people import it."""

import json
from pathlib import Path

import openpyxl
import pytest
import yaml

from govcloud.errors import Exit

HEADINGS = (
    "序号", "资产编号", "主机名", "IP地址", "CPU核数", "内存(GB)", "磁盘", "操作系统", "环境",
    "系统名称", "涉密分类", "等保级别", "使用频度", "机柜位置",
)  # fmt: skip
ROWS = tuple(
    tuple(cell.strip() or None for cell in line.split("|"))
    for line in (
        "1|ZC-001|kq-web|10.8.0.1|8|16|2*600GB|CentOS 7|生产|考勤系统|非涉密|二级|每日|A1",
        "2|ZC-002|kq-db|10.8.0.2|2路8核|64|1.5T|CentOS 7|生产|||||A2",
        "3|ZC-003|老机器|10.8.0.3|4|8G|500G|Windows Server 2008|测试|档案系统|非涉密|三级|每月|A3",
    )
)


def workbook(folder: Path, rows: tuple[tuple[object, ...], ...] = ROWS) -> str:
    """A sheet as offices make it: a title over merged cells, one system named once for its rows."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"] = "附件1  自建机房服务器调查表"
    sheet.merge_cells("A1:N1")
    for number, row in enumerate((HEADINGS, *rows), start=2):
        for column, value in enumerate(row, start=1):
            sheet.cell(number, column, value)
    for column in "JKLM":
        sheet.merge_cells(f"{column}3:{column}4")
    file = folder / "hosts.xlsx"
    book.save(file)
    return str(file)


@pytest.fixture
def room(city, govcloud, tmp_path):
    """A city that takes the census, and a department with a room."""
    policy = {"version": "1", "effectiveFrom": "2026-01-01", "censusUntil": "2099-12-31"}
    policy["approval"] = [{"steps": [{"name": "review", "role": "approver"}]}]
    spec = {"displayName": "主机房"}
    documents = [
        ("platform", {"kind": "Policy", "metadata": {"name": "city"}, "spec": policy}),
        (
            "room",
            {
                "kind": "ServerRoom",
                "metadata": {"name": "room", "department": "hrss", **spec},
                "spec": {"baseline": True},
            },
        ),
    ]
    for name, document in documents:
        text = yaml.safe_dump({"apiVersion": "govcloud.io/v1", **document}, allow_unicode=True)
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    govcloud("apply", "-f", str(tmp_path / "platform.yaml"))
    request = govcloud("--as", "hrss", "submit", "-f", str(tmp_path / "room.yaml")).out.strip()
    govcloud("--as", "approver", "approve", request, "--yes")
    return city


def hosts(govcloud) -> dict[str, dict]:
    """The registered hosts by name."""
    found = json.loads(govcloud("get", "host", "-A", "-o", "json").out)["items"]
    return {item["metadata"]["name"]: item for item in found}


def imported(govcloud, *words: str) -> None:
    """Import and have it approved."""
    request = govcloud("--as", "hrss", "migrate", "inventory", "import", *words).out.strip()
    govcloud("--as", "approver", "approve", request, "--yes")


def test_a_sheet_becomes_hosts_and_proposals_that_are_confirmed(room, govcloud, tmp_path):
    file, proposals = workbook(tmp_path), str(tmp_path / "systems.yaml")
    govcloud("--as", "hrss", "migrate", "inventory", "import", file, "--dry-run")
    assert hosts(govcloud) == {}
    imported(govcloud, file, "--proposals", proposals)
    found = hosts(govcloud)
    assert set(found) == {"kq-web", "kq-db", "host-10-8-0-3"}
    assert (
        found["kq-db"]["spec"] | {"room": "room", "vcpu": 16, "memory": "64Gi"}
        == (found["kq-db"]["spec"])
    )
    assert found["kq-web"]["spec"]["storage"] == "1200Gi"
    assert found["host-10-8-0-3"]["spec"]["environment"] == "test"
    assert "system" not in found["kq-web"]["spec"]

    text = Path(proposals).read_text("utf-8")
    assert "spec.code" in text
    systems = list(yaml.safe_load_all(text))
    assert [one["metadata"]["displayName"] for one in systems] == ["考勤系统", "档案系统"]
    assert systems[0]["spec"]["security"] == {"classified": False, "mlpsLevel": 2}
    assert systems[0]["metadata"]["annotations"] == {"使用频度": "每日"}
    ended = govcloud("--as", "hrss", "submit", "-f", proposals, code=Exit.INVALID)
    assert "code" in ended.err

    completed = text.replace("  origin: legacy", "  code: KQ\n  origin: legacy", 1)
    completed = completed.replace(
        "spec:\n  origin: legacy", "spec:\n  code: DA\n  origin: legacy", 1
    )
    Path(proposals).write_text(completed, "utf-8")
    request = govcloud("--as", "hrss", "submit", "-f", proposals).out.strip()
    govcloud("--as", "approver", "approve", request, "--yes")
    imported(govcloud, file)
    found = hosts(govcloud)
    assert found["kq-web"]["spec"]["system"] == found["kq-db"]["spec"]["system"]
    assert found["host-10-8-0-3"]["spec"]["system"] != found["kq-web"]["spec"]["system"]

    again = govcloud("--as", "hrss", "migrate", "inventory", "import", file)
    assert again.out == ""
    assert hosts(govcloud) == found


def test_bad_cells_are_named_and_good_rows_imported_on_request(room, govcloud, tmp_path):
    bad = (
        4,
        "ZC-004",
        "x",
        "10.8.0.400",
        "many",
        16,
        "2T",
        "",
        "灾备",
        "档案系统",
        "非涉密",
        "二级",
    )
    again = (5, "ZC-001", "y", "10.8.0.9", 8, 16, "2T")
    file = workbook(tmp_path, (*ROWS, bad, again))
    words = ("--as", "hrss", "migrate", "inventory", "import", file)
    ended = govcloud(*words, code=Exit.INVALID)
    for cell in ("D6", "E6", "I6", "L6", "B7"):
        assert f"hosts.xlsx: {cell}: " in ended.err
    assert "3 rows are good, 2 are bad" in ended.err
    assert "机柜位置" in ended.err
    assert ended.out == ""
    request = govcloud(*words, "--keep-good", code=Exit.INCOMPLETE).out.strip()
    govcloud("--as", "approver", "approve", request, "--yes")
    assert len(hosts(govcloud)) == 3


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_csv_as_offices_save_it(room, govcloud, tmp_path, encoding):
    file = tmp_path / "hosts.csv"
    rows = ["主机名,IP地址,CPU核数,内存（MB）,数据库,CPU峰值利用率(%)"]
    rows += ["web,10.8.1.1,８,16384,MySQL 5.7、Redis,0.35", "db,10.8.1.2,4,8192,-,40"]
    file.write_bytes("\r\n".join(rows).encode(encoding))
    imported(govcloud, str(file), "--room", "主机房")
    spec = hosts(govcloud)["web"]["spec"]
    assert (spec["vcpu"], spec["memory"]) == (8, "16Gi")
    assert spec["facts"]["databases"] == ["MySQL 5.7", "Redis"]
    assert spec["facts"]["cpuPeak"] == 35


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04 broken",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 old",
        b"a,b\n1,2\n",
        b"",
        b"\xff\x00\x81",
    ],
)
def test_what_is_no_sheet_of_hosts_is_told_so(room, govcloud, tmp_path, content):
    file = tmp_path / "hosts.xlsx"
    file.write_bytes(content)
    ended = govcloud("--as", "hrss", "migrate", "inventory", "import", str(file), code=Exit.INVALID)
    assert "hosts.xlsx" in ended.err
    assert ended.out == ""


def test_a_host_never_takes_the_place_of_another_of_its_name(room, govcloud, tmp_path):
    file = tmp_path / "hosts.csv"
    for address in ("10.0.0.1", "10.0.0.2"):
        file.write_text(f"主机名,IP地址\nlocalhost,{address}\n", "utf-8")
        imported(govcloud, str(file))
    found = hosts(govcloud)
    assert {name: one["spec"]["address"] for name, one in found.items()} == {
        "localhost": "10.0.0.1",
        "localhost-2": "10.0.0.2",
    }
    file.write_text("主机名,IP地址\nlocalhost,10.0.0.3\nlocalhost,10.0.0.4\n", "utf-8")
    ended = govcloud("--as", "hrss", "migrate", "inventory", "import", str(file), "--dry-run")
    assert "localhost-3" in ended.err
    assert "localhost-4" in ended.err


def test_sheets_that_are_not_read_and_hidden_rows_are_told(room, govcloud, tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "填表说明"
    book.active.append(["请逐行填写"])
    hidden, meant, second = (book.create_sheet(name) for name in ("字典", "主机", "二号机房"))
    book.create_sheet("Sheet5")
    hidden.sheet_state = "hidden"
    for number, sheet in enumerate((hidden, meant, second)):
        sheet.append(["主机名", "IP地址"])
        sheet.append([f"a{number}", f"10.0.{number}.1"])
        sheet.append([f"b{number}", f"10.0.{number}.2"])
        sheet.row_dimensions[3].hidden = True
    file = str(tmp_path / "hosts.xlsx")
    book.save(file)
    words = ("--as", "hrss", "migrate", "inventory", "import", file)
    ended = govcloud(*words, "--dry-run")
    assert "The sheet 主机 is read; these are not: 填表说明, 字典, 二号机房." in ended.err
    assert "1 of the good rows are hidden" in ended.err
    imported(govcloud, file)
    assert set(hosts(govcloud)) == {"a1", "b1"}
