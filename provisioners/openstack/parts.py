"""What an OpenStack cloud should hold for an object: pure.

A machine is a security group with its rules, and for each of its servers a port, its disks, the
server and perhaps a floating address. They stand on ground that the objects of one system share:
the tenant (a project, and a group that all its ports are members of) and in it one network for
each zone and MLPS level (NET-06).
"""

import hashlib
import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from govcloud.domain.machines import of_spec
from govcloud.ports.cloud import Order, Resource, Value
from provisioners.openstack import adoption, compute, identity, network, openings, storage
from provisioners.openstack.marks import Mark, Marks
from provisioners.openstack.settings import Settings

TENANT: Final = "Tenant"
NETWORK: Final = "Network"
PROJECT: Final = "project"
MEMBERS: Final = "members"
_ZONE: Final = ("ipv6", "subnetPools", "nameservers", "externalNetwork")
"""What of a zone matters to its networks."""
_OF_SYSTEM: Final = ("department", "system", "xinchuang", "project")
"""The tags that are the same for all objects of a system."""
_SYSTEM_DISK: Final = {"size": 50, "type": "hdd"}

Spec = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """Makes the resources of the objects of one cloud."""

    cloud: str
    marks: Marks
    settings: Settings

    def resources(self, order: Order) -> tuple[Resource, ...]:
        """Return an object's resources in rising rank; none for a kind that is not built here."""
        make = _KINDS.get(order.kind)
        if adoption.parts_of(order):
            made: Iterable[Resource] = adoption.resources(order)
        else:
            made = make(self, order) if make else ()
        return tuple(sorted(made, key=lambda resource: resource.rank))

    def ground(self, order: Order) -> Sequence[Order]:
        """Return what an object stands on directly; it is the same for all that share it.

        What was taken over stands where it was found.
        """
        if adoption.parts_of(order):
            return []
        if order.kind in ("VirtualMachine", NETWORK, "Volume"):
            tenant = self._tenant(order)
            return [self._network(order), tenant] if order.kind == "VirtualMachine" else [tenant]
        return []

    def tenant_uid(self, tenant: str) -> str:
        """Return the uid of a tenant's ground."""
        return ground_uid(self.cloud, TENANT, tenant)

    def members(self, order: Order) -> str:
        """Return the word for the group of all machines of an object's system."""
        return f"{self.tenant_uid(tenant_of(order))}/{MEMBERS}"

    def network_uid(self, order: Order) -> str:
        """Return the uid of the network that a machine is connected to."""
        tenant = tenant_of(order)
        return ground_uid(self.cloud, NETWORK, tenant, str(order.spec["zone"]), level_of(order))

    def _tenant(self, order: Order) -> Order:
        tenant = tenant_of(order)
        return _ground(order, TENANT, self.tenant_uid(tenant), tenant, spec={}, tags=_OF_SYSTEM)

    def _network(self, order: Order) -> Order:
        zone, level = str(order.spec["zone"]), level_of(order)
        spec = {"zone": zone, "level": level}
        names = (*_OF_SYSTEM, "zone", "mlps")
        return _ground(
            order, NETWORK, self.network_uid(order), f"{zone}-l{level}", spec=spec, tags=names
        )

    # --- Resources ---

    def made(
        self,
        order: Order,
        part: str,
        kind: str,
        name: str,
        props: Mapping[str, Value],
        **more: Any,
    ) -> Resource:
        """Return a resource of an order, with the tags that its type has room for."""
        mark, tags = Mark(order.uid, part), order.tags
        if kind in (network.RULE, compute.GROUP):
            tags = {}
        elif kind != compute.TYPE and kind not in storage.TYPES:
            facts = {n: str(v) for n, v in props.items() if n in network.FACTS}
            tags = self.marks.fitting(mark, tags, facts)
        more.setdefault("unit", None)
        return Resource(
            order.uid, part, kind, name, tenant_of(order), props=props, tags=tags, **more
        )


def ground_uid(*words: str) -> str:
    """Return the uid of ground: the same wherever it is asked for."""
    return "g" + hashlib.sha256("|".join(words).encode()).hexdigest()[:31]


def is_ground(uid: str) -> bool:
    """Whether a uid may be one of ground: those of approved objects are hexadecimal."""
    return uid.startswith("g")


def tenant_of(order: Order) -> str:
    """Return the tenant that an object's resources live in: one for each system."""
    return identity.tenant_name(order.department, order.system)


def level_of(order: Order) -> str:
    """Return the MLPS level of an object: its system's, else its zone's."""
    security: Any = order.catalogue.get("system", {}).get("security") or {}
    zone = order.catalogue.get("zone", {})
    return str(security.get("mlpsLevel") or zone.get("mlpsLevel") or "")


