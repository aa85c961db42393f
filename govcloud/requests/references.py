"""What a change set names must be there, and fit: every fault at its field.

Nothing of other departments is looked at, so that no suggestion gives away what they have.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from govcloud.domain.base import Model
from govcloud.domain.keys import ObjectKey, alike
from govcloud.domain.kinds.estate import LegacyHostSpec
from govcloud.domain.kinds.platform import Management, ZoneSpec
from govcloud.domain.kinds.systems import (
    NamespaceSpec,
    SystemSpec,
    VirtualMachineSpec,
    VolumeSpec,
)
from govcloud.domain.suggest import nearest
from govcloud.errors import Diagnostic
from govcloud.plan.phases import Phase
from govcloud.requests import forms
from govcloud.requests.drafts import Draft
from govcloud.requests.world import World
from govcloud.store.tables import ObjectRow

PARENTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "System": (
        ("VirtualMachine", "system"),
        ("Volume", "system"),
        ("Namespace", "system"),
        ("LegacyHost", "system"),
    ),
    "ServerRoom": (("LegacyHost", "room"),),
    "VirtualMachine": (("Volume", "attachTo"),),
}
"""By which field of which kinds an object of a kind is held in its place."""
_FIXED: Final = ("system",)
"""Fields of what is built that never change: the cloud keeps each system's things apart."""


@dataclass(frozen=True)
class References:
    """The checks of one change set: drafts and releases, against the world as it is."""

    world: World
    drafts: Sequence[Draft]
    releases: Sequence[ObjectKey]

    def faults(self) -> list[Diagnostic]:
        """Return everything that is wrong with what is named."""
        found = [fault for draft in self.drafts for fault in self._draft(draft)]
        return found + [fault for key in self.releases for fault in self._release(key)]

    @cached_property
    def systems(self) -> frozenset[str]:
        """The systems that there will be."""
        return self._names("System", self.world.systems)

    @cached_property
    def machines(self) -> Mapping[str, VirtualMachineSpec]:
        """The machines that there will be, as far as volumes may be attached to them."""
        wanted = {
            draft.key.name: draft.spec
            for draft in self.drafts
            if isinstance(draft.spec, VirtualMachineSpec)
        }
        gone = {key.name for key in self.releases if key.kind == "VirtualMachine"}
        found = {**self.world.machines, **wanted}
        return {name: spec for name, spec in found.items() if name not in gone}

    def _names(self, kind: str, known: Iterable[str]) -> frozenset[str]:
        added = {draft.key.name for draft in self.drafts if draft.key.kind == kind}
        gone = {key.name for key in self.releases if key.kind == kind}
        return frozenset((set(known) | added) - gone)

    def _draft(self, draft: Draft) -> Iterator[Diagnostic]:
        spec = draft.spec
        yield from forms.faults(draft)
        if isinstance(spec, VirtualMachineSpec | VolumeSpec | NamespaceSpec):
            yield from self._placed(draft, spec)
        if isinstance(spec, VirtualMachineSpec):
            yield from known(draft, "spec.flavor", "Flavor", spec.flavor, self.world.flavors)
            yield from known(draft, "spec.image", "Image", spec.image, self.world.images)
        elif isinstance(spec, VolumeSpec):
            yield from self._attached(draft, spec)
        elif isinstance(spec, LegacyHostSpec):
            rooms = self._names("ServerRoom", self.world.rooms)
            yield from known(draft, "spec.room", "ServerRoom", spec.room, rooms)
            yield from known(draft, "spec.system", "System", spec.system, self.systems)
        elif isinstance(spec, SystemSpec):
            field = "spec.industryCloud"
            yield from known(draft, field, "Cloud", spec.industry_cloud, self.world.clouds)
        row = self.world.rows.get(draft.key)
        if row is not None:
            yield from self._changed(draft, row)
        elif isinstance(spec, NamespaceSpec) and spec.adopts is None:
            yield from self._called_alike(draft, spec)

    def _called_alike(self, draft: Draft, spec: NamespaceSpec) -> Iterator[Diagnostic]:
        """Yield a fault for a new namespace that would be called in its cloud as another is."""
        cloud = self.world.cloud_of(spec.zone)
        for key in alike(draft.key):
            row = self.world.alike.get(key)
            if row is not None and row.cloud == cloud and not row.spec.get("adopts"):
                params = {"object": str(draft.key), "called": f"{key.department}-{key.name}"}
                yield draft.fault("requests.called_alike", "metadata.name", **params)

    def _placed(
        self, draft: Draft, spec: VirtualMachineSpec | VolumeSpec | NamespaceSpec
    ) -> Iterator[Diagnostic]:
        yield from known(draft, "spec.system", "System", spec.system, self.systems)
        yield from known(draft, "spec.zone", "Zone", spec.zone, self.world.zones)
        zone = self.world.zones.get(spec.zone)
        cloud = self.world.clouds.get(zone.cloud) if zone else None
        if zone is None or cloud is None:
            return
        if cloud.management is Management.OBSERVED:
            params = {"zone": spec.zone, "cloud": zone.cloud}
            yield draft.fault("requests.observed_cloud", "spec.zone", **params)
        elif draft.key.kind not in cloud.kinds:
            params = {"zone": spec.zone, "cloud": zone.cloud, "kind": draft.key.kind}
            others = self._zones_for(draft.key.kind)
            yield draft.fault("requests.not_built_here", "spec.zone", **params, zones=others)
        elif (
            isinstance(spec, VirtualMachineSpec) and spec.data_disks and "Volume" not in cloud.kinds
        ):
            params = {"zone": spec.zone, "cloud": zone.cloud}
            others = self._zones_for("Volume")
            yield draft.fault("requests.no_volumes_here", "spec.dataDisks", **params, zones=others)
        if cloud.storage:  # a cloud that names none has whatever it is asked for
            for field, word in _storage_classes(spec):
                yield from known(draft, field, "StorageClass", word, cloud.storage)

    def _zones_for(self, kind: str) -> list[str]:
        return sorted(name for name, zone in self.world.zones.items() if self._builds(zone, kind))

    def _builds(self, zone: ZoneSpec, kind: str) -> bool:
        cloud = self.world.clouds.get(zone.cloud)
        managed = cloud is not None and cloud.management is Management.MANAGED
        return managed and cloud is not None and kind in cloud.kinds

    def _attached(self, draft: Draft, spec: VolumeSpec) -> Iterator[Diagnostic]:
        field = "spec.attachTo"
        yield from known(draft, field, "VirtualMachine", spec.attach_to, self.machines)
        machine = self.machines.get(spec.attach_to or "")
        if machine is None:
            return
        if machine.zone != spec.zone:
            params = {"zone": spec.zone, "machine": spec.attach_to, "other": machine.zone}
            yield draft.fault("requests.attached_elsewhere", field, **params)
        if machine.system != spec.system:
            params = {"machine": spec.attach_to, "system": machine.system}
            yield draft.fault("requests.attached_to_other_system", field, **params)

    def _changed(self, draft: Draft, row: ObjectRow) -> Iterator[Diagnostic]:
        if row.phase == Phase.RELEASING:
            yield draft.fault("requests.is_releasing", "metadata.name", object=str(draft.key))
            return
        if not draft.kind.allocates:
            return
        before = self.world.currents[draft.key].model
        for name in _FIXED:
            old, new = getattr(before, name), getattr(draft.spec, name)
            if old != new:
                yield draft.fault("requests.fixed_field", f"spec.{name}", before=old, after=new)
        zone = getattr(draft.spec, "zone", "")
        if row.cloud and zone in self.world.zones and self.world.cloud_of(zone) != row.cloud:
            params = {"zone": zone, "cloud": row.cloud, "other": self.world.cloud_of(zone)}
            yield draft.fault("requests.other_cloud", "spec.zone", **params)
        yield from shrunk(draft, before)

    def _release(self, key: ObjectKey) -> Iterator[Diagnostic]:
        row = self.world.rows[key]
        if row.phase == Phase.RELEASING:
            yield Diagnostic("requests.is_releasing", {"object": str(key)}, field=str(key))
        holding = [str(found) for found in self._dependants(key)]
        if holding:
            params = {"object": str(key), "dependants": holding[:5], "count": len(holding)}
            yield Diagnostic("requests.has_dependants", params, field=str(key))

    def _dependants(self, key: ObjectKey) -> list[ObjectKey]:
        """Return what would be left hanging: objects that stay, and that this one holds."""
        holds = PARENTS.get(key.kind, ())
        given_back = set(self.releases)
        wanted = {draft.key: draft.plain for draft in self.drafts}
        standing = {
            ObjectKey(row.kind, row.department, row.name): row.spec for row in self.world.near
        }
        staying = {k: spec for k, spec in {**standing, **wanted}.items() if k not in given_back}
        return sorted(
            found
            for found, spec in staying.items()
            for kind, field in holds
            if found.kind == kind and spec.get(field) == key.name
        )


