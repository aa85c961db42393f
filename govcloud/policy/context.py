"""What a rule is told: the change, with everything its references resolve to, and the setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from govcloud.domain import city
from govcloud.domain.base import Model
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.estate import ServerRoomSpec
from govcloud.domain.kinds.governance import ExemptionSpec, WaiverSpec
from govcloud.domain.kinds.platform import (
    CloudSpec,
    DepartmentSpec,
    FlavorSpec,
    ImageSpec,
    Level,
    ZoneSpec,
)
from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.kinds.systems import (
    Environment,
    Lease,
    SystemSpec,
    VirtualMachineSpec,
)

PARAMETERS: Final[Mapping[str, float]] = {
    "lease-days-production": 366,
    "lease-days-test": 90,
    "lease-days-dev": 180,
    "lease-days-emergency": 30,
    "lease-stop-days": -1,
    "no-project-days": 90,
    "filing-due-days": 30,
    "filing-alarm-days": 20,
    "assessment-days-mlps3": 365,
    "assessment-days-mlps2": 730,
    "assessment-alarm-days": 30,
    "pool-warning": 0.8,
    "pool-limit": 0.9,
    "reservation-days": 7,
    "approval-days": 10,
    "due-soon": 0.8,
    "idle-days": 2,
    "review-days": 2,
}
"""The numbers that rules use, unless `Policy.spec.parameters` says otherwise.

Terms are days, of approvals working days; shares of a pool and of a time limit are fractions.
`lease-stop-days` after a lease's last day its machines are stopped; negative: never.
"""


class Action(StrEnum):
    """What a change set does to an object."""

    CREATE = "create"
    CHANGE = "change"
    RELEASE = "release"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Subject:
    """One change; `spec` is what should be, or for a release what is given back.

    `uid` is of the object that is changed, "" where there is none yet.

    `grows`: needs more of something than before. `hosted`: its system has, or with this change
    set gets, resources on a cloud. `system_included`: the system itself is part of the change set,
    and is judged there. `keeps`: of a release, that its data disks stay.
    """

    action: Action
    key: ObjectKey
    spec: Model
    before: Model | None = None
    grows: bool = False
    hosted: bool = False
    system_included: bool = False
    system_name: str = ""
    system: SystemSpec | None = None
    zone_name: str = ""
    zone: ZoneSpec | None = None
    cloud_name: str = ""
    cloud: CloudSpec | None = None
    flavor: FlavorSpec | None = None
    image: ImageSpec | None = None
    room: ServerRoomSpec | None = None
    uid: str = ""
    keeps: bool = False

    @property
    def machine(self) -> VirtualMachineSpec | None:
        """The spec, if this is a virtual machine."""
        return self.spec if isinstance(self.spec, VirtualMachineSpec) else None

    @property
    def allocates(self) -> bool:
        """Whether resources of a cloud are built for it."""
        return KINDS[self.key.kind].allocates

    @property
    def environment(self) -> Environment:
        """What it is used for; production where its kind does not say."""
        found = getattr(self.spec, "environment", Environment.PRODUCTION)
        return found if isinstance(found, Environment) else Environment.PRODUCTION

    @property
    def lease(self) -> Lease | None:
        """For how long it is wanted."""
        found = getattr(self.spec, "lease", None)
        return found if isinstance(found, Lease) else None

    @property
    def judged_system(self) -> SystemSpec | None:
        """The system to be judged with this change: itself, or that of resources that grow."""
        if isinstance(self.spec, SystemSpec):
            return self.spec
        if self.allocates and self.grows and not self.system_included:
            return self.system
        return None

    @property
    def mlps_level(self) -> int:
        """The MLPS level of the system that it is for; 0 where none is known."""
        return (self.system.security.mlps_level or 0) if self.system else 0


@dataclass(frozen=True, slots=True)
class Pool:
    """How much of one class of a cloud will be given away with this change set."""

    cloud: str
    resource_class: str
    share: float


@dataclass(frozen=True, slots=True)
class Setting:
    """What all changes of a change set share.

    `owner_level` and `parent_level` place the department in the organisation; `mlps_levels` are
    those of all its systems. `registered` are the systems there will be, anywhere, by the codes
    concerned. `justification` is None where it is not yet known (a plan). `urgent`: the change set
    is to take the emergency path, if the city has one. `used` is what is in use of the limits of
    objects that are made smaller, by uid, and of what is taken over, by the new object's key as
    text; None where their cloud does not say it.
    """

    today: date
    department: str
    owner: DepartmentSpec | None = None
    parent_level: Level | None = None
    mlps_levels: frozenset[int] = frozenset()
    flavors: Mapping[str, FlavorSpec] = field(default_factory=dict)
    pools: Sequence[Pool] = ()
    exemptions: Sequence[ExemptionSpec] = ()
    waivers: Mapping[str, WaiverSpec] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    justification: str | None = None
    census_until: date | None = None
    registered: Mapping[str, Sequence[ObjectKey]] = field(default_factory=dict)
    urgent: bool = False
    emergency_path: bool = False
    used: Mapping[str, Mapping[str, int] | None] = field(default_factory=dict)

    def parameter(self, name: str) -> float:
        """Return a number that rules use."""
        return self.parameters.get(name, PARAMETERS[name])

    def days(self, name: str) -> timedelta:
        """Return a parameter that counts days."""
        return timedelta(days=self.parameter(name))

    def exempted(self, system: str | None) -> bool:
        """Whether an approved exemption holds today for a system; for any, where None is given."""
        return any(
            found.department == self.department
            and (system is None or found.system == system)
            and found.approved_by is not None
            and found.approved_on is not None
            and found.approved_on <= self.today
            and found.valid_from <= self.today <= found.valid_until
            for found in self.exemptions
        )

    @property
    def census_open(self) -> bool:
        """Whether what stands off the cloud may be registered as part of the baseline."""
        return self.census_until is not None and self.today <= self.census_until


def city_day(instant: datetime) -> date:
    """Return the day that an instant falls on by the clock on the wall."""
    return instant.astimezone(city.time()).date()


def day_begins(day: date) -> datetime:
    """Return the instant at which a day begins by the clock on the wall."""
    return datetime(day.year, day.month, day.day, tzinfo=city.time())
