"""A register to try figures on: facts written as the program writes them, without its services."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final
from uuid import uuid4

from govcloud.domain.access import Actor, Role
from govcloud.domain.kinds.registry import KINDS
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Store, Unit

CLERK: Final = Actor("register", Role.ADMINISTRATOR)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


class Register:
    """Objects by key; each change is a fact, recorded at the store's clock.

    Specs are given as users write them and pass through the models, as everywhere. Uids are drawn
    from `uids`, by default at random.
    """

    def __init__(self, store: Store, uids: Iterator[str] | None = None) -> None:
        self._store = store
        self._next_uid = uids or (uuid4().hex for _ in count())
        self._uids: dict[tuple[str, str, str], str] = {}
        self._specs: dict[str, dict[str, Any]] = {}

    def put(
        self,
        kind: str,
        name: str,
        spec: Mapping[str, Any],
        *,
        department: str = "",
        phase: str = "active",
        display_name: str | None = None,
        request_id: str | None = None,
        unit: Unit | None = None,
    ) -> str:
        """Record what an object is from now on; return its uid. `unit`: within that one."""
        uid = self._uid(kind, department, name)
        plain = KINDS[kind].spec.model_validate(dict(spec)).plain()
        self._specs[uid] = plain
        row = _row(uid, kind, department, name, plain)
        row.display_name, row.phase, row.request_id = display_name, phase, request_id
        if unit is not None:
            unit.fact(row)
            return uid
        with self._store.unit(CLERK) as own:
            own.fact(row)
        return uid

    def _uid(self, kind: str, department: str, name: str) -> str:
        key = (kind, department, name)
        if key not in self._uids:
            self._uids[key] = next(self._next_uid)
        return self._uids[key]

    def remove(self, kind: str, name: str, *, department: str = "") -> None:
        """Record that an object is no more; a later one of that name is another one."""
        uid = self._uids.pop((kind, department, name))
        with self._store.unit(CLERK) as unit:
            unit.fact(_row(uid, kind, department, name, self._specs[uid]), phase="gone")

    def department(
        self, name: str, display_name: str, *, parent: str = "city", **extranet: object
    ) -> None:
        """Record a department below another, with its access to the extranet if any is given."""
        spec: dict[str, Any] = {"level": "department", "parent": parent}
        if extranet:
            spec["extranet"] = extranet
        self.put("Department", name, spec, display_name=display_name)

    def catalogue(self) -> None:
        """Record a city with a managed cloud, a docked industry cloud and one that is not."""
        self.put("Department", "city", {"level": "city"}, display_name="常熟市")
        self.put("Cloud", "gov", {"provider": "simulated"})
        for name, docked in (("police", False), ("health", True)):
            spec = {"provider": "simulated", "management": "observed", "docked": docked}
            self.put("Cloud", name, spec)
        for zone, cloud in (("extranet", "gov"), ("police-zone", "police")):
            zone_spec = {"cloud": cloud, "type": "extranet-public", "mlpsLevel": 3}
            self.put("Zone", zone, zone_spec)
        self.put("Flavor", "4c8g", {"vcpu": 4, "memory": "8Gi"})

    def system(
        self, department: str, name: str, *, classified: bool = False, **spec: object
    ) -> str:
        """Record a system; it runs and was built on the cloud unless `spec` says otherwise."""
        security = {"classified": classified, "mlpsLevel": 3}
        full = {"code": f"CS-{department}-{name}".upper(), "security": security} | spec
        return self.put("System", name, full, department=department, display_name=f"{name}系统")

    def machine(
        self,
        department: str,
        name: str,
        system: str,
        *,
        phase: str = "active",
        request_id: str | None = None,
        **spec: object,
    ) -> str:
        """Record a virtual machine of a system, on the managed cloud unless `spec` says else."""
        full = {"system": system, "zone": "extranet", "flavor": "4c8g", "image": "kylin"} | spec
        return self.put(
            "VirtualMachine",
            name,
            full,
            department=department,
            phase=phase,
            request_id=request_id,
        )

    def host(self, department: str, name: str, system: str, **spec: object) -> str:
        """Record a legacy host of a system, running in room `room`."""
        full = {"room": "room", "system": system, "vcpu": 8} | spec
        return self.put("LegacyHost", name, full, department=department)

    def plan(self, department: str, system: str, state: str) -> str:
        """Record how far a system's migration is."""
        spec = {"department": department, "system": system, "state": state}
        return self.put("MigrationPlan", f"{department}-{system}", spec)

    def exemption(self, department: str, system: str, **spec: object) -> str:
        """Record an approved exemption for 2026, unless `spec` says otherwise."""
        full = {
            "department": department,
            "system": system,
            "reason": "vertical",
            "approvedBy": "主管部门",
            "approvedOn": "2026-01-05",
            "validFrom": "2026-01-01",
            "validUntil": "2026-12-31",
        } | spec
        return self.put("Exemption", f"{department}-{system}", full)

    def target(self, metric: str, value: float, *, year: int = 2025) -> str:
        """Record a binding target for a metric."""
        spec = {
            "number": 1,
            "category": "基础支撑",
            "indicator": "上云率",
            "metric": metric,
            "unit": "%",
            "year": year,
            "value": value,
            "property": "binding",
        }
        return self.put("Target", "t1", spec)


def _row(uid: str, kind: str, department: str, name: str, spec: dict[str, Any]) -> ObjectRow:
    return ObjectRow(
        uid=uid,
        kind=kind,
        department=department,
        name=name,
        spec=spec,
        digest="",
        created_at=_EPOCH,
        updated_at=_EPOCH,
    )
