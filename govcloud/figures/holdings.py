"""What each system runs on: the production components, and whether each stands on the cloud."""

from collections.abc import Collection, Iterable
from fractions import Fraction
from typing import Final, NamedTuple

from govcloud.domain.kinds.estate import HostState
from govcloud.figures.definition import Definition
from govcloud.figures.facts import Catalogue, HostFact, MachineFact, NamespaceFact, millicores

ACTIVE: Final = "active"
"""The only phase that counts: what is pending was never ready, what is releasing is on its way
out; neither carries a system."""


class Weight(NamedTuple):
    """Where a component stands, how many units it is, and the vCPU of all of them together."""

    place: str
    units: int
    on_cloud: bool
    vcpu: int | Fraction


class Part(NamedTuple):
    """A production component of a system."""

    seq: int
    kind: str
    name: str
    request_id: str | None
    weight: Weight


class Presence(NamedTuple):
    """What a department holds on managed clouds, in any environment."""

    systems: int
    machines: int


NOTHING: Final = Presence(0, 0)


class Holdings:
    """The components of the systems of one department, gathered from its facts."""

    def __init__(self, definition: Definition, catalogue: Catalogue) -> None:
        self._environments = definition.environments
        self._catalogue = catalogue
        self._parts: dict[str, list[Part]] = {}
        self._hosted: set[str] = set()
        self._machines = 0

    def parts(self, system: str) -> list[Part]:
        """Return the production components of a system of the department."""
        return self._parts.get(system, [])

    def orphans(self, systems: Collection[str]) -> list[str]:
        """Return the names that components refer to and no system bears, sorted."""
        return sorted(self._parts.keys() - systems)

    @property
    def presence(self) -> Presence:
        """How many systems hold something on managed clouds, and how many machines there are."""
        return Presence(len(self._hosted), self._machines)

    def add_machines(self, facts: Iterable[MachineFact]) -> None:
        """Add virtual machines; a pending or releasing one carries nothing."""
        flavors, on_cloud = self._catalogue.flavors, self._catalogue.on_cloud
        for fact in facts:
            if fact.phase != ACTIVE:
                continue
            on, units = on_cloud(fact.zone), fact.units
            if on:
                self._machines += units
            vcpu = fact.vcpu if fact.flavor is None else flavors.get(fact.flavor)
            self._add("VirtualMachine", fact, Weight(fact.zone, units, on, units * (vcpu or 0)))

    def add_namespaces(self, facts: Iterable[NamespaceFact]) -> None:
        """Add namespaces; each weighs one."""
        on_cloud = self._catalogue.on_cloud
        for fact in facts:
            if fact.phase == ACTIVE:
                cores = Fraction(millicores(fact.cpu), 1000)
                self._add("Namespace", fact, Weight(fact.zone, 1, on_cloud(fact.zone), cores))

    def add_hosts(self, facts: Iterable[HostFact]) -> None:
        """Add legacy hosts that still run; one that is off carries nothing."""
        for fact in facts:
            if fact.state == HostState.RUNNING and fact.system is not None:
                self._add("LegacyHost", fact, Weight(fact.room, 1, False, fact.vcpu or 0))

    def _add(self, kind: str, fact: MachineFact | NamespaceFact | HostFact, weight: Weight) -> None:
        system = fact.system or ""
        if weight.on_cloud:
            self._hosted.add(system)
        if fact.environment in self._environments:
            part = Part(fact.seq, kind, fact.name, fact.request_id, weight)
            self._parts.setdefault(system, []).append(part)
