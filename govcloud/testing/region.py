"""A region of a real OpenStack as tests see it: orders, what happens to it, tidying up.

Each region has an installation and a domain of its own, so that tests share one cloud without
seeing each other's resources. Several tests may use one region, one after the other (`begin`): its
ground is made once, and each test has objects of its own.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from openstack import exceptions
from openstack.connection import Connection

from govcloud.errors import TransientCloudError
from govcloud.ports.cloud import CloudAddress, Observed, Order, Provisioner, State
from govcloud.testing.contracts import Unsupported
from govcloud.testing.meanwhile import wait_until
from govcloud.testing.openstack import OpenStack
from govcloud.testing.proxy import Proxy, Rule
from govcloud.testing.world import machine_order, volume_order
from provisioners.openstack.catalogue import Catalogue
from provisioners.openstack.compute import Compute
from provisioners.openstack.driver import OpenStackProvisioner, open_cloud
from provisioners.openstack.identity import Identity, tenant_name
from provisioners.openstack.marks import Marks
from provisioners.openstack.network import View
from provisioners.openstack.parts import Parts
from provisioners.openstack.session import Door
from provisioners.openstack.settings import read_settings
from provisioners.openstack.storage import TYPES as VOLUMES
from provisioners.openstack.storage import Storage

PATIENCE_S: Final = 600.0
_LOOK_S: Final = 0.5
"""Each look keeps the lab from what is waited for."""
_MOVING: Final = frozenset({State.BUILDING, State.CHANGING, State.DELETING})
ZONE: Final[Mapping[str, object]] = {
    "type": "extranet-public",
    "mlpsLevel": 3,
    "ipv6": True,
    "externalNetwork": "public",
}
_NUMBERS: Final = 100
"""How far the numbers of one test's orders are from the next one's."""
_WRITES: Final = {"create": "POST", "delete": "DELETE"}
_LOGIN: Final = r"^(?!.*/auth/tokens).*(servers|volumes|ports|security-groups|floatingips)"


class Region:
    """The harness of the driver's contract tests, and what its other tests need."""

    def __init__(
        self,
        cloud: OpenStack,
        proxy: Proxy,
        *,
        kind: str = "VirtualMachine",
        direct: Path | None = None,
        connection: Mapping[str, str] | None = None,
    ) -> None:
        self.cloud = cloud
        self.proxy = proxy
        self.kind = kind
        self.installation = f"t{token_hex(4)}"
        self.name = self.installation
        self._connection = {**cloud.connection, **(connection or {})}
        self._direct = {**self._connection, "config-file": str(direct or cloud.file)}
        self._opened: list[Provisioner] = []
        self._installations = [self.installation]
        self._watching: dict[str, Watcher] = {}
        self._before = 0

    def begin(self) -> None:
        """Begin a test in a region that others have used: what they left is none of its affair."""
        self.proxy.clear()
        while self._opened:
            self._opened.pop().close()
        if self._before:
            with self.cloud.connect() as admin:
                for project in self._projects(admin):
                    unlimited(admin, project.id)
        self._before += _NUMBERS

    # --- The harness ---

    def open(self, installation: str = "") -> OpenStackProvisioner:
        """Return a further driver; another installation has a domain of its own, too."""
        name = f"{self.installation}-{installation}" if installation else self.installation
        if name not in self._installations:
            self._installations.append(name)
        return self._opened_as(name, self._connection)

    def order(self, number: int, *, count: int = 1, grown: bool = False) -> Order:
        """Return an order for machines or a volume, larger ones if `grown`."""
        number += self._before
        if self.kind == "Volume":
            order = volume_order(number, size=3 if grown else 2)
            catalogue = {"zone": ZONE}
        else:
            order = machine_order(number, count=count, vcpu=4 if grown else 2)
            catalogue = {
                "flavor": {"vcpu": 4, "memory": 8192} if grown else {"vcpu": 2, "memory": 4096},
                "image": {"os": "Debian 12"},
                "zone": ZONE,
            }
        spec = {**order.spec, **(_MACHINE if self.kind == "VirtualMachine" else {})}
        # Of one department: otherwise the ground, which carries its tag, changed with each order.
        tags = {**order.tags, "department": "contract", "zone": "public", "digest": "d" * 64}
        return replace(order, department="contract", spec=spec, catalogue=catalogue, tags=tags)

    def settle(self) -> None:
        """Return when nothing of ours is under way any more."""
        watchers = self._watchers
        wait_until(lambda: not any(map(self._moving, watchers)), PATIENCE_S, look_s=_LOOK_S)

    def _moving(self, watcher: "Watcher") -> list[Observed]:
        """Return what is under way of this test's; what earlier ones deleted may take its time."""
        moving = [item for item in watcher.look() if item.state in _MOVING]
        return [item for item in moving if self._is_ours(item)]

    def _is_ours(self, item: Observed) -> bool:
        number = item.uid.rpartition("-")[2]
        if number.isdigit():
            return int(number) >= self._before
        return bool(item.uid) or item.tenant == tenant_name("contract", "portal")

    def foreign(self, name: str, tenant: str) -> str:
        """Make a volume that carries no mark, in a tenant of ours."""
        with self._in_tenant(tenant) as connection:
            volume = connection.block_storage.create_volume(name=name, size=1)
            connection.block_storage.wait_for_status(volume, interval=0.3)
        return str(volume.id)

    def unmark(self, observed: Observed) -> None:
        """Take the mark from a resource."""
        with self.cloud.connect() as admin:
            _UNMARK[observed.type](admin, observed.id)

    def remove(self, observed: Observed) -> None:
        """Remove a resource behind the driver's back."""
        with self.cloud.connect() as admin:
            _REMOVE[observed.type](admin, observed.id)
        watcher = self._watchers[0]
        wait_until(
            lambda: observed.id not in {o.id for o in watcher.look()}, PATIENCE_S, look_s=_LOOK_S
        )

    def jam(self, observed: Observed) -> None:
        """Put a volume in a state in which Cinder does not let it go; Nova has none such."""
        if observed.type not in VOLUMES:
            raise Unsupported(f"a {observed.type} is always let go")
        with self.cloud.connect() as admin:
            admin.block_storage.reset_volume_status(observed.id, "maintenance", "detached", None)

    def lose_answer(self, method: str) -> None:
        """Let the next call of `method` take effect without an answer."""
        self.proxy.add(Rule(method=_WRITES[method], path=_LOGIN, lost=True))

    def break_down(self) -> type[TransientCloudError]:
        """Let the cloud answer nothing more."""
        self.proxy.add(Rule(cut=True, times=None))
        return TransientCloudError

    def calls(self, provisioner: Provisioner) -> int:
        """Return how many calls of the cloud all drivers have made."""
        del provisioner
        return self.proxy.count()

    # --- What else tests do ---

    @property
    def _watchers(self) -> list["Watcher"]:
        """What looks past the proxy, whose rules and counts are the test's."""
        for installation in self._installations:
            if installation not in self._watching:
                self._watching[installation] = Watcher(self._direct, installation)
        return list(self._watching.values())

    def _opened_as(self, installation: str, connection: Mapping[str, str]) -> OpenStackProvisioner:
        driver = open_cloud(CloudAddress(self.name, connection, installation, ""))
        assert isinstance(driver, OpenStackProvisioner)
        self._opened.append(driver)
        return driver

    def _in_tenant(self, tenant: str) -> Any:
        with self.cloud.connect() as admin:
            identity: Any = admin.identity  # of version 3, which the type does not say
            domain = self._domains(admin)[0]
            project = identity.find_project(tenant, domain_id=domain.id, ignore_missing=False)
            role = identity.find_role("member")
            identity.assign_project_role_to_user(project, admin.current_user_id, role)
        return self.cloud.connect(project_id=project.id)

    def _projects(self, admin: Connection) -> Iterator[Any]:
        identity: Any = admin.identity
        for domain in self._domains(admin):
            yield from identity.projects(domain_id=domain.id)

    def _domains(self, admin: Connection) -> Sequence[Any]:
        identity: Any = admin.identity
        found = [d for d in identity.domains() if self.installation in d.name]
        return sorted(found, key=lambda domain: len(domain.name))

    # --- Tidying up ---

    def close(self) -> None:
        """Close what was opened and remove all that is in the domains of this region."""
        self.proxy.clear()
        while self._opened:
            self._opened.pop().close()
        for watcher in self._watching.values():
            watcher.close()
        with self.cloud.connect() as admin:
            clear_domains(admin, self.installation)


