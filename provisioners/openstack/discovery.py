"""What a region offers: services, zones, flavors, images, volume types, networks outside."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from govcloud.errors import CloudError
from govcloud.ports.abilities import Offer
from govcloud.ports.cloud import Value
from provisioners.openstack.catalogue import Catalogue
from provisioners.openstack.identity import Identity
from provisioners.openstack.session import COMPUTE, IDENTITY, IMAGE, NETWORK, STORAGE, Door, Json

SERVICES: Final = (IDENTITY, COMPUTE, NETWORK, IMAGE, STORAGE)
_ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}


def discover(door: Door, identity: Identity, catalogue: Catalogue) -> Sequence[Offer]:
    """Return what there is; a service that the region does not have offers nothing."""
    door.user_id()
    services = [name for name in SERVICES if door.has(name)]
    found = [_service(door, name) for name in services]
    if COMPUTE in services:
        found += _zones(door, COMPUTE, "compute")
        found += map(_flavor, catalogue.rows("flavors"))
    if IMAGE in services:
        found += map(_image, catalogue.trusted("images", catalogue.rows("images")))
    if STORAGE in services:
        found += _zones(door, STORAGE, "storage")
        found += _volume_types(door)
    if NETWORK in services:
        found += [Offer("network", str(row["name"])) for row in catalogue.rows("networks")]
    return [*found, Offer("tenants", "", {"count": len(identity.rows())})]


def _service(door: Door, name: str) -> Offer:
    low, high = door.versions(name)
    return Offer("service", name, {"version": f"{low}-{high}" if high else ""})


def _zones(door: Door, service: str, kind: str) -> Iterator[Offer]:
    rows = door.get(service, "/os-availability-zone").get("availabilityZoneInfo") or []
    for row in rows:
        if row.get("zoneState", {}).get("available") and row["zoneName"] != "internal":
            yield Offer("zone", str(row["zoneName"]), {"type": kind})


def _flavor(row: Json) -> Offer:
    facts: dict[str, Value] = {"vcpu": row.get("vcpus"), "memory": row.get("ram")}
    specs: Any = row.get("extra_specs") or {}
    if alias := specs.get("pci_passthrough:alias"):
        with suppress(ValueError):
            facts["gpu"] = int(str(alias).rpartition(":")[2])
    return Offer("flavor", str(row["name"]), facts)


def _image(row: Json) -> Offer:
    words = (row.get("os_distro"), row.get("os_version"))
    arch = str(row.get("architecture") or "")
    facts: dict[str, Value] = {
        "os": " ".join(str(word) for word in words if word) or str(row["name"]),
        "arch": _ARCHITECTURES.get(arch, arch) or None,
        "min_disk": row.get("min_disk") or None,
    }
    return Offer("image", str(row["name"]), {n: v for n, v in facts.items() if v is not None})


def _volume_types(door: Door) -> list[Offer]:
    try:
        rows = door.rows(STORAGE, "/types", "volume_types")
    except CloudError:
        return []  # a region without types has one kind of volume
    named = (str(row["name"]) for row in rows if row.get("is_public", True))
    return [Offer("storage", name) for name in named if not name.startswith("__")]
