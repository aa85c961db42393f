"""The legacy estate as the API answers it, as values: systems with their hosts, and who talks."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

from govcloud.domain.kinds.estate import LegacyHostSpec
from govcloud.domain.kinds.governance import (
    ExemptionSpec,
    MigrationPlanSpec,
    MigrationState,
    PolicySpec,
)
from govcloud.domain.kinds.platform import FlavorSpec
from govcloud.domain.kinds.systems import Lifecycle, Origin, SystemSpec
from govcloud.domain.manifest import parse_spec
from migration.assessment.facts import NO_FACTS, LegacySystem

Item = Mapping[str, Any]
Edge = tuple[str, str]
"""Two systems that are connected, the lesser key first."""

Place = tuple[str, str, str]
Homes = dict[Place, set[str]]
"""The systems of the hosts at an address, by department and room; "" is a host without one."""

_LIVE: Final = frozenset({Lifecycle.RUNNING, Lifecycle.TRIAL, Lifecycle.SUSPENDED})
MOVED: Final = frozenset(
    {
        MigrationState.CUTOVER,
        MigrationState.TRIAL,
        MigrationState.ACCEPTED,
        MigrationState.SOURCE_OFF,
        MigrationState.CLOSED,
    }
)
"""States in which a system serves from the cloud."""


@dataclass(frozen=True, slots=True)
class Estate:
    """What is off the cloud, by key, and the connections among it, with how often each was seen."""

    systems: Mapping[str, LegacySystem]
    edges: Mapping[Edge, int]

    def neighbours(self) -> dict[str, set[str]]:
        """Return the systems that each is connected to."""
        found: dict[str, set[str]] = {key: set() for key in self.systems}
        for one, other in self.edges:
            found[one].add(other)
            found[other].add(one)
        return found


def estate(
    systems: Iterable[Item],
    hosts: Iterable[Item],
    plans: Iterable[Item],
    exemptions: Iterable[Item],
    today: date,
    *,
    besides: Collection[str] = (),
) -> Estate:
    """Return the estate from objects in their JSON form; what has moved is not part of it.

    Neither are the systems `besides`, by their keys.
    """
    exempted = set(_exempted(exemptions, today))
    known = {
        f"{spec.department}/{spec.system}": spec
        for item in plans
        for spec in (cast("MigrationPlanSpec", parse_spec("MigrationPlan", item["spec"])),)
    }
    placed: dict[str, dict[str, LegacyHostSpec]] = {}
    homes: Homes = {}
    for item in hosts:
        department, name = item["metadata"]["department"], item["metadata"]["name"]
        spec = cast("LegacyHostSpec", parse_spec("LegacyHost", item["spec"]))
        key = f"{department}/{spec.system}" if spec.system is not None else ""
        if key:
            placed.setdefault(key, {})[name] = spec
        for place in _places(department, spec.room, spec.address or f"{department}/{name}"):
            homes.setdefault(place, set()).add(key)
    found = {
        system.key: system
        for item in systems
        for system in (_system(item, placed, known, exempted),)
        if system.spec.origin is Origin.LEGACY
        and system.spec.lifecycle in _LIVE
        and system.state not in MOVED
        and system.key not in besides
    }
    return Estate(found, _edges(found, homes))


def flavors_of(items: Iterable[Item]) -> dict[str, FlavorSpec]:
    """Return the catalogue's flavors by name."""
    return {
        item["metadata"]["name"]: cast("FlavorSpec", parse_spec("Flavor", item["spec"]))
        for item in items
    }


def policy_of(items: Iterable[Item], today: date) -> PolicySpec | None:
    """Return the Policy in force, the latest that has begun; None where there is none."""
    found = [cast("PolicySpec", parse_spec("Policy", item["spec"])) for item in items]
    begun = [policy for policy in found if policy.effective_from <= today]
    return max(begun, key=lambda policy: policy.effective_from, default=None)


def _system(
    item: Item,
    hosts: Mapping[str, Mapping[str, LegacyHostSpec]],
    plans: Mapping[str, MigrationPlanSpec],
    exempted: set[str],
) -> LegacySystem:
    meta = item["metadata"]
    key = f"{meta['department']}/{meta['name']}"
    plan = plans.get(key)
    return LegacySystem(
        department=meta["department"],
        name=meta["name"],
        display_name=meta.get("displayName") or meta["name"],
        spec=cast("SystemSpec", parse_spec("System", item["spec"])),
        hosts=hosts.get(key, {}),
        exempted=key in exempted,
        state=plan.state if plan else MigrationState.PLANNED,
        answers=plan.answers if plan else {},
        machines=plan.move.machines if plan and plan.move else (),
    )


def _exempted(items: Iterable[Item], today: date) -> Iterator[str]:
    """Yield the systems that an approved exemption holds for today."""
    for item in items:
        spec = cast("ExemptionSpec", parse_spec("Exemption", item["spec"]))
        approved = spec.approved_by is not None and spec.approved_on is not None
        if approved and spec.valid_from <= today <= spec.valid_until:
            yield f"{spec.department}/{spec.system}"


def _edges(systems: Mapping[str, LegacySystem], homes: Homes) -> dict[Edge, int]:
    """Return who is connected to whom: what hosts connect to, and what the register names."""
    found: dict[Edge, int] = {}
    for key, system in systems.items():
        for other in (*_registered(system), *_connected(system, homes)):
            if other in systems and other != key:
                edge = (min(key, other), max(key, other))
                found[edge] = found.get(edge, 0) + 1
    return found


def _registered(system: LegacySystem) -> Sequence[str]:
    return [
        name if "/" in name else f"{system.department}/{name}" for name in system.spec.depends_on
    ]


def _connected(system: LegacySystem, homes: Homes) -> Iterator[str]:
    """Yield the systems that hosts connect to.

    Private addresses repeat: the nearest host is meant, and one of another department only where
    nobody else's has that address.
    """
    for host in system.hosts.values():
        for address in (host.facts or NO_FACTS).connects_to:
            here, own, anywhere = (
                homes.get(place, set()) for place in _places(system.department, host.room, address)
            )
            yield from sorted(here or own or (anywhere if len(anywhere) == 1 else ()))


def _places(department: str, room: str, address: str) -> tuple[Place, Place, Place]:
    """Return where an address may be looked up, the nearest first: room, department, anywhere."""
    return (department, room, address), (department, "", address), ("", "", address)
