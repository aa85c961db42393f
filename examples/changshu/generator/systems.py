"""The systems on the cloud: what each needs, and its file."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from generator.tables import MIGRATED, Row, Units, added, day, owned, table
from generator.text import Doc, file_text

OVER_QUOTA = "culture"
EXTRANET = "10.0.0.0/8"
FLAVORS = {
    "2c4g": (2, 4), "4c8g": (4, 8), "4c16g": (4, 16), "8c16g": (8, 16), "8c32g": (8, 32),
    "16c32g": (16, 32), "16c64g": (16, 64), "32c64g": (32, 64),
}  # fmt: skip
"""QUO-8: vCPU and GiB."""


@dataclass(frozen=True)
class Group:
    """Equal machines of one tier."""

    tier: str
    count: int
    flavor: str
    data: str
    disk: str

    def demand(self) -> dict[str, int]:
        """Return what it needs: vms, vcpu, memory (GiB) and disks (GiB)."""
        cores, memory = FLAVORS[self.flavor.removeprefix("xc-")]
        need = {"vms": 1, "vcpu": cores, "memory": memory, "disk.ssd": 100}
        need[f"disk.{self.disk}"] = need.get(f"disk.{self.disk}", 0) + gib(self.data)
        need["volumes"] = 1
        return {name: amount * self.count for name, amount in need.items()}


def gib(text: str) -> int:
    """Return GiB of `500Gi` or `2Ti`."""
    return int(text[:-2]) * (1024 if text.endswith("Ti") else 1)


def groups(machines: int, *, xinchuang: bool) -> list[Group]:
    """Share a system's machines out to tiers, with the sizes of QUO-7 in mind."""
    if machines == 0:
        return []
    if machines <= 3:
        counts, sizes = (0, machines - 1, 1, 0), ("2c4g", "4c8g", "8c16g", "8c16g")
    elif machines <= 6:
        counts = (1 if machines > 4 else 0, machines - (3 if machines > 4 else 2), 2, 0)
        sizes = ("4c8g", "8c16g", "8c32g", "8c32g")
    else:
        other = machines // 5
        counts, sizes = (2, machines - 4 - other, 2, other), ("4c8g", "8c32g", "16c64g", "8c32g")
    if machines > 12:
        sizes = ("4c16g", "16c32g", "16c64g", "32c64g")
    data = (("100Gi", "hdd"), ("300Gi", "hdd"), ("1Ti", "ssd"), ("2Ti", "hdd"))
    prefix = "xc-" if xinchuang else ""
    return [
        Group(tier, count, prefix + size, *disk)
        for tier, count, size, disk in zip(
            ("web", "app", "db", "other"), counts, sizes, data, strict=True
        )
        if count
    ]


