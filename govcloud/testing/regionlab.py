"""A small city on a real OpenStack, whose machines are approved by hand."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from govcloud.domain.kinds.platform import CloudSpec
from govcloud.ports.cloud import CloudAddress, Observed, Provisioner
from govcloud.reconcile.controller import Controller
from govcloud.reconcile.settings import Settings
from govcloud.store.unit import Store
from govcloud.testing.lab import ADMIN, CLOUD, DEPARTMENT, SYSTEM, Lab
from govcloud.testing.openstack import OpenStack
from govcloud.testing.region import clear_domains
from provisioners.openstack.driver import OpenStackProvisioner, open_cloud

FLAVORS: Final[Mapping[str, Mapping[str, Any]]] = {
    "small": {"vcpu": 1, "memory": "1Gi"},
    "large": {"vcpu": 2, "memory": "4Gi"},
}
ZONE: Final[Mapping[str, Any]] = {
    "type": "extranet-public",
    "mlpsLevel": 3,
    "externalNetwork": "public",
    "floatingIps": True,
}
MACHINE: Final[Mapping[str, Any]] = {
    "image": "debian-12",
    "flavor": "small",
    "systemDisk": {"size": "2Gi", "type": "hdd"},
    "network": {"allow": [{"ports": [443], "source": "system"}]},
}
_CLASSES: Final = ("vms", "vcpu", "memory", "disk.hdd", "disk.ssd", "volumes", "floating-ips")
SETTINGS: Final = Settings(poll_first_s=0.5, poll_cap_s=3.0, idle_s=0.05, backoff_first_s=0.5)
_ATTEMPTS_MOST: Final = 10


class RegionLab(Lab):
    """One department with one system in a region, with a domain of its own."""

    def __init__(
        self,
        store: Store,
        cloud: OpenStack,
        *,
        installation: str = "",
        settings: Settings | None = None,
    ) -> None:
        super().__init__(store, Path("/nonexistent"), settings=settings or SETTINGS)
        self.region = cloud
        self.connection = dict(cloud.connection)
        self.installation = installation or f"lab-{uuid4().hex[:8]}"
        self.drivers: list[OpenStackProvisioner] = []

    def found(self, clouds: Iterable[str] = (CLOUD,), **cloud_spec: Any) -> "RegionLab":
        """Write the city: department, system, the region with a zone, a large quota."""
        with self.store.unit(ADMIN) as unit:
            self.put(unit, "Department", DEPARTMENT, {"level": "city"})
            self.add_system(unit, SYSTEM)
            for name, spec in FLAVORS.items():
                self.put(unit, "Flavor", name, spec)
            self.put(unit, "Image", "debian-12", {"os": "Debian 12", "minDisk": 1})
            for name in clouds:
                self._add_region(unit, name, **cloud_spec)
            self.ledger.revise(unit.session, unit.now, parents={DEPARTMENT: None})
            limits = [self._limit(word) for word in _CLASSES]
            assert not self.ledger.revise(unit.session, unit.now, limits={"all": limits})
        return self

    def _add_region(self, unit: Any, name: str, **spec: Any) -> None:
        limits = {"resyncSeconds": 60, "requestsPerSecond": 1000, **spec.pop("limits", {})}
        base = {"provider": "openstack", "connection": self.connection, "limits": limits}
        self.put(unit, "Cloud", name, base | spec)
        self.put(unit, "Zone", "public" if name == CLOUD else name, {"cloud": name, **ZONE})

    def machine(self, name: str, **spec: Any) -> str:
        """Approve a new machine and return its uid."""
        return self.approve(name, **{**MACHINE, **spec})

    def _driver(self, name: str, spec: CloudSpec) -> Provisioner:
        return self.wrap(self.driver(name, spec.connection))

    def driver(
        self, name: str = CLOUD, connection: Mapping[str, str] | None = None
    ) -> OpenStackProvisioner:
        """Return a further driver of the region."""
        address = CloudAddress(name, connection or self.connection, self.installation, "")
        driver = open_cloud(address)
        assert isinstance(driver, OpenStackProvisioner)
        self.drivers.append(driver)
        return driver

    def there(self, uid: str | None = None, cloud: str = CLOUD) -> list[Observed]:
        """Return what is marked in the region, of one object or of all."""
        driver = self.driver(cloud)
        seen = [item for page in driver.observe() for item in page if item.uid]
        return [item for item in seen if uid is None or item.uid == uid]

    def finish(self, controller: Controller, cloud: str = CLOUD) -> None:
        """Let a controller work until nothing is left to do."""
        for _ in range(_ATTEMPTS_MOST):
            controller.run_once()
            if not self.queue(cloud):
                return
        waiting = {row.uid: row.attempts for row in self.queue(cloud)}
        raise AssertionError(
            [
                (row.name, row.reason, row.message, waiting[row.uid])
                for row in self.rows()
                if row.uid in waiting
            ]
        )

    def remove_drivers(self) -> None:
        """Close all drivers."""
        while self.drivers:
            self.drivers.pop().close()

    def remove_all(self) -> None:
        """Remove all that is there, and close all drivers."""
        self.remove_drivers()
        with self.region.connect() as admin:
            clear_domains(admin, self.installation)