def _ground(
    order: Order, kind: str, uid: str, name: str, *, spec: Spec, tags: Iterable[str]
) -> Order:
    zone = order.catalogue.get("zone", {})
    return Order(
        uid=uid,
        kind=kind,
        department=order.department,
        name=name,
        system=order.system,
        generation=1,
        spec=spec,
        catalogue={"zone": {n: zone[n] for n in _ZONE if n in zone}} if kind == NETWORK else {},
        tags={n: order.tags[n] for n in tags if order.tags.get(n)},
    )


# --- Ground -------------------------------------------------------------------------------------


def _tenant_parts(parts: Parts, order: Order) -> Iterable[Resource]:
    tenant = tenant_of(order)
    yield parts.made(order, PROJECT, identity.TYPE, tenant, {"enabled": True})
    # On a port the rules of all its groups add up: who gets out is said by the machines' own.
    closed = {"extra": "", "egress": ""}
    yield parts.made(order, MEMBERS, network.GROUP, MEMBERS, closed, rank=1)


def _network_parts(parts: Parts, order: Order) -> Iterable[Resource]:
    zone: Spec = order.catalogue.get("zone", {})
    versions = (4, 6) if zone.get("ipv6", True) else (4,)
    yield parts.made(order, "network", network.NETWORK_TYPE, order.name, {"up": True})
    pools = list(zone.get("subnetPools") or ())
    for version in versions:
        build = {
            "cidr": private_range(order.uid, version),
            "pool": pools[0 if version == 4 else 1] if len(pools) > (version == 6) else "",
            "nameservers": tuple(
                address
                for address in zone.get("nameservers") or ()
                if (":" in address) == (version == 6)
            ),
        }
        props: dict[str, Value] = {"network": "network", "version": version}
        yield parts.made(
            order,
            f"subnet{version}",
            network.SUBNET,
            f"{order.name}-v{version}",
            props,
            rank=1,
            build=build,
            immutable=frozenset(props),
        )
    if outside := zone.get("externalNetwork"):
        inside = " ".join(f"subnet{version}" for version in versions)
        yield parts.made(
            order,
            "router",
            network.ROUTER,
            order.name,
            {"up": True, "gateway": True, "subnets": inside},
            rank=2,
            build={"external_network": outside},
        )


def private_range(uid: str, version: int) -> str:
    """Return a range of private addresses, the same for the same network."""
    digest = hashlib.sha256(uid.encode()).digest()
    if version == 4:
        return f"10.{digest[0]}.{digest[1]}.0/24"
    return str(ipaddress.IPv6Network((b"\xfd" + digest[:5] + bytes(10), 64)))


# --- Machines -----------------------------------------------------------------------------------


def _machine_parts(parts: Parts, order: Order) -> Iterable[Resource]:
    spec: Spec = order.spec
    egress = openings.egress(order, parts.members(order))
    yield parts.made(order, "group", network.GROUP, order.name, {"extra": "", "egress": egress})
    if spec.get("antiAffinity"):
        policy: Mapping[str, Value] = {"policy": "soft-anti-affinity"}
        immutable = frozenset(policy)
        yield parts.made(order, "affinity", compute.GROUP, "", policy, immutable=immutable)
    yield from _rules(parts, order)
    for number in of_spec(spec):
        yield from _one_machine(parts, order, number)


def _one_machine(parts: Parts, order: Order, number: int) -> Iterable[Resource]:
    spec, name = order.spec, f"{order.name}-{number}"
    disks = list(_disks(parts, order, number))
    yield from disks
    net: Any = spec.get("network") or {}
    zone: Spec = order.catalogue.get("zone", {})
    ground = parts.network_uid(order)
    groups = sorted(("group", parts.members(order)))
    yield parts.made(
        order,
        f"port-{number}",
        network.PORT,
        name,
        {"groups": " ".join(groups), "up": True, "network": ground},
        rank=1,
        immutable=frozenset({"network"}),
        build={
            "network_mark": f"{ground}/network",
            "only_subnet": ""
            if openings.dual(order) or not zone.get("ipv6", True)
            else f"{ground}/subnet4",
        },
    )
    yield _server(parts, order, number, [disk.part for disk in disks])
    if net.get("floatingIp"):
        yield parts.made(
            order,
            f"address-{number}",
            network.ADDRESS,
            "",
            {"attached_to": f"port-{number}", "pool": zone.get("externalNetwork") or ""},
            rank=2,
            immutable=frozenset({"pool"}),
        )


