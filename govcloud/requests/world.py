"""Everything that a change set refers to, read once: the catalogue, the policy, the department."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Final, TypeVar

from sqlmodel import Session

from govcloud.domain.base import Model
from govcloud.domain.keys import ObjectKey, alike
from govcloud.domain.kinds.estate import ServerRoomSpec
from govcloud.domain.kinds.governance import ExemptionSpec, PolicySpec, WaiverSpec
from govcloud.domain.kinds.platform import (
    CloudSpec,
    DepartmentSpec,
    FlavorSpec,
    ImageSpec,
    Level,
    ZoneSpec,
)
from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.kinds.systems import SystemSpec, VirtualMachineSpec
from govcloud.domain.manifest import parse_spec
from govcloud.policy.calendar import in_force
from govcloud.requests.changes import Current
from govcloud.store import objects
from govcloud.store.tables import ObjectRow

Spec = TypeVar("Spec", bound=Model)

CATALOGUE: Final = ("Cloud", "Flavor", "Image", "Zone")
"""The policy where the city has none: default weights, one step of review."""


@dataclass(frozen=True)
class World:
    """What a change set of one department is judged against.

    `rows` are the objects that are to be changed; `near` those that stand for the systems,
    rooms and machines concerned, by which dependants are found; `alike` the namespaces of others
    whose department and name read the same as those of a wanted one.
    """

    department: str
    owner: DepartmentSpec | None
    root: str
    parent_level: Level | None
    clouds: Mapping[str, CloudSpec]
    zones: Mapping[str, ZoneSpec]
    flavors: Mapping[str, FlavorSpec]
    images: Mapping[str, ImageSpec]
    policy: PolicySpec
    waivers: Mapping[str, WaiverSpec]
    exemptions: tuple[ExemptionSpec, ...]
    systems: Mapping[str, SystemSpec]
    rooms: Mapping[str, ServerRoomSpec]
    machines: Mapping[str, VirtualMachineSpec]
    rows: Mapping[ObjectKey, ObjectRow]
    near: tuple[ObjectRow, ...] = ()
    alike: Mapping[ObjectKey, ObjectRow] = field(default_factory=dict)
    hosted: frozenset[str] = field(default_factory=frozenset)

    def cloud_of(self, zone: str | None) -> str:
        """Return the cloud of a zone; "" for no zone, or one that is not there."""
        found = self.zones.get(zone or "")
        return found.cloud if found else ""

    def prices(self, zone: str | None) -> Mapping[str, float]:
        """Return the prices by resource class of the cloud of a zone."""
        cloud = self.clouds.get(self.cloud_of(zone))
        return cloud.prices if cloud else {}

    @cached_property
    def currents(self) -> Mapping[ObjectKey, Current]:
        """The objects that are to be changed, as they are."""
        return {key: current_of(row) for key, row in self.rows.items()}


def load_world(
    session: Session, department: str, keys: Iterable[ObjectKey], today: date, *, hold: bool = False
) -> World:
    """Read what a change set of a department to these objects is judged against.

    `hold` keeps the catalogue as it is until the unit ends.
    """
    keys = set(keys)
    catalogue = _specs(objects.of_kinds(session, CATALOGUE, hold=hold))
    owner, root, parent_level = _organisation(session, department)
    own = objects.of_department(session, department, ("System", "ServerRoom"))
    machines = objects.of_department(session, department, ("VirtualMachine",), _machines(keys))
    rows = objects.by_keys(session, keys, lock=hold)
    near = _near(session, department, keys, rows)
    return World(
        department=department,
        owner=owner,
        root=root,
        parent_level=parent_level,
        clouds=_of(catalogue, CloudSpec),
        zones=_of(catalogue, ZoneSpec),
        flavors=_of(catalogue, FlavorSpec),
        images=_of(catalogue, ImageSpec),
        policy=policy_in_force(session, today),
        waivers=_of(_specs(objects.of_kinds(session, ("Waiver",), subject=department)), WaiverSpec),
        exemptions=tuple(
            _of(
                _specs(objects.of_kinds(session, ("Exemption",), subject=department)),
                ExemptionSpec,
            ).values()
        ),
        systems=_of(_specs(own), SystemSpec),
        rooms=_of(_specs(own), ServerRoomSpec),
        machines=_of(_specs(machines), VirtualMachineSpec),
        rows=rows,
        near=near,
        alike=objects.by_keys(session, _alike(keys)),
        hosted=frozenset(row.system for row in near if row.system and KINDS[row.kind].allocates),
    )


def policy_in_force(session: Session, today: date) -> PolicySpec:
    """Return the Policy that took effect last; the built-in one where there is none."""
    found = _of(_specs(objects.of_kinds(session, ("Policy",))), PolicySpec)
    return in_force(found, today)


def current_of(row: ObjectRow) -> Current:
    """Return an object as it is, its spec in the form of today's models."""
    metadata: dict[str, Any] = {"name": row.name}
    if row.department:
        metadata["department"] = row.department
    if row.display_name is not None:
        metadata["displayName"] = row.display_name
    metadata |= {"labels": row.labels, "annotations": row.annotations}
    model = parse_spec(row.kind, row.spec)
    return Current(row.uid, row.generation, metadata, model, model.plain(), row.digest)


def _machines(keys: Iterable[ObjectKey]) -> list[str] | None:
    """Machines matter only to volumes that may be attached to one."""
    return None if any(key.kind == "Volume" for key in keys) else []


def _alike(keys: Iterable[ObjectKey]) -> set[ObjectKey]:
    return {other for key in keys if key.kind == "Namespace" for other in alike(key)}


def _near(
    session: Session,
    department: str,
    keys: Iterable[ObjectKey],
    rows: Mapping[ObjectKey, ObjectRow],
) -> tuple[ObjectRow, ...]:
    systems = {key.name for key in keys if key.kind == "System"}
    systems |= {row.system for row in rows.values() if row.system}
    near = objects.of_system(session, department, systems)
    if any(key.kind == "ServerRoom" for key in keys):
        known = {row.uid for row in near}
        hosts = objects.of_department(session, department, ("LegacyHost",))
        near += [row for row in hosts if row.uid not in known]
    if any(key.kind == "VirtualMachine" for key in keys):
        known = {row.uid for row in near}
        volumes = objects.of_department(session, department, ("Volume",))
        near += [row for row in volumes if row.uid not in known]
    return tuple(near)


def _organisation(
    session: Session, department: str
) -> tuple[DepartmentSpec | None, str, Level | None]:
    """Return the department, the root of its tree, and the level of the node above it."""
    owner, parent_level, name, seen = None, None, department, set[str]()
    while name not in seen:
        seen.add(name)
        key = ObjectKey("Department", "", name)
        row = objects.by_keys(session, [key]).get(key)
        spec = parse_spec("Department", row.spec) if row else None
        if not isinstance(spec, DepartmentSpec):
            break
        if owner is None:
            owner = spec
        elif parent_level is None:
            parent_level = spec.level
        if spec.parent is None:
            break
        name = spec.parent
    return owner, name, parent_level


def _specs(rows: Iterable[ObjectRow]) -> dict[tuple[str, str], Model]:
    return {(row.kind, row.name): parse_spec(row.kind, row.spec) for row in rows}


def _of(specs: Mapping[tuple[str, str], Model], model: type[Spec]) -> dict[str, Spec]:
    return {name: spec for (_, name), spec in specs.items() if isinstance(spec, model)}
