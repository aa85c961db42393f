"""The quotas: room to grow for each unit, the sum of its children's for each parent."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from generator.systems import Hosted
from generator.tables import Units, added
from generator.text import Doc, file_text

ROUND = {"vms": 5, "vcpu": 20, "memory": 64, "disk.ssd": 1024, "disk.hdd": 1024, "volumes": 10}
UNIT_CLASSES = ("vms", "vcpu", "memory", "disk.ssd", "disk.hdd")
CONTAINER_CLASSES = ("namespaces", "k8s-cpu", "k8s-memory", "k8s-storage.ssd", "k8s-pods")


def limits(need: Mapping[str, int], share: float, classes: Iterable[str]) -> dict[str, int]:
    """Return limits with room to grow, in round numbers."""
    made = {}
    for name in classes:
        step = ROUND.get(name, 4)
        made[name] = -(-int(need.get(name, 0) * share) // step) * step
    return made


def shown(amounts: Mapping[str, int]) -> dict[str, Any]:
    """Return limits as people write them."""
    made: dict[str, Any] = {}
    for name, amount in amounts.items():
        if name.startswith(("memory", "disk", "k8s-memory", "k8s-storage")):
            made[name] = f"{amount // 1024}Ti" if amount and amount % 1024 == 0 else f"{amount}Gi"
        else:
            made[name] = amount
    return made


def quotas_file(units: Units, systems: Sequence[Hosted]) -> str:
    """Return the quotas: each unit with its own room to grow, parents with their children's."""
    need: dict[str, dict[str, int]] = {}
    for system in systems:
        unit = system.row["unit"]
        need[unit] = added(need.get(unit, {}), system.demand())
    granted: dict[str, dict[str, int]] = {}
    for unit in sorted(need, key=lambda name: -depth(units, name)):
        classes = [*UNIT_CLASSES, *(CONTAINER_CLASSES if "namespaces" in need[unit] else ())]
        granted[unit] = added(granted.get(unit, {}), limits(need[unit], 1.3, classes))
        parent = units[unit]["parent"]
        if parent in need:
            below = {name: granted[unit][name] for name in UNIT_CLASSES}
            granted[parent] = added(granted.get(parent, {}), containers(granted[unit]) | below)
    top: dict[str, int] = {}
    for unit, amounts in granted.items():
        if units[unit]["parent"] not in granted:
            top = added(top, amounts)
    whole: dict[str, int] = {}
    for amounts in need.values():
        whole = added(whole, amounts)
    top |= {"volumes": 2000, "floating-ips": -(-whole["floating-ips"] // 50) * 50 + 50, "gpu": 16}
    docs = [quota("changshu", "全市配额", top)]
    docs += [quota(unit, f"{units[unit]['title']}配额", granted[unit]) for unit in need]
    return file_text(docs, "配额：市级为各单位之和；未列出的类别以市级为限。")


def containers(amounts: Mapping[str, int]) -> dict[str, int]:
    """Return the container classes of limits."""
    return {name: amount for name, amount in amounts.items() if name in CONTAINER_CLASSES}


def depth(units: Units, unit: str) -> int:
    """Return how many levels lie above a unit."""
    parent = units[unit]["parent"]
    return 1 + depth(units, parent) if parent else 0


def quota(unit: str, title: str, amounts: Mapping[str, int]) -> Doc:
    """Return one quota."""
    metadata = {"name": unit, "displayName": title}
    return Doc("Quota", metadata, {"department": unit, "limits": shown(amounts)})