class Watcher:
    """Looks at what takes time, and at nothing else: servers and volumes."""

    def __init__(self, connection: Mapping[str, str], installation: str) -> None:
        settings, marks = read_settings(connection), Marks(installation)
        self._door = Door(settings)
        identity = Identity(self._door, marks, Parts(installation, marks, settings).tenant_uid)
        catalogue = Catalogue(self._door)
        self._identity = identity
        self._compute = Compute(self._door, marks, identity, catalogue)
        self._storage = Storage(self._door, marks, identity, catalogue)

    def look(self) -> list[Observed]:
        """Return the servers and volumes of all projects."""
        if not self._identity.known():
            self._identity.rows()
        servers = [row for page in self._compute.pages() for row in page]
        volumes = [row for page in self._storage.pages() for row in page]
        found = [self._compute.observed(row, {}, View()) for row in servers]
        return found + [self._storage.observed(row, {}) for row in volumes]

    def close(self) -> None:
        """Give the connections back."""
        self._door.close()


def unlimited(admin: Any, project: str) -> None:
    """Let no quota of a project stand in the way."""
    admin.compute.update_quota_set(project, instances=-1, cores=-1, ram=-1)
    url = f"/os-quota-sets/{project}"  # each volume type has limits of its own there
    limits = admin.block_storage.get(url).json()["quota_set"].keys() - {"id"}
    body = {"quota_set": dict.fromkeys(limits, -1)}
    exceptions.raise_from_response(admin.block_storage.put(url, json=body))
    admin.network.update_quota(project, port=-1)


