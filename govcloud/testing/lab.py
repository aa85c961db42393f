"""A small city on the simulated cloud, whose objects are approved by hand.

For tests and measurements of the controller: `Lab.approve`, `change` and `release` write what an
approval writes (object, reservation, place in the queue), in one transaction, and nothing else.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import select
from sqlmodel import col

from govcloud.domain.access import Actor, Role
from govcloud.domain.demand import demand
from govcloud.domain.kinds.platform import CloudSpec, FlavorSpec
from govcloud.domain.manifest import digest_of, parse_spec
from govcloud.plan.asked import NOTHING, Asked
from govcloud.plan.phases import Phase
from govcloud.ports.cloud import CloudAddress, Observed, Provisioner
from govcloud.ports.ledger import Demand, LimitFact
from govcloud.reconcile.controller import Controller
from govcloud.reconcile.settings import Settings
from govcloud.store import work
from govcloud.store.tables import DriftRow, EventRow, FactRow, ObjectRow, WorkRow
from govcloud.store.unit import Store, Unit
from govcloud.testing.clock import FixedClock
from provisioners.simulated import tamper
from provisioners.simulated.driver import SimulatedProvisioner, open_simulated
from provisioners.simulated.file import cloud_file, prepare
from quotas.store.ledger import SqlLedger

ADMIN: Final = Actor("admin", Role.ADMINISTRATOR)
DEPARTMENT: Final = "hrss"
SYSTEM: Final = "portal"
CLOUD: Final = "gov"
FLAVORS: Final[Mapping[str, dict[str, Any]]] = {
    "small": {"vcpu": 2, "memory": "4Gi"},
    "large": {"vcpu": 8, "memory": "32Gi"},
}
MACHINE: Final[Mapping[str, Any]] = {
    "system": SYSTEM,
    "zone": "public",
    "flavor": "small",
    "image": "kylin",
    "systemDisk": {"size": "50Gi", "type": "hdd"},
}
QUICK: Final = Settings(poll_first_s=0.05, poll_cap_s=0.5, idle_s=0.02, backoff_first_s=0.05)
"""Settings for tests in real time."""


class Lab:
    """One department with one system, on clouds that live in `folder`."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        settings: Settings | None = None,
        connection: Mapping[str, str] | None = None,
    ) -> None:
        self.store = store
        self.ledger = SqlLedger()
        self.folder = folder
        self.settings = settings or Settings()
        self.connection = {"latency": "1", "pageSize": "100", **(connection or {})}
        self.opened: dict[str, list[SimulatedProvisioner]] = {}
        self.wrap: Callable[[Provisioner], Provisioner] = lambda inner: inner
        self.settled: list[str] = []

    # --- What stands ---

    def found(self, clouds: Iterable[str] = (CLOUD,), **cloud_spec: Any) -> "Lab":
        """Write the city: department, system, catalogue, clouds with a zone each, a large quota."""
        with self.store.unit(ADMIN) as unit:
            self.put(unit, "Department", DEPARTMENT, {"level": "city"})
            self.add_system(unit, SYSTEM)
            for name, spec in FLAVORS.items():
                self.put(unit, "Flavor", name, spec)
            self.put(unit, "Image", "kylin", {"os": "Kylin V10"})
            for name in clouds:
                self.add_cloud(unit, name, **cloud_spec)
            self.ledger.revise(unit.session, unit.now, parents={DEPARTMENT: None})
            limits = [self._limit(word) for word in _CLASSES]
            assert not self.ledger.revise(unit.session, unit.now, limits={"all": limits})
        return self

    def add_cloud(self, unit: Unit, name: str, **spec: Any) -> None:
        """Write a cloud of that name with a zone: `public` in the first cloud, else `<name>`."""
        zone = "public" if name == CLOUD else name
        limits = {"resyncSeconds": 60, "requestsPerSecond": 100_000, **spec.pop("limits", {})}
        base = {"provider": "simulated", "connection": self.connection, "limits": limits}
        self.put(unit, "Cloud", name, base | spec)
        self.put(unit, "Zone", zone, {"cloud": name, "type": "extranet-public", "mlpsLevel": 3})
        prepare(self.path(name))

    def add_system(self, unit: Unit, name: str, department: str = DEPARTMENT) -> None:
        """Write a system."""
        security = {"classified": False, "mlpsLevel": 3}
        spec = {"code": f"C-{name}", "security": security}
        self.put(unit, "System", name, spec, department=department)

    def put(
        self, unit: Unit, kind: str, name: str, spec: Mapping[str, Any], *, department: str = ""
    ) -> None:
        """Write an object for which nothing is built."""
        plain = parse_spec(kind, spec).plain()
        row = ObjectRow(
            uid=uuid4().hex,
            kind=kind,
            name=name,
            department=department,
            spec=plain,
            digest=digest_of(kind, {"name": name}, plain),
            created_at=unit.now,
            updated_at=unit.now,
        )
        unit.session.add(row)

    @staticmethod
    def _limit(word: str, limit: int = 10**9) -> LimitFact:
        return LimitFact("all", DEPARTMENT, "", "", word, limit, None, 0, False, 1, None, None)

    def limit(self, word: str, limit: int) -> None:
        """Let the department have no more of a class."""
        limits = [self._limit(each, limit if each == word else 10**9) for each in _CLASSES]
        with self.store.unit(ADMIN) as unit:
            assert not self.ledger.revise(unit.session, unit.now, limits={"all": limits})

    # --- What is approved ---

    def approve(
        self,
        name: str,
        kind: str = "VirtualMachine",
        *,
        cloud: str = CLOUD,
        system: str = SYSTEM,
        **spec: Any,
    ) -> str:
        """Approve a new object and return its uid; `spec` overrides a small machine."""
        base = dict(MACHINE) if kind == "VirtualMachine" else {"system": system}
        zone = "public" if cloud == CLOUD else cloud
        plain = parse_spec(kind, base | {"zone": zone, "system": system} | spec).plain()
        uid = uuid4().hex
        with self.store.unit(ADMIN) as unit:
            row = ObjectRow(
                uid=uid,
                kind=kind,
                name=name,
                department=DEPARTMENT,
                spec=plain,
                digest=digest_of(kind, {"name": name}, plain),
                system=system,
                cloud=cloud,
                zone=zone,
                request_id=f"REQ-{name}",
                created_at=unit.now,
                updated_at=unit.now,
                phase=Phase.PENDING,
                progressing=True,
            )
            self._approved(unit, row)
        return uid

    def change(self, uid: str, **spec: Any) -> None:
        """Approve a change of an object."""
        with self.store.unit(ADMIN) as unit:
            row = unit.session.get_one(ObjectRow, uid)
            row.spec = parse_spec(row.kind, deepcopy(row.spec) | spec).plain()
            row.digest = digest_of(row.kind, {"name": row.name}, row.spec)
            row.generation += 1
            row.progressing = True
            row.request_id = f"REQ-{row.name}-{row.generation}"
            self._approved(unit, row)

    def _approved(self, unit: Unit, row: ObjectRow) -> None:
        amounts = demand(row.kind, parse_spec(row.kind, row.spec), _flavors(unit))
        order = Demand(
            f"{row.uid}@{row.generation}",
            row.uid,
            row.department,
            row.cloud or "",
            row.zone or "",
            amounts,
        )
        expires = unit.now + timedelta(hours=1)
        verdict = self.ledger.reserve(unit.session, [order], unit.now, expires)
        assert verdict.granted, verdict.refusals
        unit.session.add(row)
        unit.session.flush()
        if row.phase == Phase.PENDING:
            unit.fact(row)
        work.enqueue(unit.session, [(row.uid, row.cloud or "", row.generation)], unit.now)

    def release(self, uid: str, asked: Asked = NOTHING) -> None:
        """Approve that an object be given back, in the way that was asked for."""
        with self.store.unit(ADMIN) as unit:
            row = unit.session.get_one(ObjectRow, uid)
            row.phase, row.releasing_since, row.progressing = Phase.RELEASING, unit.now, True
            row.generation += 1
            row.request_id = f"REQ-{row.name}-{row.generation}"
            row.asked = asked.text
            unit.session.add(row)
            unit.fact(row)
            work.enqueue(unit.session, [(uid, row.cloud or "", row.generation)], unit.now)

    # --- The controller ---

    def controller(self, name: str = "one", **options: Any) -> Controller:
        """Return a controller; its drivers pass through `wrap`."""

        def settled(_unit: Unit, requests: Sequence[str]) -> None:
            self.settled += requests

        options = {"random": lambda: 0.0, "on_settled": settled} | options
        settings = options.pop("settings", self.settings)
        return Controller(self.store, self.ledger, self._driver, name, settings, **options)

    def _driver(self, name: str, spec: CloudSpec) -> Provisioner:
        return self.wrap(self.open(name, spec.connection))

    def open(
        self, name: str = CLOUD, connection: Mapping[str, str] | None = None
    ) -> SimulatedProvisioner:
        """Return a further driver of a cloud."""
        address = CloudAddress(name, connection or self.connection, "lab", str(self.folder))
        clock = self.store.clock
        pause = {"pause": clock.advance} if isinstance(clock, FixedClock) else {}
        driver = open_simulated(address, clock, **pause)
        self.opened.setdefault(name, []).append(driver)
        return driver

    def calls(self, name: str = CLOUD) -> dict[str, int]:
        """Return the calls of a cloud by all drivers so far, by method."""
        total: dict[str, int] = {}
        for driver in self.opened.get(name, []):
            for method, count in driver.calls.items():
                total[method] = total.get(method, 0) + count
        return total

    def drive(
        self, controller: Controller, cloud: str = CLOUD, *, rounds: int = 40, step_s: float = 1.0
    ) -> None:
        """Let the controller work, turning the clock, until its queue is empty."""
        clock = self.store.clock
        assert isinstance(clock, FixedClock)
        for _ in range(rounds):
            controller.work_once(cloud)
            if not self.queue(cloud):
                return
            clock.advance(step_s)

    # --- What can be seen ---

    def path(self, cloud: str = CLOUD) -> Path:
        """Return the file of a cloud."""
        return cloud_file(str(self.folder), cloud)

    def there(self, uid: str | None = None, cloud: str = CLOUD) -> list[Observed]:
        """Return what a cloud holds, of one object or of all."""
        now = self.store.clock.now().timestamp()
        held = tamper.list_resources(self.path(cloud), now)
        return [item for item in held if uid is None or item.uid == uid]

    def row(self, uid: str) -> ObjectRow | None:
        """Return an object's row, or None when it is gone."""
        with self.store.reading() as session:
            return session.get(ObjectRow, uid)

    def rows(self) -> list[ObjectRow]:
        """Return the rows of all objects for which something is built."""
        with self.store.reading() as session:
            statement = select(ObjectRow).where(col(ObjectRow.cloud).is_not(None))
            return list(session.execute(statement).scalars())

    def queue(self, cloud: str = CLOUD) -> list[WorkRow]:
        """Return what stands in the queue of a cloud."""
        with self.store.reading() as session:
            statement = select(WorkRow).where(col(WorkRow.cloud) == cloud)
            return list(session.execute(statement.order_by(col(WorkRow.due_at))).scalars())

    def events(self, uid: str) -> list[str]:
        """Return the reasons of an object's events, oldest first."""
        with self.store.reading() as session:
            statement = select(EventRow.reason).where(col(EventRow.uid) == uid)  # type: ignore[call-overload]
            return list(session.execute(statement.order_by(col(EventRow.seq))).scalars())

    def facts(self, uid: str) -> list[tuple[int, str, int]]:
        """Return generation, phase and count of an object's facts, oldest first."""
        with self.store.reading() as session:
            statement = select(FactRow).where(col(FactRow.uid) == uid).order_by(col(FactRow.seq))
            return [
                (fact.generation, fact.phase, fact.spec.get("count", 1))
                for fact in session.execute(statement).scalars()
            ]

    def phases(self, uid: str) -> list[str]:
        """Return the phases of an object's facts, oldest first."""
        return [phase for _, phase, _ in self.facts(uid)]

    def drift(self, cloud: str = CLOUD) -> list[DriftRow]:
        """Return the stored differences of a cloud."""
        with self.store.reading() as session:
            statement = select(DriftRow).where(col(DriftRow.cloud) == cloud)
            return list(session.execute(statement).scalars())

    def charged(self, at: datetime | None = None) -> dict[str, tuple[int, int]]:
        """Return (allocated, reserved) by resource class, without zeros, after a recount."""
        with self.store.reading() as session:
            instant = at or self.store.clock.now()
            assert not self.ledger.recount(session, instant)
            totals: dict[str, tuple[int, int]] = {}
            for line in self.ledger.lines(session, instant):
                if line.cloud or line.zone:
                    continue
                if line.allocated or line.reserved:
                    totals[line.resource_class] = (line.allocated, line.reserved)
            return totals


_CLASSES: Final = ("vms", "vcpu", "memory", "disk.hdd", "disk.ssd", "volumes", "floating-ips")


def _flavors(unit: Unit) -> dict[str, FlavorSpec]:
    statement = select(ObjectRow).where(col(ObjectRow.kind) == "Flavor")
    rows = unit.session.execute(statement).scalars()
    return {row.name: FlavorSpec.model_validate(row.spec) for row in rows}
