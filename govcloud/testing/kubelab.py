"""A small city on a Kubernetes cluster, whose namespaces are approved by hand."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import select
from sqlmodel import col

from govcloud.domain.kinds.platform import CloudSpec
from govcloud.ports.cloud import CloudAddress, Observed, Provisioner
from govcloud.reconcile.settings import Settings
from govcloud.store.tables import EventRow
from govcloud.store.unit import Store
from govcloud.testing.kubernetes import ControlPlane
from govcloud.testing.lab import ADMIN, CLOUD, DEPARTMENT, FLAVORS, SYSTEM, Lab
from provisioners.kubernetes.driver import KubernetesProvisioner, open_cluster
from provisioners.kubernetes.marks import namespace_name

NAMESPACE: Final[Mapping[str, Any]] = {
    "cpu": "4",
    "memory": "8Gi",
    "storage": {"ssd": "50Gi"},
    "pods": 30,
    "access": {"edit": ["applicant"], "view": ["auditor"]},
    "network": {"fromCidrs": ["10.1.0.0/16", "fd00:1::/64"], "fromZones": ["public"]},
}
_CLASSES: Final = ("namespaces", "k8s-cpu", "k8s-memory", "k8s-pods", "k8s-storage.ssd", "gpu")


class KubeLab(Lab):
    """One department with one system on a cluster; `installation` tells tests from each other."""

    def __init__(
        self,
        store: Store,
        connection: Mapping[str, str],
        *,
        installation: str = "",
        settings: Settings | None = None,
    ) -> None:
        super().__init__(store, Path("/nonexistent"), settings=settings)
        self.connection = dict(connection)
        self.installation = installation or f"lab-{uuid4().hex[:8]}"
        self.drivers: list[KubernetesProvisioner] = []

    def found(self, clouds: Iterable[str] = (CLOUD,), **cloud_spec: Any) -> "KubeLab":
        """Write the city: department, system, the cluster with a zone, a large quota."""
        with self.store.unit(ADMIN) as unit:
            self.put(unit, "Department", DEPARTMENT, {"level": "city"})
            self.add_system(unit, SYSTEM)
            for name, spec in FLAVORS.items():
                self.put(unit, "Flavor", name, spec)
            for name in clouds:
                self.add_cluster(unit, name, **cloud_spec)
            self.ledger.revise(unit.session, unit.now, parents={DEPARTMENT: None})
            limits = [self._limit(word) for word in _CLASSES]
            assert not self.ledger.revise(unit.session, unit.now, limits={"all": limits})
        return self

    def add_cluster(self, unit: Any, name: str, **spec: Any) -> None:
        """Write a cluster with a zone: `public` in the first one, else of its name."""
        limits = {"resyncSeconds": 60, "requestsPerSecond": 100_000, **spec.pop("limits", {})}
        base = {"provider": "kubernetes", "connection": self.connection, "limits": limits}
        self.put(unit, "Cloud", name, base | {"kinds": ["Namespace"]} | spec)
        zone = "public" if name == CLOUD else name
        self.put(unit, "Zone", zone, {"cloud": name, "type": "extranet-public", "mlpsLevel": 3})

    def namespace(self, number: int = 0, **spec: Any) -> str:
        """Approve a new namespace and return its uid."""
        return self.approve(self.name_of(number), "Namespace", **{**NAMESPACE, **spec})

    def name_of(self, number: int = 0) -> str:
        """Return what a namespace of this lab is called here; like no other lab's."""
        return f"{self.installation}-{number}"

    def called(self, number: int = 0) -> str:
        """Return what it is called in the cluster."""
        return namespace_name(DEPARTMENT, self.name_of(number))

    def _driver(self, name: str, spec: CloudSpec) -> Provisioner:
        return self.wrap(self.cluster(name, spec.connection))

    def cluster(
        self, name: str = CLOUD, connection: Mapping[str, str] | None = None
    ) -> KubernetesProvisioner:
        """Return a further driver of the cluster."""
        address = CloudAddress(name, connection or self.connection, self.installation, "")
        driver = open_cluster(address)
        self.drivers.append(driver)
        return driver

    def there(self, uid: str | None = None, cloud: str = CLOUD) -> list[Observed]:
        """Return what is marked in the cluster, of one object or of all."""
        driver = self.cluster(cloud)
        try:
            seen = [item for page in driver.observe() for item in page if item.uid]
        finally:
            driver.close()
        return [item for item in seen if uid is None or item.uid == uid]

    def told(self, uid: str) -> list[EventRow]:
        """Return an object's events, oldest first."""
        with self.store.reading() as session:
            statement = select(EventRow).where(col(EventRow.uid) == uid)
            return list(session.execute(statement.order_by(col(EventRow.seq))).scalars())

    def remove_all(self, plane: ControlPlane) -> None:
        """Let go of all namespaces without waiting, and close all drivers."""
        for item in self.there():
            if item.type == "namespace":
                plane.call("DELETE", f"/api/v1/namespaces/{item.name}")
        while self.drivers:
            self.drivers.pop().close()