def _disks(parts: Parts, order: Order, number: int) -> Iterable[Resource]:
    spec, zone = order.spec, order.catalogue.get("zone", {})
    name, build = f"{order.name}-{number}", {"host_zone": zone.get("volumeZone") or ""}
    system: Any = spec.get("systemDisk") or _SYSTEM_DISK
    data: Any = spec.get("dataDisks") or ()
    image = str(spec.get("image") or "")
    if parts.settings.boot_from_volume:
        yield parts.made(
            order,
            f"disk-{number}",
            storage.DISK,
            f"{name}-system",
            {"size": system["size"], "storage": system.get("type", "hdd"), "image": image},
            rank=1,
            immutable=frozenset({"image"}),
            build={**build, "image": _called(parts, order, "image")},
        )
    for index, disk in enumerate(data):
        props = {"size": disk["size"], "storage": disk.get("type", "hdd"), "image": ""}
        part, title = f"data-{number}-{index}", f"{name}-data-{index}"
        yield parts.made(order, part, storage.DISK, title, props, rank=1, build=build, data=True)


def _server(parts: Parts, order: Order, number: int, disks: Sequence[str]) -> Resource:
    spec: Spec = order.spec
    size: Spec = order.catalogue.get("flavor") or spec
    name, key = f"{order.name}-{number}", str(spec.get("key") or "")
    props: dict[str, Value] = {
        "name": name,
        "vcpu": size.get("vcpu"),
        "memory": size.get("memory"),
        "power": str(spec.get("power", "on")),
        "confirmed": True,
        "disks": " ".join(sorted(disks)),
        "ports": f"port-{number}",
        "image": str(spec.get("image") or ""),
        "zone": str(spec.get("zone") or ""),
        "key": _hashed(key),
        "cloud_init": _hashed(str(spec.get("cloudInit") or "")),
        "anti_affinity": "true" if spec.get("antiAffinity") else "false",
    }
    return parts.made(
        order,
        f"server-{number}",
        compute.TYPE,
        name,
        props,
        rank=2,
        unit=number,
        immutable=frozenset(compute.FACTS),
        build={**_told(order, name, key), **_built_of(parts, order, disks)},
    )


def _hashed(text: str) -> str:
    """Return what tells a text from another one, where there is no room for it."""
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""


def _built_of(parts: Parts, order: Order, disks: Sequence[str]) -> dict[str, object]:
    boot = next((disk for disk in disks if disk.startswith("disk-")), "")
    return {
        "object": order.name,
        "flavor": _mapped(parts, order, "flavor"),
        "flavor_name": str(order.spec.get("flavor") or ""),
        "image": _called(parts, order, "image"),
        "boot_volume": boot,
        "host_zone": order.catalogue.get("zone", {}).get("hostZone") or "",
        "server_group": "affinity" if order.spec.get("antiAffinity") else "",
    }


def _told(order: Order, name: str, key: str) -> dict[str, object]:
    """Return what the machine itself is told at its first start."""
    zone: Any = order.catalogue.get("zone", {})
    return {
        "hostname": name,
        "fqdn": f"{name}.{order.system}.{order.department}.internal",
        "department": order.department,
        "system": order.system,
        "key": key,
        "addition": str(order.spec.get("cloudInit") or ""),
        "hardening": bool(order.catalogue.get("image", {}).get("hardening", True)),
        "ntp_servers": tuple(zone.get("ntpServers") or ()),
    }


def _mapped(parts: Parts, order: Order, word: str) -> str:
    """Return what the catalogue says a reference is called in this cloud; empty if it does not."""
    clouds: Any = order.catalogue.get(word, {}).get("clouds") or {}
    return str(clouds.get(parts.cloud) or "")


def _called(parts: Parts, order: Order, word: str) -> str:
    return _mapped(parts, order, word) or str(order.spec.get(word) or "")


def _rules(parts: Parts, order: Order) -> Iterable[Resource]:
    for words in openings.ingress(order, parts.members(order)):
        yield parts.made(
            order,
            f"rule-{hashlib.sha256(words.encode()).hexdigest()[:8]}",
            network.RULE,
            "",
            {"rule": words},
            rank=1,
            within="group",
            immutable=frozenset({"rule"}),
            build={"group": "group"},
        )


# --- Volumes ------------------------------------------------------------------------------------


def _volume_parts(parts: Parts, order: Order) -> Iterable[Resource]:
    spec: Spec = order.spec
    props: dict[str, Value] = {
        "size": spec.get("size"),
        "storage": spec.get("type", "hdd"),
        "attached_to": str(spec.get("attachTo") or ""),
    }
    yield parts.made(order, storage.VOLUME_PART, storage.TYPE, order.name, props, unit=0)


_KINDS: Final[Mapping[str, Callable[[Parts, Order], Iterable[Resource]]]] = {
    "VirtualMachine": _machine_parts,
    "Volume": _volume_parts,
    TENANT: _tenant_parts,
    NETWORK: _network_parts,
}
