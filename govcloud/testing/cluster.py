"""What tests of the Kubernetes driver need: orders, and a cluster that can be tampered with."""

import ssl
from collections.abc import Mapping
from itertools import count
from typing import Any, Final
from uuid import uuid4

from govcloud.errors import TransientCloudError
from govcloud.ports.cloud import CloudAddress, Observed, Order, Provisioner
from govcloud.testing.contracts import Unsupported
from govcloud.testing.kubernetes import ControlPlane
from govcloud.testing.meanwhile import wait_until
from govcloud.testing.proxy import Proxy, Rule
from provisioners.kubernetes.driver import KubernetesProvisioner, open_cluster
from provisioners.kubernetes.types import BY_WORD, NAMESPACE

MERGE: Final = "application/merge-patch+json"
SERVICE: Final = "kubernetes"
_PATIENCE_S: Final = 60.0
_METHODS: Final = {"create": "PATCH", "change": "PATCH", "delete": "DELETE"}

SPEC: Final[Mapping[str, Any]] = {
    "system": "portal",
    "zone": "public",
    "cpu": 4000,
    "memory": 8192,
    "storage": {"ssd": 50},
    "pods": 30,
    "gpu": 0,
    "objects": {"secrets": 20},
    "containers": {
        "request": {"cpu": 100, "memory": 128},
        "limit": {"cpu": 500, "memory": 512},
        "max": {"cpu": 2000},
    },
    "access": {"view": ["auditor"], "edit": ["applicant"], "admin": []},
    "network": {
        "internal": True,
        "fromNamespaces": ["cluster:ingress-nginx"],
        "toNamespaces": [],
        "fromZones": ["public"],
        "toZones": [],
        "fromCidrs": ["10.1.0.0/16", "fd00:1::/64"],
        "toCidrs": [],
    },
    "podSecurity": "restricted",
    "environment": "production",
}
"""A namespace's spec in its base form."""


def namespace_order(
    number: int = 0, *, department: str = "hrss", uid: str = "", **spec: Any
) -> Order:
    """Return an order for a namespace; `spec` overrides fields of `SPEC`."""
    return Order(
        uid=uid or f"{department}-{number:04}",
        kind="Namespace",
        department=department,
        name=f"portal-{number}",
        system="portal",
        generation=1,
        spec={**SPEC, **spec},
        catalogue={"zone": {"type": "extranet-public", "mlpsLevel": 3, "ipv6": True}},
        tags={
            "department": department,
            "system": "portal",
            "project": "某市政务云一期 (2026)",
            "request": "REQ-2026-0001",
            "zone": "public",
            "mlps": "3",
            "environment": "production",
            "lease-end": "2027-06-30",
            "digest": "sha256:" + "0" * 64,
        },
    )


