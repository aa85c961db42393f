"""The platform: organisation tree, policy, clouds, zones, catalogue."""

from collections.abc import Iterator, Mapping
from typing import Any

from generator.systems import FLAVORS
from generator.tables import CONTAINER_CLOUD, INDUSTRY_CLOUD, VM_CLOUD, Row, Units, day
from generator.text import Doc, file_text


def department(unit: Row, index: int, facts: Row | None) -> Doc:
    """Return one node of the organisation tree."""
    tested = index % 9 != 4
    access: dict[str, Any] = {"connected": True, "ipv6": tested}
    if tested:
        access["testedOn"] = day("2026-01-05", index, 140)
    contacts = {
        "head": {"name": "分管领导"},
        "tech": {"name": "信息化联络员"},
        "security": {"name": "网络安全责任人"},
    }
    spec: dict[str, Any] = {
        "level": unit["level"],
        "parent": unit["parent"] or None,
        "type": unit["type"] if unit["type"] != "party-or-government" else None,
        "vertical": True if unit["unit"] in {"maritime", "meteorology"} else None,
        "industryCloud": INDUSTRY_CLOUD if unit["unit"] == "police" else None,
        "contacts": contacts if unit["parent"] else None,
        "extranet": access if unit["parent"] else None,
    }
    note = "2021年机房调研列名单位" if facts else ""
    return Doc("Department", {"name": unit["unit"], "displayName": unit["title"]}, spec, note)


def departments(units: Units, survey: Mapping[str, Row]) -> Iterator[tuple[str, str]]:
    """Yield the files of the organisation tree."""
    docs = [
        department(unit, index, survey.get(unit["surveyed_as"]))
        for index, unit in enumerate(units.values())
    ]
    towns = {unit["unit"] for unit in units.values() if unit["level"] in ("county", "town")}
    parts: dict[str, list[Doc]] = {"departments": [], "towns": []}
    for doc in docs:
        parts["towns" if doc.metadata["name"] in towns else "departments"].append(doc)
    yield "departments.yaml", file_text(parts["departments"], "组织树：常熟市及市级各单位。")
    yield "towns.yaml", file_text(parts["towns"], "组织树：开发区、镇和街道。")


def policy_file() -> str:
    """Return the city's policy."""
    step = {"name": "admin-review", "role": "approver"}
    spec = {
        "version": "2026-01",
        "effectiveFrom": "2026-01-01",
        "approval": [{"steps": [step]}],
        "drift": [
            {"kind": "VirtualMachine", "mode": "heal"},
            {"kind": "Namespace", "mode": "heal"},
        ],
        "censusUntil": "2029-12-31",
        "checks": {"NET-09": "warning"},
    }
    note = (
        "审批只设一个环节：行政审批。需要时在 steps 中增加，"
        "例如 {name: tech-review, role: operator}。\n"
        "censusUntil 之前，各单位可把已有的机房、专网登记为基数；本例留得很长，以便随时演示。\n"
        "NET-09（等保测评过期）在本例中只提醒，因为文件中的日期是固定的。"
    )
    return file_text(
        [Doc("Policy", {"name": "city", "displayName": "常熟市政务云管理策略"}, spec, note)]
    )


def clouds_file() -> str:
    """Return the clouds."""
    limits = {"parallel": 32, "requestsPerSecond": 2000, "resyncSeconds": 60}
    vm = {
        "provider": "simulated",
        "limits": limits,
        "capacity": {"cores": 3200, "memory": "48Ti", "vcpuPerCore": 4},
        "prices": {"disk.ssd": 0.6, "disk.hdd": 0.25, "floating-ips": 30},
    }
    container = {
        "provider": "simulated",
        "kinds": ["Namespace"],
        "limits": limits,
        "capacity": {"cores": 400, "memory": "6Ti", "vcpuPerCore": 4},
        "prices": {"k8s-cpu": 40, "k8s-memory": 15, "k8s-storage.ssd": 0.6},
    }
    industry = {
        "provider": "simulated",
        "management": "纳管",
        "owner": "police",
        "docked": False,
        "kinds": [],
    }
    return file_text(
        [
            Doc("Cloud", {"name": VM_CLOUD, "displayName": "市政务云（云主机）"}, vm),
            Doc("Cloud", {"name": CONTAINER_CLOUD, "displayName": "市政务云（容器）"}, container),
            Doc(
                "Cloud",
                {"name": INDUSTRY_CLOUD, "displayName": "公安行业云"},
                industry,
                "行业云只读取、不更改；对接完成后改为 docked: true。",
            ),
        ],
        "价格均为示例，单位：元/月。",
    )


