"""What each system runs on: the production components, and whether each stands on the cloud."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from fractions import Fraction
from functools import partial
from typing import Final, NamedTuple

from govcloud.domain.kinds.estate import HostState
from govcloud.figures.definition import Definition
from govcloud.figures.facts import Catalogue, HostFact, MachineFact, NamespaceFact, millicores

MACHINE: Final = "VirtualMachine"
NAMESPACE: Final = "Namespace"
HOST: Final = "LegacyHost"
RUNNING: Final = HostState.RUNNING.value
ACTIVE: Final = "active"
"""The only phase that counts: what is pending was never ready, what is releasing is on its way
out; neither carries a system."""


class Part(NamedTuple):
    """A production component: where it stands, how many units, the vCPU of all of them."""

    seq: int
    kind: str
    name: str
    place: str
    units: int
    on_cloud: bool
    vcpu: int | Fraction


class Presence(NamedTuple):
    """What a department holds on managed clouds, in any environment."""

    systems: int
    machines: int


# What Part() does, without its call in Python for each of a million machines.
_part: Final[Callable[[tuple[object, ...]], Part]] = partial(tuple.__new__, Part)
_NO_PARTS: Final[tuple[Part, ...]] = ()
NOTHING: Final = Presence(0, 0)


class Holdings:
    """The components of the systems of one department, gathered from its facts."""

    def __init__(self, definition: Definition, catalogue: Catalogue) -> None:
        self._environments = definition.environments
        self._catalogue = catalogue
        self._parts: defaultdict[str, list[Part]] = defaultdict(list)
        self._hosted: set[str] = set()
        self._machines = 0

    def parts(self, system: str) -> Sequence[Part]:
        """Return the production components of a system of the department."""
        return self._parts.get(system, _NO_PARTS)

    def orphans(self, systems: Collection[str]) -> list[str]:
        """Return the names that components refer to and no system bears, sorted."""
        return sorted(self._parts.keys() - systems)

    @property
    def presence(self) -> Presence:
        """How many systems hold something on managed clouds, and how many machines there are."""
        return Presence(len(self._hosted), self._machines)

    def add_machines(self, facts: Iterable[MachineFact]) -> None:
        """Add virtual machines; a pending or releasing one carries nothing."""
        flavors, on_cloud = self._catalogue.flavors, self._catalogue.zones_on_cloud
        for seq, _, phase, name, system, used_for, zone, units, flavor, vcpu in facts:
            if phase != ACTIVE:
                continue
            on = zone in on_cloud
            if on:
                self._machines += units
                self._hosted.add(system)
            if used_for in self._environments:
                each = vcpu if flavor is None else flavors.get(flavor)
                part = (seq, MACHINE, name, zone, units, on, units * (each or 0))
                self._parts[system].append(_part(part))

    def add_namespaces(self, facts: Iterable[NamespaceFact]) -> None:
        """Add namespaces; each weighs one."""
        on_cloud = self._catalogue.zones_on_cloud
        for seq, _, phase, name, system, used_for, zone, cpu in facts:
            if phase != ACTIVE:
                continue
            on = zone in on_cloud
            if on:
                self._hosted.add(system)
            if used_for in self._environments:
                cores = Fraction(millicores(cpu), 1000)
                part = Part(seq, NAMESPACE, name, zone, 1, on, cores)
                self._parts[system].append(part)

    def add_hosts(self, facts: Iterable[HostFact]) -> None:
        """Add legacy hosts that still run; one that is off, or of no system, carries nothing."""
        for fact in facts:
            if fact.state != RUNNING or fact.system is None:
                continue
            if fact.environment in self._environments:
                vcpu = fact.vcpu or 0
                self._parts[fact.system].append(
                    Part(fact.seq, HOST, fact.name, fact.room, 1, False, vcpu)
                )