@dataclass(frozen=True)
class Hosted:
    """A system on the cloud, from its row."""

    row: Row
    index: int
    number: int
    town: bool
    flags: frozenset[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        """Its name in YAML."""
        return self.row["system"]

    @property
    def state(self) -> str | None:
        """How far its migration is, if it was not built on the cloud."""
        return next((flag for flag in self.flags if flag in MIGRATED), None)

    @property
    def internet_only(self) -> bool:
        """Whether it stands in the internet zone alone."""
        return self.row["face"] == "I"

    @property
    def level(self) -> int:
        """MLPS level: 3, but for towns, and for internet systems that are not marked."""
        if "l3" in self.flags:
            return 3
        return 2 if self.town or self.internet_only or "l2" in self.flags else 3

    @property
    def groups(self) -> list[Group]:
        """Its machines."""
        return groups(int(self.row["machines"]), xinchuang="xc" in self.flags)

    def zone(self, tier: str) -> str:
        """Return the zone that a tier stands in."""
        if self.internet_only:
            return f"internet-l{self.level}"
        if tier == "web" and self.row["face"] == "B":
            return "dmz-l3"
        return "extranet-l3-xc" if "xc" in self.flags else f"extranet-l{self.level}"

    @property
    def front(self) -> str:
        """The tier that its users reach."""
        return "web" if any(group.tier == "web" for group in self.groups) else "app"

    def faces(self, group: Group) -> bool:
        """Whether a tier is reached from the internet."""
        return group.tier == self.front and self.zone(group.tier).startswith(("internet", "dmz"))

    def demand(self) -> dict[str, int]:
        """Return what all of it needs."""
        total: dict[str, int] = {}
        for found in self.groups:
            total = added(total, found.demand())
        for spec in self.namespaces():
            need = {"namespaces": 1, "k8s-cpu": spec["cpu"], "k8s-pods": spec["pods"]}
            need |= {"k8s-memory": gib(spec["memory"]), "k8s-storage.ssd": 200}
            total = added(total, need)
        ips = sum(group.count for group in self.groups if self.faces(group))
        return added(total, {"floating-ips": ips})

    def namespaces(self) -> Iterator[dict[str, Any]]:
        """Yield the specs of its namespaces."""
        zone = f"k8s-internet-l{self.level}" if self.internet_only else "k8s-extranet-l3"
        for index in range(int(self.row["namespaces"])):
            size = 16 if index == 0 else 8
            yield {
                "system": self.name,
                "zone": zone,
                "cpu": size,
                "memory": f"{size * 2}Gi",
                "storage": {"ssd": "200Gi"},
                "pods": size * 4,
                "podSecurity": "restricted",
            }


def hosted(units: Units) -> list[Hosted]:
    """Return all systems on the cloud."""
    found: list[Hosted] = []
    numbers: dict[str, int] = {}
    for index, row in enumerate(table("systems")):
        unit = row["unit"]
        numbers[unit] = numbers.get(unit, 0) + 1
        town = units[unit]["level"] == "town"
        found.append(Hosted(row, index, numbers[unit], town, frozenset(row["flag"].split())))
    return found


def security(level: int, index: int) -> dict[str, Any]:
    """Return level, filing and assessments; one system in seven has no cryptography assessment."""
    crypto = day("2026-02-01", index + 3, 110) if level == 3 and index % 7 else None
    filed = day("2020-03-01", index, 1900)
    return {
        "classified": False,
        "mlpsLevel": level,
        "filingNo": f"320581-{filed[2:4]}-{index + 1:04}",
        "filingDate": filed,
        "assessmentDate": day("2026-01-12", index, 120),
        "cryptoAssessmentDate": crypto,
        "dataClass": "important" if level == 3 and index % 5 == 0 else None,
    }


def system_file(found: Hosted) -> str:
    """Return the file of one system: itself, its machines, its namespaces."""
    unit, title = found.row["unit"], found.row["title"]
    docs = [Doc("System", owned(unit, found.name, title), system_spec(found))]
    docs += [machine(found, group) for group in found.groups]
    for index, spec in enumerate(found.namespaces()):
        name = found.name if index == 0 else f"{found.name}-{index + 1}"
        docs.append(Doc("Namespace", owned(unit, name, f"{title}容器"), spec))
    return file_text(docs, title)


def system_spec(found: Hosted) -> dict[str, Any]:
    """Return the spec of a system on the cloud."""
    public = found.row["face"] in "IB"
    phase = ("运维", "运维", "考核评价", "验收", "实施")[found.index % 5]
    return {
        "code": f"CS-{found.row['unit'].upper()}-{found.number:04}",
        "origin": "存量" if found.state else None,
        "category": "应用支撑层" if found.row["unit"] == "bigdata" else None,
        "security": security(found.level, found.index),
        "users": "社会公众" if public else ("本部门" if found.index % 3 else "跨部门"),
        "extranet": False if found.internet_only else None,
        "internet": True if public else None,
        "xinchuang": True if "xc" in found.flags else None,
        "project": {"id": f"XM-{2018 + found.index % 8}-{found.index + 1:03}", "phase": phase},
        "contacts": {"tech": {"name": "信息化联络员"}},
        "launchedOn": day("2018-06-01", found.index, 2600),
    }


def machine(found: Hosted, group: Group) -> Doc:
    """Return the machines of one tier."""
    unit = found.row["unit"]
    titles = {"web": "接入", "app": "应用", "db": "数据库", "other": "数据处理"}
    xinchuang = "xc" in found.flags
    spec = {
        "system": found.name,
        "zone": found.zone(group.tier),
        "count": group.count if group.count > 1 else None,
        "flavor": group.flavor,
        "image": "kylin-v10-arm" if xinchuang else "openeuler-2203",
        "systemDisk": {"size": "100Gi", "type": "ssd"},
        "dataDisks": [{"size": group.data, "type": group.disk}],
        "network": network(found, group),
        "tier": group.tier if group.tier != "app" else None,
        "antiAffinity": True if group.tier == "db" and group.count > 1 else None,
        "backup": "每小时" if group.tier == "db" and found.level == 3 else None,
    }
    title = f"{found.row['title']}{titles[group.tier]}"
    return Doc("VirtualMachine", owned(unit, f"{found.name}-{group.tier}", title), spec)


def network(found: Hosted, group: Group) -> dict[str, Any]:
    """Return how a tier is reached: the front by its users, the rest by its system alone."""
    if found.faces(group):
        return {
            "floatingIp": True,
            "bandwidthMbps": 50,
            "allow": [{"ports": [80, 443], "source": "internet"}],
        }
    if group.tier == found.front:
        return {"allow": [{"ports": [443], "source": EXTRANET}]}
    ports = {"db": [5432], "app": [8080], "other": [8080, 9092]}[group.tier]
    return {"allow": [{"ports": ports, "source": "system"}]}


def over_quota_file() -> str:
    """Return a request beyond the quota of its unit."""
    unit, name, title = OVER_QUOTA, "panorama", "全景虞山数字文旅平台"
    spec = {
        "code": "CS-CULTURE-0100",
        "security": security(2, 200),
        "users": "社会公众",
        "extranet": False,
        "internet": True,
        "project": {"id": "XM-2026-201", "phase": "实施", "amountWan": 680},
        "contacts": {"tech": {"name": "信息化联络员"}},
    }
    rendering = {
        "system": name,
        "zone": "internet-l2",
        "count": 60,
        "flavor": "16c64g",
        "image": "openeuler-2203",
        "systemDisk": {"size": "100Gi", "type": "ssd"},
        "dataDisks": [{"size": "1Ti", "type": "ssd"}],
        "justification": "按全市景区三维实景同时渲染测算。",
    }
    docs = [
        Doc("System", owned(unit, name, title), spec),
        Doc("VirtualMachine", owned(unit, f"{name}-render", f"{title}渲染"), rendering),
    ]
    return file_text(docs, "超出本单位配额的申请：60台16核64G。用来演示系统如何拒绝并说明原因。")