class Cluster:
    """A control plane behind a proxy, as one test's own: its objects are told from other tests'."""

    def __init__(self, plane: ControlPlane, **connection: str) -> None:
        self.plane = plane
        self.department = f"t{uuid4().hex[:8]}"
        self.proxy = Proxy({SERVICE: plane.url}, ssl.create_default_context(cafile=plane.ca_file))
        self.proxy.__enter__()
        self._connection = connection
        self._numbers = count()
        self._opened: list[KubernetesProvisioner] = []

    def connection(self) -> dict[str, str]:
        """Return what a `Cloud` document says of the cluster, through the proxy."""
        there = self.plane.connection() | {"endpoint": self.proxy.url(SERVICE)}
        del there["ca-file"]  # the proxy speaks no TLS
        return there | {"pageSize": "5"} | self._connection

    # --- The harness of the contract ---

    def open(self, installation: str = "test") -> KubernetesProvisioner:
        """Return a driver; closed with the cluster."""
        name = f"{installation}-{self.department}"
        opened = open_cluster(CloudAddress("k8s", self.connection(), name, ""))
        self._opened.append(opened)
        return opened

    def order(self, number: int, *, count: int = 1, grown: bool = False) -> Order:
        """Return an order for a namespace, a larger one in every part if `grown`."""
        del count  # an object is one namespace
        grown_spec: dict[str, Any] = {"podSecurity": "baseline", "cpu": 6000} if grown else {}
        return namespace_order(number, department=self.department, **grown_spec)

    def settle(self) -> None:
        """Wait until no namespace of this test ends and all quotas count."""
        wait_until(lambda: not any(map(self._moving, self._items())))

    def foreign(self, name: str, tenant: str) -> str:
        """Make a namespace without a mark.

        A name of no test's own gets an end: other tests may have used it, and deletion takes long.
        """
        del tenant  # a namespace lives in no other
        own = name.startswith(self.department)
        return str(self.namespace(name if own else f"{name}-{self.department}")["metadata"]["uid"])

    def unmark(self, observed: Observed) -> None:
        """Take the mark from an object, both where it is selected by and where it is kept."""
        off = {"labels": {"govcloud.io/uid": None}, "annotations": {"govcloud.io/mark": None}}
        self.patch(observed, {"metadata": off})

    def remove(self, observed: Observed) -> None:
        """Remove an object and wait until it is gone."""
        path = path_of(observed)
        self.plane.call("DELETE", path)
        wait_until(lambda: self.plane.look(path) is None)

    def jam(self, observed: Observed) -> None:
        """Say that a cluster refuses no deletion."""
        raise Unsupported(f"a {observed.type} is always let go")

    def lose_answer(self, method: str) -> None:
        """Let the next call of `method` take effect without an answer."""
        self.proxy.add(Rule(method=_METHODS[method], lost=True))

    def break_down(self) -> type[TransientCloudError]:
        """Let no call arrive any more."""
        self.proxy.add(Rule(cut=True, times=None))
        return TransientCloudError

    def calls(self, provisioner: Provisioner) -> int:
        """Return how many calls a driver from `open` has made."""
        assert isinstance(provisioner, KubernetesProvisioner)
        return sum(provisioner.calls.values())

    # --- What happens behind the driver's back ---

    def namespace(self, name: str, **labels: str) -> Any:
        """Make a namespace as anybody would and return it."""
        body = {"metadata": {"name": name, "labels": labels}}
        return self.plane.call("POST", NAMESPACE.everywhere, body)

    def patch(self, observed: Observed, body: object, *, manager: str = "kubectl-edit") -> Any:
        """Change an object as somebody else would."""
        path = f"{path_of(observed)}?fieldManager={manager}"
        return self.plane.call("PATCH", path, body, kind=MERGE)

    def watches(self) -> int:
        """Return how many watches were begun through the proxy."""
        return sum("watch=true" in call.query for call in self.proxy.calls)

    def pod(self, namespace: str, name: str = "", **resources: str) -> Any:
        """Make a pod that no node will ever run, once the namespace has its account for pods."""
        account = f"{NAMESPACE.everywhere}/{namespace}/serviceaccounts/default"
        wait_until(lambda: self.plane.look(account) is not None)
        wanted = resources or {"cpu": "100m", "memory": "64Mi"}
        container = {
            "name": "main",
            "image": "registry.test/pause",
            "resources": {"requests": wanted, "limits": wanted},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        context = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        spec = {"containers": [container], "securityContext": context}
        name = name or f"pod-{next(self._numbers)}"
        body = {"metadata": {"name": name}, "spec": spec}
        return self.plane.call("POST", f"{NAMESPACE.everywhere}/{namespace}/pods", body)

    def _items(self) -> list[Any]:
        chosen = f"?labelSelector=govcloud.io/department={self.department}"
        return [
            item
            for kind in (NAMESPACE, BY_WORD["quota"])
            for item in self.plane.call("GET", kind.everywhere + chosen)["items"]
        ]

    @staticmethod
    def _moving(item: Any) -> bool:
        hard = item.get("spec", {}).get("hard")
        behind = hard is not None and item.get("status", {}).get("hard") != hard
        return behind or "deletionTimestamp" in item["metadata"]

    def close(self) -> None:
        """Close what was opened and let go of the namespaces without waiting."""
        while self._opened:
            self._opened.pop().close()
        self.proxy.__exit__()
        for item in self._items():
            if item["metadata"].get("namespace") is None:
                self.plane.call("DELETE", f"{NAMESPACE.everywhere}/{item['metadata']['name']}")


def path_of(observed: Observed) -> str:
    """Return the path of an object."""
    return BY_WORD[observed.type].path(observed.tenant, observed.name)