def clear_domains(admin: Connection, text: str) -> None:
    """Remove the domains whose names have a text in them, with all that is in them."""
    identity: Any = admin.identity
    domains = [found for found in identity.domains() if text in found.name]
    projects = [p for domain in domains for p in identity.projects(domain_id=domain.id)]
    _clear(admin, [project.id for project in projects])
    for project in projects:
        identity.delete_project(project)
    for domain in domains:
        identity.update_domain(domain, is_enabled=False)
        identity.delete_domain(domain)


_MACHINE: Final[Mapping[str, object]] = {
    "image": "debian-12",
    "systemDisk": {"size": 2, "type": "hdd"},
    "dataDisks": [],  # eight machines at once stay within the quota of a new project
    "network": {
        "ipv6": True,
        "floatingIp": False,
        "allow": [{"ports": [443], "source": "system"}, {"ports": [22], "source": "10.0.0.0/8"}],
    },
}

Act = Callable[[Any, str], object]


def _unmark_server(admin: Any, key: str) -> None:
    admin.compute.delete_server_metadata(key, ["govcloud:mark"])


def _unmark_volume(admin: Any, key: str) -> None:
    admin.block_storage.delete_volume_metadata(key, ["govcloud:mark"])


_UNMARK: Final[Mapping[str, Act]] = {
    "server": _unmark_server,
    "volume": _unmark_volume,
    "disk": _unmark_volume,
    "port": lambda admin, key: admin.network.update_port(key, description=""),
    "floating-ip": lambda admin, key: admin.network.update_ip(key, description=""),
    "security-group": lambda admin, key: admin.network.update_security_group(key, description=""),
}
_REMOVE: Final[Mapping[str, Act]] = {
    "server": lambda admin, key: admin.compute.delete_server(key),
    "volume": lambda admin, key: admin.block_storage.delete_volume(key),
    "disk": lambda admin, key: admin.block_storage.delete_volume(key),
    "port": lambda admin, key: admin.network.delete_port(key),
    "floating-ip": lambda admin, key: admin.network.delete_ip(key),
    "security-group": lambda admin, key: admin.network.delete_security_group(key),
}


def _clear(admin: Any, projects: Sequence[str]) -> None:
    """Remove all that projects have, in the order in which one thing needs another."""

    def rows(listing: Callable[..., Iterator[Any]], **how: Any) -> Iterator[Any]:
        for project in projects:
            yield from listing(all_projects=True, project_id=project, **how)

    compute, storage = admin.compute, admin.block_storage
    _remove_all(lambda: rows(compute.servers, details=False), compute.delete_server)
    for group in compute.server_groups(all_projects=True):
        if group.project_id in projects:
            compute.delete_server_group(group)
    _remove_all(lambda: rows(storage.volumes), storage.delete_volume)
    for project in projects:
        _clear_network(admin.network, project)


def _remove_all(listing: Callable[[], Iterator[Any]], drop: Callable[[Any], object]) -> None:
    """Remove all that is listed, also what does not let itself be removed at once."""
    until, asked = time.monotonic() + PATIENCE_S, set[str]()
    while rows := list(listing()):
        for row in rows:
            if row.id not in asked:
                with suppress(exceptions.BadRequestException, exceptions.NotFoundException):
                    drop(row)
                    asked.add(row.id)
        if time.monotonic() > until:
            raise AssertionError(f"still there: {rows}")
        time.sleep(0.5)


def _clear_network(network: Any, project: str) -> None:
    for address in network.ips(project_id=project):
        network.delete_ip(address)
    for router in network.routers(project_id=project):
        for port in network.ports(device_id=router.id):
            if port.device_owner == "network:router_interface":
                network.remove_interface_from_router(router, port_id=port.id)
        network.delete_router(router)
    for rows, drop in _network_things(network, project):
        for row in rows:
            drop(row)


def _network_things(network: Any, project: str) -> Iterator[tuple[Any, Callable[[Any], object]]]:
    mine = {"project_id": project}
    yield network.ports(**mine), network.delete_port
    yield network.subnets(**mine), network.delete_subnet
    yield network.networks(**mine), network.delete_network
    yield network.security_groups(**mine), network.delete_security_group