def known(
    draft: Draft, field: str, kind: str, name: str | None, there: Iterable[str]
) -> Iterator[Diagnostic]:
    """Yield a fault if `name` is given and not `there`, with what was probably meant."""
    names = set(there)
    if name is None or name in names:
        return
    meant = nearest(name, names)
    key = "requests.unknown_reference_meant" if meant else "requests.unknown_reference"
    yield draft.fault(key, field, kind=kind, name=name, meant=meant)


def _storage_classes(spec: Model) -> Iterator[tuple[str, str]]:
    """Yield the storage classes that something needs, each with its field."""
    if isinstance(spec, VolumeSpec):
        yield "spec.type", spec.type
    elif isinstance(spec, VirtualMachineSpec):
        yield "spec.systemDisk.type", spec.system_disk.type
        for index, disk in enumerate(spec.data_disks):
            yield f"spec.dataDisks[{index}].type", disk.type
    elif isinstance(spec, NamespaceSpec):
        for word in spec.storage:
            yield f"spec.storage.{word}", word


def shrunk(draft: Draft, before: Model) -> Iterator[Diagnostic]:
    """Yield a fault for each disk that would become smaller: no cloud does that without loss."""
    old, new = _sizes(before), _sizes(draft.spec)
    for field, size in new.items():
        if size < old.get(field, 0):
            params = {"before": f"{old[field]}Gi", "after": f"{size}Gi"}
            yield draft.fault("requests.shrinks", field, **params)


def _sizes(spec: Model) -> dict[str, int]:
    if isinstance(spec, VolumeSpec):
        return {"spec.size": spec.size}
    if isinstance(spec, VirtualMachineSpec):
        disks = {f"spec.dataDisks[{i}].size": d.size for i, d in enumerate(spec.data_disks)}
        return {"spec.systemDisk.size": spec.system_disk.size} | disks
    return {}
