"""Everything that is in an OpenStack cloud, to prove that nothing was left over."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from openstack.connection import Connection

from govcloud.testing.openstack import OpenStack

_NO_PROJECT: Final = frozenset({"", None})


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """One thing in the cloud; `text` is all that the service says of it, as JSON."""

    kind: str
    id: str
    name: str = field(compare=False, default="")
    project: str = field(compare=False, default="")
    text: str = field(compare=False, default="", repr=False)


Inventory = frozenset[Thing]


def inventory(cloud: OpenStack) -> Inventory:
    """List all that all projects have, in every service, and what the driver's user has."""
    with cloud.connect() as admin, cloud.connect(cloud.cloud) as driver:
        things = {_thing(kind, row) for kind, rows in _LISTS.items() for row in rows(admin)}
        things |= {_thing("keypair", row) for row in driver.compute.keypairs()}
        things |= set(_allocations(admin))
    return frozenset(things)


def carrying(things: Inventory, text: str) -> list[Thing]:
    """Return what carries a text (a mark, an installation, a name) anywhere in what is said of it.

    An empty list means that nothing was left over.
    """
    return sorted(thing for thing in things if text in thing.text)


def of_projects(things: Inventory, projects: Iterable[str]) -> list[Thing]:
    """Return what belongs to these projects, marked or not, and the projects themselves."""
    wanted = set(projects)
    return sorted(thing for thing in things if {thing.project, thing.id} & wanted)


def orphans(things: Inventory) -> list[Thing]:
    """Return what belongs to nobody: its project, or the server that it served, is gone."""
    projects = {thing.id for thing in things if thing.kind == "project"} | _NO_PROJECT
    servers = {thing.id for thing in things if thing.kind == "server"}
    return sorted(
        thing
        for thing in things
        if thing.project not in projects
        or (thing.kind == "allocation" and thing.id.partition("@")[0] not in servers)
    )


_LISTS: Final[dict[str, Callable[[Connection], Iterable[Any]]]] = {
    "server": lambda c: c.compute.servers(all_projects=True),
    "server group": lambda c: c.compute.server_groups(all_projects=True),
    "volume": lambda c: c.block_storage.volumes(all_projects=True),
    "volume snapshot": lambda c: c.block_storage.snapshots(all_projects=True),
    "image": lambda c: c.image.images(),
    "network": lambda c: c.network.networks(),
    "subnet": lambda c: c.network.subnets(),
    "router": lambda c: c.network.routers(),
    "port": lambda c: c.network.ports(),
    "floating address": lambda c: c.network.ips(),
    "security group": lambda c: c.network.security_groups(),
    "project": lambda c: c.identity.projects(),  # type: ignore[union-attr]  # Keystone v2 is gone
}


def _thing(kind: str, row: Any) -> Thing:
    said = row.to_dict()
    project = said.get("project_id") or said.get("owner_id") or ""
    return Thing(
        kind, str(row.id), str(row.name or ""), str(project), json.dumps(said, default=str)
    )


def _allocations(cloud: Connection) -> Iterator[Thing]:
    """Give what Placement has set apart, as `server@host`."""
    for provider in cloud.placement.resource_providers():
        answer = cloud.placement.get(f"/resource_providers/{provider.id}/allocations")
        for server, set_apart in answer.json()["allocations"].items():
            yield Thing("allocation", f"{server}@{provider.name}", text=json.dumps(set_apart))