def zones_file() -> str:
    """Return the zones of both clouds."""
    facing = {"floatingIps": True}
    rows: list[tuple[str, str, str, str, int, dict[str, bool]]] = [
        ("extranet-l3", "政务外网区（三级）", VM_CLOUD, "政务外网公共区", 3, {}),
        (
            "extranet-l3-xc",
            "政务外网信创区（三级）",
            VM_CLOUD,
            "政务外网公共区",
            3,
            {"xinchuang": True},
        ),
        ("extranet-l2", "政务外网区（二级）", VM_CLOUD, "政务外网公共区", 2, {}),
        ("private-l3", "专网区（三级）", VM_CLOUD, "专网区", 3, {}),
        ("dmz-l3", "DMZ区（三级）", VM_CLOUD, "DMZ区", 3, facing),
        ("internet-l3", "互联网区（三级）", VM_CLOUD, "互联网区", 3, facing),
        ("internet-l2", "互联网区（二级）", VM_CLOUD, "互联网区", 2, facing),
        ("k8s-extranet-l3", "容器政务外网区（三级）", CONTAINER_CLOUD, "政务外网公共区", 3, {}),
        ("k8s-internet-l3", "容器互联网区（三级）", CONTAINER_CLOUD, "互联网区", 3, {}),
        ("k8s-internet-l2", "容器互联网区（二级）", CONTAINER_CLOUD, "互联网区", 2, {}),
    ]
    return file_text(
        [
            Doc(
                "Zone",
                {"name": name, "displayName": title},
                {"cloud": cloud, "type": type_, "mlpsLevel": level, **more},
            )
            for name, title, cloud, type_, level, more in rows
        ],
        "安全区：类型 × 等保级别。不同级别的系统不共用安全区。",
    )


def catalogue_files() -> Iterator[tuple[str, str]]:
    """Yield the files of flavors and images."""
    docs = []
    for prefix, more in (("", {}), ("xc-", {"arch": "aarch64", "xinchuang": True})):
        for name, (cores, memory) in FLAVORS.items():
            price = round((cores * 40 + memory * 15) * (1.2 if prefix else 1))
            spec = {"vcpu": cores, "memory": f"{memory}Gi", **more, "price": price}
            title = f"{'信创 ' if prefix else ''}{cores}核{memory}G"
            docs.append(Doc("Flavor", {"name": prefix + name, "displayName": title}, spec))
    yield "flavors.yaml", file_text(docs, "云主机规格。价格为示例，单位：元/月。")
    kylin, domestic = "银河麒麟高级服务器操作系统 V10", {"arch": "aarch64", "xinchuang": True}
    images: list[tuple[str, dict[str, Any]]] = [
        ("openeuler-2203", {"os": "openEuler 22.03 LTS SP4", "minDisk": 40}),
        ("kylin-v10", {"os": kylin, "minDisk": 50}),
        ("kylin-v10-arm", {"os": kylin, **domestic, "minDisk": 50}),
        ("uos-v20-arm", {"os": "统信服务器操作系统 V20", **domestic, "minDisk": 50}),
        ("debian-12", {"os": "Debian 12", "endOfSupport": "2028-06-30"}),
    ]
    yield (
        "images.yaml",
        file_text([Doc("Image", {"name": n}, spec) for n, spec in images], "镜像。"),
    )
