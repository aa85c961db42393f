"""What a system's move may look like by what is known of its hosts, to be completed. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from govcloud.domain.kinds.estate import LegacyHostSpec
from govcloud.errors import Text
from migration.assessment.facts import NO_FACTS
from migration.assessment.sizing import Size

_ROLES: Final = (
    (("postgres", "postgresql", "人大金仓", "kingbase"), "postgresql"),
    (("mysql", "mariadb"), "mysql"),
    (("nginx",), "nginx"),
)
"""Words in what a host is said to run, and the role that moves it."""
_DATABASES: Final = ("disk", "postgresql", "mysql")
Carried = Mapping[str, Sequence["Load"]]
"""What hosts carry, by their names in the register."""


@dataclass(frozen=True, slots=True)
class Load:
    """Something that a host carries: the role that moves it, its settings, what to confirm.

    `part` tells those of one role on one host from each other.
    """

    role: str
    settings: Mapping[str, Any]
    notes: Sequence[Text] = ()
    part: str = ""

    def name(self, host: str) -> str:
        """Return what the workload is called."""
        words = (self.role.replace("_", "-"), *([self.part] if self.part else ()), host)
        return "-".join(words)[:63].rstrip("-")


def proposal(
    system: str,
    hosts: Mapping[str, LegacyHostSpec],
    sizes: Iterable[Size],
    zone: str,
    image: str,
    *,
    whole: Collection[str] = (),
    carried: Carried | None = None,
) -> dict[str, Any]:
    """Return a `move` in its YAML form: a target a host, a workload a database and a web server.

    `carried` is what scans found; without it there is only what the register says. The disks of the
    hosts `whole` move as they are, and so do those of hosts with databases that no role moves by
    itself.
    """
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
        "workloads": list(_workloads(system, hosts, names, whole, carried or {})),
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
    system: str,
    hosts: Mapping[str, LegacyHostSpec],
    names: Mapping[str, str],
    whole: Collection[str],
    carried: Carried,
) -> Iterator[dict[str, Any]]:
    """Yield databases first: what serves needs them."""
    found = [
        (load, host)
        for host in sorted(hosts)
        for load in ([Load("disk", {})] if host in whole else _loads(host, hosts[host], carried))
    ]
    for load, host in sorted(found, key=lambda one: one[0].role not in _DATABASES):
        yield {
            "name": load.name(host),
            "role": load.role,
            "source": host,
            "target": names[host],
            **(
                _as_it_is(f"{system}-{host}")
                if load.role == "disk"
                else {"settings": dict(load.settings)}
            ),
        }


def _loads(host: str, spec: LegacyHostSpec, carried: Carried) -> Sequence[Load]:
    return carried.get(host) or [Load(role, {}) for role in _roles(spec)]


def _as_it_is(image: str) -> dict[str, Any]:
    """Return what has to be said of a disk: where it is, and who hands the image in."""
    region = {
        "auth_url": "https://KEYSTONE:5000/v3",
        "username": "USER",
        "project": "PROJECT",
    }
    return {
        "settings": {"device": "/dev/DEVICE", "image": image, **region},
        "secrets": {"password": "env:GOVCLOUD_IMAGE_PASSWORD"},
    }


def _roles(host: LegacyHostSpec) -> list[str]:
    facts = host.facts or NO_FACTS
    said = " ".join([*facts.databases, facts.middleware or ""]).lower()
    known = [role for words, role in _ROLES if any(word in said for word in words)]
    # Files of a database that runs are no copy of it; a disk that is held still is.
    return known or (["disk"] if facts.databases else ["files"])
