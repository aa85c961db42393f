"""What the policy is told of a change set: its subjects and their setting; pure."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from govcloud.domain.base import Model
from govcloud.domain.classes import growth
from govcloud.domain.demand import demand
from govcloud.domain.kinds.estate import LegacyHostSpec, ServerRoomSpec
from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.kinds.systems import Origin, SystemSpec, VirtualMachineSpec
from govcloud.policy.context import Action, Pool, Setting, Subject
from govcloud.requests.changes import KEEP_VOLUMES, Change
from govcloud.requests.world import World

_KEPT: Final = frozenset({Action.CREATE, Action.CHANGE})


class Briefing:
    """Resolves the references of a change set for the policy."""

    def __init__(self, changes: Sequence[Change], world: World) -> None:
        self._world = world
        self._changes = changes
        specs = [(c.key.name, c.draft.spec) for c in changes if c.action in _KEPT]
        self._systems = {name: spec for name, spec in specs if isinstance(spec, SystemSpec)}
        self._rooms = {name: spec for name, spec in specs if isinstance(spec, ServerRoomSpec)}
        self._hosted = world.hosted | {
            str(c.spec.get("system"))
            for c in changes
            if c.action in _KEPT and KINDS[c.key.kind].allocates
        }

    def subjects(self) -> tuple[Subject, ...]:
        """Return what the policy judges, one for each change."""
        return tuple(self._subject(change) for change in self._changes)

    def setting(self, today: date, pools: Sequence[Pool], justification: str | None) -> Setting:
        """Return what all subjects share."""
        world = self._world
        systems = {**world.systems, **self._systems}.values()
        levels = {spec.security.mlps_level or 0 for spec in systems}
        return Setting(
            today=today,
            department=world.department,
            owner=world.owner,
            parent_level=world.parent_level,
            mlps_levels=frozenset(level for level in levels if level >= 2),
            flavors=world.flavors,
            pools=tuple(pools),
            exemptions=world.exemptions,
            waivers=world.waivers,
            parameters=world.policy.parameters,
            justification=justification,
            census_until=world.policy.census_until,
        )

    def _subject(self, change: Change) -> Subject:
        world, spec = self._world, change.draft.spec
        current = world.currents.get(change.key)
        before = current.model if current else None
        is_system = isinstance(spec, SystemSpec)
        name = change.key.name if is_system else str(getattr(spec, "system", None) or "")
        zone = str(getattr(spec, "zone", ""))
        cloud = world.cloud_of(zone)
        machine = spec if isinstance(spec, VirtualMachineSpec) else None
        return Subject(
            action=change.action,
            key=change.key,
            spec=spec,
            before=before,
            grows=change.action in _KEPT
            and bool(growth(needs(before, change, world), change.demand)),
            hosted=name in self._hosted or _built_on_cloud(spec),
            system_included=name in self._systems,
            system_name=name,
            system=self._systems.get(name) or world.systems.get(name),
            zone_name=zone,
            zone=world.zones.get(zone),
            cloud_name=cloud,
            cloud=world.clouds.get(cloud),
            flavor=world.flavors.get(machine.flavor or "") if machine else None,
            image=world.images.get(machine.image) if machine else None,
            room=self._room(spec),
            uid=change.uid,
            keeps=KEEP_VOLUMES in change.options,
        )

    def _room(self, spec: Model) -> ServerRoomSpec | None:
        if not isinstance(spec, LegacyHostSpec):
            return None
        return self._rooms.get(spec.room) or self._world.rooms.get(spec.room)


def _built_on_cloud(spec: Model) -> bool:
    return isinstance(spec, SystemSpec) and spec.origin is Origin.CLOUD


def needs(before: Model | None, change: Change, world: World) -> dict[str, int]:
    """Return what an object needed before a change."""
    return demand(change.key.kind, before, world.flavors) if before is not None else {}
