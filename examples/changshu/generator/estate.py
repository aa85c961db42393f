"""What is to be emptied and merged: rooms, private networks, the systems that run in them."""

from collections.abc import Iterator, Sequence
from typing import Any

from generator.systems import Hosted
from generator.tables import INDUSTRY_CLOUD, SOURCE_STILL_RUNS, Row, day, owned
from generator.text import Doc, file_text

MERGED = {"transport": "2025-12-18", "urban": "2026-03-27", "approval": "2026-05-15"}
MERGING = ("drc", "housing", "emergency")
NETWORK_USES = {
    "drc": "其他", "housing": "监控", "ecology": "监控", "transport": "视频", "education": "教育",
    "police": "视频", "planning": "其他", "urban": "视频", "water": "监控", "emergency": "应急指挥",
    "approval": "其他", "haiyu": "视频",
}  # fmt: skip


def room_file(unit: Row, facts: Row, hosts: int) -> str:
    """Return the file of a unit's room."""
    spec = {
        "address": f"{unit['title']}办公楼",
        "baseline": True,
        "state": "关停中" if facts["uses_government_cloud"] == "yes" else None,
        "racks": 2 + hosts // 3,
        "servers": hosts,
        "plannedClosing": "2027-06-30" if facts["uses_government_cloud"] == "yes" else None,
    }
    note = "调研时未反映问题。" if facts["room_reports_no_problem"] == "yes" else ""
    return file_text(
        [Doc("ServerRoom", owned(unit["unit"], "room", f"{unit['title']}自建机房"), spec, note)]
    )


def network_file(unit: Row) -> str:
    """Return the file of a unit's private network."""
    name = unit["unit"]
    state = "已整合" if name in MERGED else ("整合中" if name in MERGING else None)
    spec = {
        "use": NETWORK_USES[name],
        "baseline": True,
        "state": state,
        "integratedOn": MERGED.get(name),
        "evidence": "专网割接验收单" if name in MERGED else None,
    }
    title = f"{unit['title']}业务专网"
    return file_text([Doc("PrivateNetwork", owned(name, "private-network", title), spec or {})])


def hosts_of(unit: str, name: str, title: str, count: int, **spec: Any) -> Iterator[Doc]:
    """Yield the hosts of a legacy system."""
    for index in range(count):
        size = 32 if index == 0 else 16
        body = {
            "room": "room",
            "system": name,
            "os": "CentOS 7" if len(name) % 2 else "Windows Server 2012 R2",
            "vcpu": size,
            "memory": f"{size * 4}Gi",
            "storage": "4Ti" if index == 0 else "2Ti",
            **spec,
        }
        yield Doc("LegacyHost", owned(unit, f"{name}-{index + 1}", f"{title}服务器"), body)


def legacy_file(rows: Sequence[Row]) -> str:
    """Return the file of a unit's systems that still run in its room."""
    docs: list[Doc] = []
    for index, row in enumerate(rows):
        classified = row["fate"] == "classified"
        spec = {
            "code": f"CS-{row['unit'].upper()}-9{index + 1:03}",
            "origin": "存量",
            "security": {"classified": True} if classified else legacy_security(row, index),
            "extranet": False if classified else None,
            "ipv6": False,
            "zombie": True if row["fate"] == "zombie" else None,
            "launchedOn": day("2009-03-01", index * 5 + len(row["title"]), 2900),
        }
        note = "涉密系统，按分级保护管理，不上本云。" if classified else ""
        docs.append(Doc("System", owned(row["unit"], row["system"], row["title"]), spec, note))
        docs += hosts_of(row["unit"], row["system"], row["title"], int(row["hosts"]))
    return file_text(docs, "仍在自建机房运行的存量系统及其服务器。")


def legacy_security(row: Row, index: int) -> dict[str, Any]:
    """Return the protection of a legacy system: graded, and assessed last year."""
    assessed = day("2025-09-01", index + len(row["title"]), 200)
    return {
        "classified": False,
        "mlpsLevel": 3 if index % 2 == 0 else 2,
        "assessmentDate": assessed,
    }


def sources_file(found: Sequence[Hosted]) -> str:
    """Return the file of the old hosts of systems that have moved, or are moving."""
    docs: list[Doc] = []
    for system in found:
        unit, title = system.row["unit"], system.row["title"]
        if system.state in SOURCE_STILL_RUNS:
            docs += hosts_of(unit, system.name, title, 2)
        else:
            off = {"state": "已下线", "offOn": day("2025-10-10", system.index, 60)}
            docs += hosts_of(unit, system.name, title, 1, **off)
    return file_text(docs, "已经或正在迁移上云的系统在机房里的原服务器。")


def industry_file() -> str:
    """Return the file of the systems on the police's own cloud."""
    titles = {"residents": "人口信息管理系统", "video-images": "视频图像信息综合应用平台"}
    docs = [
        Doc(
            "System",
            owned("police", name, title),
            {
                "code": f"CS-POLICE-{index + 1:04}",
                "origin": "存量",
                "security": {"classified": False, "mlpsLevel": 3, "assessmentDate": "2026-03-20"},
                "industryCloud": INDUSTRY_CLOUD,
                "ipv6": False,
            },
        )
        for index, (name, title) in enumerate(titles.items())
    ]
    return file_text(docs, "运行在公安行业云上的系统；行业云尚未对接，不计入应上云系统。")


def estate(
    unit: Row, facts: Row, systems: Sequence[Hosted], legacy: Sequence[Row]
) -> Iterator[tuple[str, str]]:
    """Yield the files of a surveyed unit's room and private network."""
    own = [row for row in legacy if row["unit"] == unit["unit"]]
    moved = [s for s in systems if s.row["unit"] == unit["unit"] and s.state]
    if facts["keeps_self_built_room"] == "yes":
        old = sum(2 if s.state in SOURCE_STILL_RUNS else 1 for s in moved)
        yield "room.yaml", room_file(unit, facts, sum(int(row["hosts"]) for row in own) + old)
        yield "legacy.yaml", legacy_file(own)
        if moved:
            yield "legacy-sources.yaml", sources_file(moved)
    if facts["own_private_network"] == "yes":
        yield "private-network.yaml", network_file(unit)
