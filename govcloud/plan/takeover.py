"""From what stands in a cloud to the document that takes it over; pure.

What the cloud calls things is turned into what the catalogue calls them. What cannot be told, or
is not in the catalogue, is left to a person and named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from govcloud.domain.base import API_VERSION
from govcloud.plan.discovery import Known
from govcloud.ports.abilities import Standing

Spec = Mapping[str, Any]
_KEPT: Final = ("power",)
_NEEDED: Final = ("cpu", "memory")
_LIMITS: Final = (*_NEEDED, "pods", "podSecurity")


@dataclass(frozen=True, slots=True)
class Target:
    """What it is to become: an object of a system, in a zone where one was chosen."""

    cloud: str
    name: str
    department: str
    system: str
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Takeover:
    """The document, and which of its fields a person has to fill in (with what the cloud says)."""

    document: Mapping[str, Any]
    missing: Mapping[str, object]


def takeover(standing: Standing, target: Target, known: Known) -> Takeover:
    """Return the document that would take something over as it stands."""
    said, missing = standing.spec, dict[str, object]()
    spec: dict[str, Any] = {"system": target.system, "zone": _zone(said, target, known)}
    if not spec["zone"]:
        missing["spec.zone"] = said.get("hostZone") or ""
    if standing.kind == "VirtualMachine":
        spec |= _size(said, target.cloud, known)
        spec["image"] = _mapped(known.images, target.cloud, str(said.get("image") or ""))
        if not spec["image"]:
            missing["spec.image"] = said.get("image") or ""
        if said.get("systemDisk"):
            spec["systemDisk"] = _disk(said["systemDisk"])
        disks: Any = said.get("dataDisks") or ()
        spec |= {"dataDisks": [_disk(disk) for disk in disks]} if disks else {}
        spec |= {word: said[word] for word in _KEPT if said.get(word) == "off"}
        spec |= {"network": {"floatingIp": True}} if said.get("floatingIp") else {}
    elif standing.kind == "Namespace":
        spec |= {word: said[word] for word in _LIMITS if word in said}
        missing |= {f"spec.{word}": "" for word in _NEEDED if word not in said}
    else:
        spec |= _disk(said)
    spec["adopts"] = {"tenant": standing.tenant, "parts": dict(standing.parts)}
    metadata = {"name": target.name, "department": target.department}
    metadata |= {"displayName": standing.name} if standing.name else {}
    document = {
        "apiVersion": API_VERSION,
        "kind": standing.kind,
        "metadata": metadata,
        "spec": {name: value for name, value in spec.items() if value not in ("", None)},
    }
    return Takeover(document, missing)


def _zone(said: Spec, target: Target, known: Known) -> str:
    if target.zone:
        return target.zone
    mine = {n: s for n, s in known.zones.items() if s.get("cloud") == target.cloud}
    there = said.get("hostZone")
    named = [name for name, spec in mine.items() if spec.get("hostZone") == there or name == there]
    return next(iter(named), "") or (next(iter(mine)) if len(mine) == 1 else "")


def _size(said: Spec, cloud: str, known: Known) -> dict[str, Any]:
    vcpu, memory = int(said.get("vcpu") or 0), int(said.get("memory") or 0)
    called = _mapped(known.flavors, cloud, str(said.get("flavor") or ""))
    same = [name for name, size in known.sizes.items() if size[:2] == (vcpu, memory)]
    if called in same or same:
        return {"flavor": called if called in same else same[0]}
    return {"vcpu": vcpu, "memory": f"{memory}Mi"}


def _mapped(known: Mapping[str, Spec], cloud: str, there: str) -> str:
    found = (
        n for n, s in known.items() if there and (s.get("clouds") or {}).get(cloud, n) == there
    )
    return next(found, "")


def _disk(disk: object) -> dict[str, Any]:
    said: Any = disk
    return {"size": f"{said['size']}Gi", "type": said.get("type") or "hdd"}
