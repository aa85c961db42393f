"""What tests of drivers and of the controller need: orders, and a simulated cloud in a folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from govcloud.errors import TransientCloudError
from govcloud.ports.cloud import CloudAddress, Observed, Order, Provisioner
from govcloud.testing.clock import FixedClock
from provisioners.simulated import tamper
from provisioners.simulated.driver import SimulatedProvisioner, open_simulated
from provisioners.simulated.faults import Fault, FaultKind
from provisioners.simulated.file import cloud_file, prepare

INSTALLATION: Final = "test"
LATENCY_S: Final = 10.0
"""How long a test's cloud takes, on the test's clock."""

CATALOGUE: Final[Mapping[str, Mapping[str, object]]] = {
    "flavor": {"vcpu": 2, "memory": 4096, "gpu": 0, "arch": "x86_64"},
    "image": {"os": "Kylin V10", "arch": "x86_64"},
    "zone": {"type": "extranet-public", "mlpsLevel": 3, "ipv6": True},
}


def machine_order(number: int = 0, *, count: int = 1, vcpu: int = 2, generation: int = 1) -> Order:
    """Return an order for equal virtual machines; `number` tells objects from each other."""
    return Order(
        uid=f"vm-{number:04}",
        kind="VirtualMachine",
        department=f"department-{number % 3}",
        name=f"web-{number}",
        system="portal",
        generation=generation,
        spec={
            "system": "portal",
            "zone": "public",
            "count": count,
            "flavor": "small",
            "image": "kylin",
            "systemDisk": {"size": 50, "type": "hdd"},
            "dataDisks": [{"size": 100, "type": "ssd"}],
            "network": {"ipv6": True, "floatingIp": False, "allow": []},
            "power": "on",
            "antiAffinity": False,
        },
        catalogue={**CATALOGUE, "flavor": {**CATALOGUE["flavor"], "vcpu": vcpu}},
        tags={
            "department": f"department-{number % 3}",
            "system": "portal",
            "request": "REQ-2026-0001",
        },
    )


def volume_order(number: int = 0, *, size: int = 100) -> Order:
    """Return an order for a volume of `size` GiB."""
    return Order(
        uid=f"volume-{number:04}",
        kind="Volume",
        department="department-0",
        name=f"data-{number}",
        system="portal",
        generation=1,
        spec={"system": "portal", "zone": "public", "size": size, "type": "ssd"},
        catalogue={"zone": CATALOGUE["zone"]},
        tags={"department": "department-0", "system": "portal"},
    )


def namespace_order(number: int = 0, *, cpu: int = 4000) -> Order:
    """Return an order for a namespace with `cpu` millicores."""
    return Order(
        uid=f"namespace-{number:04}",
        kind="Namespace",
        department="department-0",
        name=f"portal-{number}",
        system="portal",
        generation=1,
        spec={
            "system": "portal",
            "zone": "public",
            "cpu": cpu,
            "memory": 8192,
            "storage": {"ssd": 50},
            "pods": 30,
            "access": {"view": ["auditor"], "edit": [], "admin": []},
            "network": {"fromNamespaces": ["gateway"], "fromCidrs": [], "toCidrs": []},
            "podSecurity": "restricted",
        },
        catalogue={"zone": CATALOGUE["zone"]},
        tags={"department": "department-0", "system": "portal"},
    )


class SimulatedWorld:
    """A simulated cloud in a folder, whose time a test turns: the harness of its contract tests."""

    def __init__(
        self,
        folder: Path,
        clock: FixedClock | None = None,
        *,
        name: str = "gov",
        connection: Mapping[str, str] | None = None,
    ) -> None:
        self.clock = clock or FixedClock()
        self.path = cloud_file(folder, name)
        prepare(self.path)
        self._connection = {"latency": str(LATENCY_S), "pageSize": "10", **(connection or {})}
        self._folder, self._name = str(folder), name
        self._opened: list[SimulatedProvisioner] = []

    def open(self, installation: str = INSTALLATION) -> SimulatedProvisioner:
        """Return a driver of the cloud; closed with the world."""
        address = CloudAddress(self._name, self._connection, installation, self._folder)
        opened = open_simulated(address, self.clock, self.clock.advance)
        self._opened.append(opened)
        return opened

    def order(self, number: int, *, count: int = 1, grown: bool = False) -> Order:
        """Return an order for virtual machines, larger ones if `grown`."""
        return machine_order(number, count=count, vcpu=4 if grown else 2)

    def settle(self) -> None:
        """Let everything under way end."""
        self.clock.advance(2 * LATENCY_S)

    def foreign(self, name: str, tenant: str) -> str:
        """Add a resource that carries no mark and return its id."""
        return tamper.add_foreign(self.path, name, tenant=tenant).id

    def unmark(self, observed: Observed) -> None:
        """Take the mark from a resource behind the driver's back."""
        tamper.unmark(self.path, observed.id)

    def remove(self, observed: Observed) -> None:
        """Remove a resource behind the driver's back."""
        tamper.remove(self.path, observed.id)

    def jam(self, observed: Observed) -> None:
        """Let no `delete` be taken any more."""
        del observed
        tamper.set_fault(self.path, Fault(FaultKind.REFUSE, "delete", reason="Locked"))

    def lose_answer(self, method: str) -> None:
        """Let the cloud act on the next call of a method without answering."""
        tamper.set_fault(self.path, Fault(FaultKind.LOSE, method, count=1))

    def break_down(self) -> type[TransientCloudError]:
        """Let the cloud answer nothing more; return the type of error that must come."""
        tamper.set_fault(self.path, Fault(FaultKind.DOWN))
        return TransientCloudError

    def calls(self, provisioner: Provisioner) -> int:
        """Return how many calls of the cloud a driver that `open` returned has made."""
        assert isinstance(provisioner, SimulatedProvisioner)
        return sum(provisioner.calls.values())

    def close(self) -> None:
        """Close what was opened."""
        while self._opened:
            self._opened.pop().close()
