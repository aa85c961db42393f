"""What `doctor` says of a region: services, versions, rights and extensions that are missing."""

from collections.abc import Callable
from functools import partial
from typing import Final

from govcloud.errors import CloudError, Text
from govcloud.messages import told
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
    features, problems = set(FEATURES), list[Text]()
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
        lacking = [name for name in _EXTENSIONS if name not in aliases]
        problems += [Text("openstack.no_extension", {"name": name}) for name in lacking]
        if "router" in aliases:
            features.add("floating-ips")
        else:
            problems.append(Text("openstack.no_routers"))
    return CloudReport(", ".join(filter(None, versions)), frozenset(features), tuple(problems))


def _without(service: str, door: Door) -> list[Text]:
    """Return what it means that a region lacks a service; a region may do without volumes."""
    params = {"service": service}
    if service in _NEEDED:
        return [Text("openstack.no_service", params)]
    if door.settings.volumes:
        return [Text("openstack.no_volumes_said", params)]
    if door.settings.boot_from_volume:
        return [Text("openstack.no_volumes_to_boot", params)]
    return []


def _version(door: Door, service: str, problems: list[Text]) -> str:
    low, high = door.versions(service)
    if not high:
        return service
    if tuple(map(int, high.split("."))) < VERSIONS[service]:
        asked = ".".join(map(str, VERSIONS[service]))
        params = {"service": service, "high": high, "asked": asked}
        problems.append(Text("openstack.too_old", params))
    return f"{service} {low}-{high}"


def _rights(door: Door, identity: Identity, features: set[str]) -> list[Text]:
    asks: list[tuple[str, Callable[[], object]]] = [(IDENTITY, identity.rows)]
    asks += [
        (f"{service} {url}", partial(door.get, service, url, params=params))
        for service, url, params in _RIGHTS
        if service in features
    ]
    refused: list[Text] = []
    for what, ask in asks:
        try:
            ask()
        except CloudError as error:
            params = {"what": what, "fault": told(error)}
            refused.append(Text("openstack.refused", params))
    return refused


def _extensions(door: Door) -> set[str]:
    rows = door.get(NETWORK, "/extensions").get("extensions", [])
    return {str(row["alias"]) for row in rows}
