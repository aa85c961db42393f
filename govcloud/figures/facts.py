"""The facts that figures are made of: one tuple a fact, in the order in which the store reads them.

Tuples and not models, because a province has a million of them. `seq` is the number of the fact,
by which an auditor finds the record, and by which the few that are shown are given their labels;
the facts given are those that stood at the cut-off.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from govcloud.domain.kinds.platform import Management
from govcloud.domain.quantity import parse_cpu


class SystemFact(NamedTuple):
    """A business system."""

    seq: int
    uid: str
    phase: str
    name: str
    code: str
    lifecycle: str
    origin: str
    classified: int
    industry_cloud: str | None


class MachineFact(NamedTuple):
    """Virtual machines of a system, `units` of them."""

    seq: int
    uid: str
    phase: str
    name: str
    system: str
    environment: str
    zone: str
    units: int
    flavor: str | None
    vcpu: int | None


class NamespaceFact(NamedTuple):
    """A Kubernetes namespace of a system."""

    seq: int
    uid: str
    phase: str
    name: str
    system: str
    environment: str
    zone: str
    cpu: str


class HostFact(NamedTuple):
    """A host in a self-built room."""

    seq: int
    uid: str
    phase: str
    name: str
    system: str | None
    environment: str
    room: str
    state: str
    vcpu: int | None


class ExemptionFact(NamedTuple):
    """Why a system is not counted; `owner` is the department of the system."""

    seq: int
    uid: str
    phase: str
    name: str
    owner: str
    system: str
    reason: str
    approved_by: str | None
    approved_on: str | None
    valid_from: str
    valid_until: str

    def holds_on(self, day: date) -> bool:
        """Whether it was approved and in force on that day; without approval it never is."""
        if not self.approved_by or not self.approved_on:
            return False
        shown = day.isoformat()
        return self.approved_on <= shown and self.valid_from <= shown <= self.valid_until


class PlanFact(NamedTuple):
    """How far a legacy system's way onto the cloud is."""

    seq: int
    uid: str
    phase: str
    name: str
    owner: str
    system: str
    state: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What references resolve to: zones to clouds, clouds to who runs them, flavors to vCPU.

    `zones_on_cloud` are the zones of clouds that govcloud manages; `docked` tells for each cloud
    that is only observed whether its systems are reported here.
    """

    clouds_of_zones: Mapping[str, str] = field(default_factory=dict)
    managed: frozenset[str] = frozenset()
    zones_on_cloud: frozenset[str] = frozenset()
    docked: Mapping[str, bool] = field(default_factory=dict)
    flavors: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        clouds: Iterable[tuple[str, str, int | None]],
        zones: Iterable[tuple[str, str]],
        flavors: Iterable[tuple[str, int]],
    ) -> "Catalogue":
        """Make it of (cloud, management, docked), (zone, cloud) and (flavor, vCPU)."""
        listed, placed = list(clouds), dict(zones)
        observed = Management.OBSERVED.value
        managed = frozenset(name for name, management, _ in listed if management != observed)
        return cls(
            clouds_of_zones=placed,
            managed=managed,
            zones_on_cloud=frozenset(zone for zone, cloud in placed.items() if cloud in managed),
            docked={name: bool(dock) for name, kept, dock in listed if kept == observed},
            flavors=dict(flavors),
        )


@lru_cache(maxsize=4096)
def millicores(cpu: str) -> int:
    """Return the millicores of a namespace's CPU as users write it."""
    return parse_cpu(cpu)
