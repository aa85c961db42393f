"""How much quota is free at each date: what the Quota objects say then, less what is held now."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, cast

from govcloud.domain.kinds.platform import CloudSpec, Management, QuotaSpec
from govcloud.domain.manifest import parse_spec
from govcloud.policy.context import day_begins
from govcloud.requests.limits import facts_of
from migration.waves.load import CLOUDS, Cell, Steps
from quotas.ledger.limits import Charter
from quotas.ledger.places import Cell as LedgerCell
from quotas.ledger.places import Tree

_ENDLESS = 10**15


def chains(parents: Mapping[str, str | None]) -> dict[str, tuple[str, ...]]:
    """Return each department with the nodes above it, itself first."""
    tree = Tree(parents)
    return {name: tuple(tree.path(name)) for name in parents}


def budget(
    quotas: Iterable[Mapping[str, Any]],
    nodes: Iterable[Mapping[str, Any]],
    begin: date,
) -> dict[Cell, Steps]:
    """Return what is free from each day on, of every limit that holds for all clouds.

    `nodes` are those of the quota tree, with what is allocated and reserved. What a limit may
    borrow does not count: it is others' to give.
    """
    nodes = list(nodes)
    specs = [
        (item["metadata"]["name"], cast("QuotaSpec", parse_spec("Quota", item["spec"])))
        for item in quotas
    ]
    facts = [fact for name, spec in specs for fact in facts_of(name, spec)]
    charter = Charter(Tree({node["department"]: node.get("parent") for node in nodes}), facts)
    used = {
        (str(node["department"]), str(line["class"])): int(line["allocated"] or 0)
        + int(line["reserved"] or 0)
        for node in nodes
        for line in node["lines"]
    }
    days = sorted({begin, *(day for _, spec in specs for day in _turns(spec) if day > begin)})
    cells = {
        (cell.department, cell.resource_class)
        for cell in charter.cells()
        if not cell.cloud and not cell.zone
    }
    return {
        cell: tuple((day, _free(charter, cell, day, used.get(cell, 0))) for day in days)
        for cell in sorted(cells)
    }


def capacity(
    clouds: Iterable[Mapping[str, Any]], nodes: Iterable[Mapping[str, Any]], begin: date
) -> dict[Cell, Steps]:
    """Return what the managed clouds can still carry; nothing, where one does not say its size."""
    specs = [cast("CloudSpec", parse_spec("Cloud", item["spec"])) for item in clouds]
    built = [s for s in specs if s.management is Management.MANAGED and "VirtualMachine" in s.kinds]
    sizes = [spec.capacity for spec in built]
    found: dict[Cell, Steps] = {}
    if sizes and all(size.cores is not None for size in sizes):
        vcpu = sum(int((size.cores or 0) * size.vcpu_per_core) for size in sizes)
        found[CLOUDS, "vcpu"] = ((begin, max(0, vcpu - _used(nodes, "vcpu"))),)
    if sizes and all(size.memory is not None for size in sizes):
        memory = sum(size.memory or 0 for size in sizes)
        found[CLOUDS, "memory"] = ((begin, max(0, memory - _used(nodes, "memory"))),)
    return found


def _used(nodes: Iterable[Mapping[str, Any]], word: str) -> int:
    """Return what the roots carry of a class: every charge reaches them."""
    return sum(
        int(line["allocated"] or 0) + int(line["reserved"] or 0)
        for node in nodes
        if node.get("parent") is None
        for line in node["lines"]
        if line["class"] == word
    )


def _turns(spec: QuotaSpec) -> Iterable[date]:
    if spec.valid_from is not None:
        yield spec.valid_from
    if spec.valid_until is not None:
        yield spec.valid_until + timedelta(days=1)


def _free(charter: Charter, cell: Cell, day: date, used: int) -> int:
    cap = charter.cap(LedgerCell(cell[0], "", "", cell[1]), day_begins(day))
    return _ENDLESS if cap is None else max(0, cap.limit - used)
