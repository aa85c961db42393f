"""What is nobody's, put together: projects by their names, and how much is in each; pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

PROJECT: Final = "project"
COUNTED: Final[Mapping[str, str]] = {
    "server": "servers",
    "volume": "volumes",
    "floating-ip": "addresses",
}
"""What is counted of what is in a project, by type."""
_SUMMED: Final = ("vcpu", "memory", "size")

Item = dict[str, Any]


def named(items: Iterable[Item]) -> list[Item]:
    """Return items with the name of their project as `tenant`, its id as `tenantId`.

    The cloud tells the tenant by its id where it is none of ours. A project has as its size what
    of nobody's is in it: how many of each type, vCPU, MiB of memory, GiB of volumes.
    """
    found = list(items)
    names = {(i["cloud"], i["tenant"]): i["name"] for i in found if i["type"] == PROJECT}
    none = dict.fromkeys(COUNTED.values(), 0)
    inside: dict[tuple[str, str], Counter[str]] = {place: Counter() for place in names}
    for item in found:
        place = (item["cloud"], item["tenant"])
        item["tenantId"], item["tenant"] = item["tenant"], names.get(place, item["tenant"])
        if place in inside and item["type"] != PROJECT:
            inside[place].update(_amounts(item))
    for item in found:
        if item["type"] == PROJECT:
            item["size"] |= none | inside[item["cloud"], item["tenantId"]]
    return found


def _amounts(item: Item) -> dict[str, int]:
    word = COUNTED.get(item["type"])
    said: dict[str, int] = {word: 1} if word else {}
    return said | {n: v for n in _SUMMED if isinstance(v := item["size"].get(n), int)}
