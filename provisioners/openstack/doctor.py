"""What `doctor` says of a region: services, versions, rights and extensions that are missing."""

from typing import Final

from govcloud.errors import CloudError
from govcloud.ports.cloud import CloudReport
from provisioners.openstack.identity import Identity
from provisioners.openstack.session import (
    COMPUTE,
    IDENTITY,
    IMAGE,
    NETWORK,
    STORAGE,
    VERSIONS,
    Door,
)

FEATURES: Final = frozenset({"VirtualMachine", "Volume", "quota", "tags"})
_NEEDED: Final = (IDENTITY, COMPUTE, NETWORK, IMAGE)
_EXTENSIONS: Final = ("security-group", "standard-attr-description", "quotas", "quota_details")
_RIGHTS: Final = (
    (COMPUTE, "/servers", {"all_tenants": "1", "limit": 1}),
    (STORAGE, "/volumes", {"all_tenants": "1", "limit": 1}),
)


def examine(door: Door, identity: Identity) -> CloudReport:
    """Return what there is; raises CloudError where nobody can log in."""
    features, problems = set(FEATURES), []
    door.user_id()
    versions = []
    for service in (*_NEEDED, STORAGE):
        if not door.has(service):
            problems += _without(service, door)
            continue
        features.add(service)
        if service in VERSIONS:  # asking the others would tell nothing
            versions.append(_version(door, service, problems))
    problems += _rights(door, identity, features)
    if NETWORK in features:
        aliases = _extensions(door)
        problems += [
            f"network extension {name} is missing" for name in _EXTENSIONS if name not in aliases
        ]
        if "router" in aliases:
            features.add("floating-ips")
        else:
            problems.append("network has no routers: no floating addresses, no way outside")
    return CloudReport(", ".join(filter(None, versions)), frozenset(features), tuple(problems))


def _without(service: str, door: Door) -> list[str]:
    """Return what it means that a region lacks a service; a region may do without volumes."""
    if service in _NEEDED:
        return [f"no service {service}"]
    if door.settings.volumes:
        return [f"no service {service}: where there is none for good, set volumes to false"]
    if door.settings.boot_from_volume:
        return [f"no service {service}: no volumes; set boot-from-volume to false"]
    return []


def _version(door: Door, service: str, problems: list[str]) -> str:
    low, high = door.versions(service)
    if not high:
        return service
    if tuple(map(int, high.split("."))) < VERSIONS[service]:
        asked = ".".join(map(str, VERSIONS[service]))
        problems.append(f"{service} knows microversions up to {high} only, {asked} is needed")
    return f"{service} {low}-{high}"


def _rights(door: Door, identity: Identity, features: set[str]) -> list[str]:
    missing = []
    try:
        identity.rows()
    except CloudError as error:
        missing.append(f"{IDENTITY}: {error.reason} {error.message}")
    for service, url, params in _RIGHTS:
        if service not in features:
            continue
        try:
            door.get(service, url, params=params)
        except CloudError as error:
            missing.append(f"{service} {url}: {error.reason} {error.message}")
    return missing


def _extensions(door: Door) -> set[str]:
    rows = door.get(NETWORK, "/extensions").get("extensions", [])
    return {str(row["alias"]) for row in rows}
