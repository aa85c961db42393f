"""The simulated cloud's own quota: what resources count for, what a tenant uses and may use."""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from govcloud.domain.classes import class_of
from govcloud.ports.cloud import Value

_SERVER: Final = {"vcpu": "vcpu", "memory": "memory", "gpu": "gpu"}
_NAMESPACE: Final = {"k8s-cpu": "cpu", "k8s-memory": "memory", "k8s-pods": "pods", "gpu": "gpu"}


@lru_cache(maxsize=4096)
def amounts(kind: str, text: str) -> Mapping[str, int]:
    """Return the amounts by resource class of a type with these properties, as JSON text."""
    props: dict[str, Value] = json.loads(text)
    count = {"server": _server, "volume": _volume, "namespace": _namespace}.get(kind)
    found = count(props) if count else {}
    return {word: amount for word, amount in found.items() if amount}


def _server(props: Mapping[str, Value]) -> Mapping[str, int]:
    total = Counter({word: _number(props.get(name)) for word, name in _SERVER.items()})
    total["vms"] = 1
    total["floating-ips"] = 1 if props.get("floating_ip") else 0
    for name, disk in props.items():
        if name.startswith("disk."):
            size, _, storage = str(disk).partition(" ")
            total[f"disk.{storage or 'hdd'}"] += _number(size)
            total["volumes"] += name != "disk.system"
    return total


def _volume(props: Mapping[str, Value]) -> Mapping[str, int]:
    return {"volumes": 1, f"disk.{props.get('storage', 'hdd')}": _number(props.get("size"))}


def _namespace(props: Mapping[str, Value]) -> Mapping[str, int]:
    total = {word: _number(props.get(name)) for word, name in _NAMESPACE.items()}
    total["namespaces"] = 1
    for name, amount in props.items():
        if name.startswith("storage."):
            total[f"k8s-{name}"] = _number(amount)
    return total


def _number(value: object) -> int:
    """Return a property as a whole number; 0 for what is none, as after tampering."""
    try:
        return int(str(value)) if value is not None else 0
    except ValueError:
        return 0


def used(db: sqlite3.Connection, tenant: str) -> dict[str, int]:
    """Return what a tenant uses: the larger of before and after for what is being changed."""
    total: Counter[str] = Counter()
    rows = db.execute(
        "SELECT type, props, target, count(*) FROM resources WHERE tenant = ?"
        " GROUP BY type, props, target",
        (tenant,),
    )
    for kind, props, target, count in rows:
        larger = Counter(amounts(kind, props)) | Counter(amounts(kind, target or props))
        for word, amount in larger.items():
            total[word] += amount * count
    return dict(total)


def limits_of(db: sqlite3.Connection, tenant: str) -> dict[str, int]:
    """Return the limits that a tenant has."""
    return dict(db.execute("SELECT class, amount FROM limits WHERE tenant = ?", (tenant,)))


def over(db: sqlite3.Connection, tenant: str, needed: Mapping[str, int]) -> str:
    """Say which limit `needed` would pass, with the numbers; empty if none."""
    limits = limits_of(db, tenant)
    if not limits.keys() & needed.keys():
        return ""
    in_use = used(db, tenant)
    return ", ".join(
        f"{word}: {in_use.get(word, 0)} + {amount} > {limits[word]}"
        for word, amount in sorted(needed.items())
        if word in limits and amount > 0 and in_use.get(word, 0) + amount > limits[word]
    )


def known(word: str) -> bool:
    """Whether the cloud has a class of this name."""
    try:
        class_of(word)
    except KeyError:
        return False
    return True
