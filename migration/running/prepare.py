"""What a system's move may look like by what is known of its hosts, to be completed. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from govcloud.domain.kinds.estate import LegacyHostSpec
from migration.assessment.facts import NO_FACTS
from migration.assessment.sizing import Size

_ROLES: Final = (
    (("postgres", "postgresql", "人大金仓", "kingbase"), "postgresql"),
    (("mysql", "mariadb"), "mysql"),
    (("nginx",), "nginx"),
)
"""Words in what a host is said to run, and the role that moves it."""


def proposal(
    system: str, hosts: Mapping[str, LegacyHostSpec], sizes: Iterable[Size], zone: str, image: str
) -> dict[str, Any]:
    """Return a `move` in its YAML form: a target a host, a workload a database and a web server."""
    sized = {size.host: size for size in sizes}
    names = {host: _target(host) for host in sorted(hosts)}
    machines = [
        _machine(system, names[host], sized.get(host), zone, image) for host in sorted(hosts)
    ]
    return {
        "trialDays": 30,
        "login": {"user": "root", "keyFile": "/etc/govcloud/keys/room"},
        "sources": [{"host": host} for host in sorted(hosts)],
        "targets": [{"machine": names[host]} for host in sorted(hosts)],
        "machines": machines,
        "workloads": list(_workloads(hosts, names)),
        "health": [],
    }


def _target(host: str) -> str:
    return f"{host[:58]}-new"


def _machine(system: str, name: str, size: Size | None, zone: str, image: str) -> dict[str, Any]:
    spec: dict[str, Any] = {"system": system, "zone": zone, "image": image}
    if size is not None and size.flavor:
        spec["flavor"] = size.flavor
    else:
        spec["vcpu"] = (size.vcpu if size else None) or 2
        spec["memory"] = f"{(size.memory if size else None) or 4096}Mi"
    if size is not None and size.storage:
        spec["dataDisks"] = [{"size": f"{size.storage}Gi"}]
    return {
        "apiVersion": "govcloud.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": spec,
    }


def _workloads(
    hosts: Mapping[str, LegacyHostSpec], names: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield databases first: what serves needs them."""
    found = [(role, host) for host in sorted(hosts) for role in _roles(hosts[host])]
    databases = ("postgresql", "mysql")
    for role, host in sorted(found, key=lambda one: (one[0] not in databases, one)):
        yield {
            "name": f"{role.replace('_', '-')}-{host}"[:63].rstrip("-"),
            "role": role,
            "source": host,
            "target": names[host],
            "settings": {},
        }


def _roles(host: LegacyHostSpec) -> list[str]:
    facts = host.facts or NO_FACTS
    said = " ".join([*facts.databases, facts.middleware or ""]).lower()
    known = [role for words, role in _ROLES if any(word in said for word in words)]
    return known or ["files"]
