"""The business system, and what a department asks for on its behalf."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from govcloud.domain.base import (
    Count,
    Day,
    Flag,
    LabelledEnum,
    Line,
    Model,
    Money,
    Name,
    Positive,
    Prose,
)
from govcloud.domain.drift import DriftMode
from govcloud.domain.kinds.platform import Contacts
from govcloud.domain.quantity import Cpu, Memory, Storage
from govcloud.domain.text_fields import Network, Opening, PublicKey, Subject


class Environment(LabelledEnum):
    """What a resource is used for."""

    PRODUCTION = "production", "生产"
    TEST = "test", "测试"
    DEV = "dev", "开发"
    EMERGENCY = "emergency", "应急"


class Lifecycle(LabelledEnum):
    """Where a business system stands in its life."""

    PLANNED = "planned", "规划"
    TRIAL = "trial", "试运行"
    RUNNING = "running", "运行"
    SUSPENDED = "suspended", "停用"
    RETIRED = "retired", "注销", "已下线"


class Origin(LabelledEnum):
    """Whether a system was built on the cloud or has to move there."""

    CLOUD = "cloud", "云上新建"
    LEGACY = "legacy", "存量"


class Phase(LabelledEnum):
    """Phase of the project that pays for a system."""

    DECLARED = "declared", "申报"
    APPROVED = "approved", "立项"
    REVIEWED = "reviewed", "评审"
    IMPLEMENTING = "implementing", "实施"
    ACCEPTED = "accepted", "验收"
    EVALUATED = "evaluated", "考核评价"
    OPERATING = "operating", "运维"


class Fund(LabelledEnum):
    """Where a project's money comes from."""

    LOCAL = "local-fiscal", "本级财政"
    UPPER = "upper-fiscal", "上级财政"
    OTHER = "other", "其他"


class Project(Model):
    """The project that pays for a system."""

    id: Line = Field(description="Number in the project platform.")
    phase: Phase = Field(description="Phase it is in.")
    fund: Fund = Field(Fund.LOCAL, description="Where the money comes from.")
    amount_wan: Money | None = Field(None, description="Amount, 10,000 yuan.")


class Users(LabelledEnum):
    """Who uses a system."""

    PUBLIC = "public", "社会公众"
    INTERNAL = "internal", "本部门"
    CROSS_DEPARTMENT = "cross-department", "跨部门"


class Category(LabelledEnum):
    """Which layer of the city's systems it belongs to."""

    APPLICATION = "application", "应用层"
    SUPPORT = "support", "应用支撑层"
    INFRASTRUCTURE = "infrastructure", "基础设施层"


class DataClass(LabelledEnum):
    """Class of the data that it holds."""

    GENERAL = "general", "一般数据"
    IMPORTANT = "important", "重要数据"
    CORE = "core", "核心数据"


class Contractor(Model):
    """The company that builds a system."""

    name: Line = Field(description="Name.")
    credit_code: Line | None = Field(None, description="Unified social credit code.")


class Security(Model):
    """Protection of a system: classified or not, MLPS level, filings and assessments."""

    classified: Flag = Field(description="Classified systems are refused on this cloud.")
    mlps_level: Annotated[int, Field(strict=True, ge=1, le=5)] | None = Field(
        None, description="MLPS level (等保); 2 or 3 on this cloud."
    )
    filing_no: Line | None = Field(None, description="Number of the MLPS filing certificate.")
    filing_date: Day | None = Field(None, description="Date of the filing.")
    assessment_date: Day | None = Field(None, description="Date of the last MLPS assessment.")
    crypto_assessment_date: Day | None = Field(
        None, description="Date of the last cryptography assessment."
    )
    cii: Flag = Field(False, description="Critical information infrastructure.")
    data_class: DataClass = Field(DataClass.GENERAL, description="Class of its data.")


SystemRef = Annotated[
    str,
    StringConstraints(
        strict=True,
        max_length=127,
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    ),
]
"""`name` (own department) or `department/name`."""


class SystemSpec(Model):
    """A government information system (政务信息系统): what resources are allocated for."""

    code: Line = Field(description="Code in the city's register of systems.")
    lifecycle: Lifecycle = Field(Lifecycle.RUNNING, description="Where it stands in its life.")
    origin: Origin = Field(Origin.CLOUD, description="Built on the cloud, or to be moved there.")
    category: Category = Field(Category.APPLICATION, description="Layer it belongs to.")
    security: Security = Field(description="Its protection.")
    users: Users = Field(Users.INTERNAL, description="Who uses it.")
    extranet: Flag = Field(True, description="Reached through the government extranet.")
    internet: Flag = Field(False, description="Reached from the internet.")
    ipv6: Flag = Field(True, description="Reachable over IPv6.")
    xinchuang: Flag = Field(False, description="Runs on the domestic-technology stack.")
    project: Project | None = Field(None, description="The project that pays for it.")
    operator: Line | None = Field(None, description="Who operates it, if not the owner.")
    contractor: Contractor | None = Field(None, description="Who built it.")
    contacts: Contacts = Field(Contacts(), description="Accountable people.")
    launched_on: Day | None = Field(None, description="When it went live.")
    industry_cloud: Name | None = Field(None, description="The observed cloud that it runs on.")
    zombie: Flag = Field(False, description="Nobody uses it any more (僵尸系统).")
    depends_on: list[SystemRef] = Field(
        default_factory=list,
        max_length=1_000,
        description="Systems that it exchanges data with: `name` (own department) or "
        "`department/name`.",
    )
    description: Prose | None = Field(None, description="What it does.")


class Lease(Model):
    """For how long something is wanted."""

    start: Day | None = Field(None, description="First day.")
    end: Day = Field(description="Last day.")


class Disk(Model):
    """A disk of a virtual machine."""

    size: Storage = Field(description="Size.")
    type: Name = Field("hdd", description="Storage class.")


class Tier(LabelledEnum):
    """What a machine does in its system."""

    WEB = "web", "接入层"
    APP = "app", "应用层"
    DATABASE = "db", "数据库"
    OTHER = "other", "其他"


Port = Annotated[int, Field(strict=True, ge=1, le=65_535)]


class Allow(Model):
    """One opening in the closed-by-default security group."""

    ports: list[Port] = Field(min_length=1, max_length=64, description="TCP ports.")
    source: Opening = Field("system", description="`system`, `department`, `internet`, or a CIDR.")


class MachineNetwork(Model):
    """How a machine is connected."""

    ipv6: Flag = Field(True, description="Has an IPv6 address as well.")
    internet_access: Flag = Field(
        False,
        description="May reach the internet. Without it OpenStack lets a machine out only to what "
        "is `inside` its zone, where the zone says so.",
    )
    floating_ip: Flag = Field(False, description="Has a floating address for each machine.")
    bandwidth_mbps: Positive | None = Field(
        None, description="Bandwidth, Mbit/s: agreed and kept on record; no driver limits it."
    )
    allow: list[Allow] = Field(default_factory=list, max_length=64, description="Openings.")


class Power(LabelledEnum):
    """Whether a machine should run."""

    ON = "on", "开机"
    OFF = "off", "关机"


class Backup(LabelledEnum):
    """How often a machine is backed up."""

    NONE = "none", "不备份"
    DAILY = "daily", "每日"
    HOURLY = "hourly", "每小时"


class Adoption(Model):
    """What stands in a cloud already, and is taken over instead of being built."""

    tenant: Line = Field(description="The cloud's tenant (project) that it lives in, and stays in.")
    parts: dict[Name, Line] = Field(
        min_length=1, max_length=64, description="The cloud's id of each part that is taken over."
    )


MachineNumber = Annotated[int, Field(strict=True, ge=0, le=9_999)]


class VirtualMachineSpec(Model):
    """One or more equal virtual machines of a system."""

    system: Name = Field(description="The system it is for.")
    zone: Name = Field(description="The zone it stands in.")
    count: Annotated[int, Field(strict=True, ge=1, le=500)] = Field(
        1, description="How many machines."
    )
    without: list[MachineNumber] = Field(
        default_factory=list,
        max_length=500,
        description="Numbers that no machine has: which ones go when there are to be fewer.",
    )
    flavor: Name | None = Field(None, description="Size from the catalogue; or `vcpu`, `memory`.")
    vcpu: Annotated[int, Field(strict=True, ge=1, le=512)] | None = Field(
        None, description="Virtual CPUs, where no flavor is named."
    )
    memory: Memory | None = Field(None, description="Memory, where no flavor is named.")
    image: Name = Field(description="Image from the catalogue.")
    system_disk: Disk = Field(
        Disk.model_validate({"size": "50Gi"}), description="The disk that it boots from."
    )
    data_disks: list[Disk] = Field(default_factory=list, max_length=25, description="Data disks.")
    network: MachineNetwork = Field(MachineNetwork(), description="How it is connected.")
    tier: Tier = Field(Tier.APP, description="What it does in its system.")
    environment: Environment = Field(Environment.PRODUCTION, description="What it is used for.")
    power: Power = Field(Power.ON, description="Whether it should run.")
    anti_affinity: Flag = Field(False, description="Keep its machines on different hosts.")
    backup: Backup = Field(
        Backup.DAILY, description="How often it is to be backed up, by whoever operates backups."
    )
    key: PublicKey | None = Field(
        None, description="OpenSSH public key for the first login, on one line."
    )
    cloud_init: Prose | None = Field(
        None, description="Further cloud-config for the first start, as YAML."
    )
    lease: Lease | None = Field(None, description="For how long.")
    drift: DriftMode | None = Field(None, description="Overrides the policy's drift mode.")
    justification: Prose | None = Field(None, description="Why this size.")
    adopts: Adoption | None = Field(
        None, description="What stands already and is taken over; written by `govcloud adopt`."
    )

    @model_validator(mode="after")
    def _sized_once(self) -> Self:
        if (self.flavor is None) == (self.vcpu is None or self.memory is None):
            raise ValueError("flavor_or_sizes")
        if self.flavor is not None and (self.vcpu is not None or self.memory is not None):
            raise ValueError("flavor_or_sizes")
        if self.adopts is not None and self.count != 1:
            raise ValueError("adopts_one")
        return self


class VolumeSpec(Model):
    """A volume that outlives the machines it is attached to."""

    system: Name = Field(description="The system it is for.")
    zone: Name = Field(description="The zone it stands in.")
    size: Storage = Field(description="Size.")
    type: Name = Field("hdd", description="Storage class.")
    attach_to: Name | None = Field(None, description="The VirtualMachine it is attached to.")
    environment: Environment = Field(Environment.PRODUCTION, description="What it is used for.")
    lease: Lease | None = Field(None, description="For how long.")
    drift: DriftMode | None = Field(None, description="Overrides the policy's drift mode.")
    adopts: Adoption | None = Field(
        None, description="What stands already and is taken over; written by `govcloud adopt`."
    )


class PodSecurity(LabelledEnum):
    """Pod Security level of a namespace."""

    RESTRICTED = "restricted", "受限"
    BASELINE = "baseline", "基线"
    PRIVILEGED = "privileged", "特权"


class Access(Model):
    """Who may do what in a namespace, by user name."""

    view: list[Subject] = Field(default_factory=list, max_length=100, description="May read.")
    edit: list[Subject] = Field(default_factory=list, max_length=100, description="May change.")
    admin: list[Subject] = Field(
        default_factory=list, max_length=100, description="May administer."
    )


NamespaceRef = Annotated[
    str,
    StringConstraints(
        strict=True,
        max_length=127,
        pattern=r"^(cluster:|[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    ),
]
"""`name` (own department), `department/name`, or `cluster:name` for what govcloud did not make."""


class NamespaceNetwork(Model):
    """Who may talk to a namespace; everything else is denied."""

    internal: Flag = Field(True, description="Its own pods may talk to each other.")
    from_namespaces: list[NamespaceRef] = Field(
        default_factory=list,
        max_length=100,
        description="Namespaces that may come in: `name`, `department/name` or `cluster:name`.",
    )
    to_namespaces: list[NamespaceRef] = Field(
        default_factory=list,
        max_length=100,
        description="Namespaces that may be reached: `name`, `department/name` or `cluster:name`.",
    )
    from_zones: list[Name] = Field(
        default_factory=list, max_length=20, description="Zones that may come in."
    )
    to_zones: list[Name] = Field(
        default_factory=list, max_length=20, description="Zones that may be reached."
    )
    from_cidrs: list[Network] = Field(
        default_factory=list, max_length=100, description="Addresses that may come in."
    )
    to_cidrs: list[Network] = Field(
        default_factory=list, max_length=100, description="Addresses that may be reached."
    )


class ContainerSize(Model):
    """A size of one container."""

    cpu: Cpu | None = Field(None, description="CPU.")
    memory: Memory | None = Field(None, description="Memory.")


class Containers(Model):
    """What one container gets if it does not say, and how much it may have."""

    request: ContainerSize = Field(
        ContainerSize.model_validate({"cpu": "100m", "memory": "128Mi"}),
        description="What it is given where it names nothing.",
    )
    limit: ContainerSize = Field(
        ContainerSize.model_validate({"cpu": "500m", "memory": "512Mi"}),
        description="What it may use where it names nothing.",
    )
    max: ContainerSize = Field(ContainerSize(), description="The most that it may ask for.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for word in ("cpu", "memory"):
            sizes = [getattr(size, word) for size in (self.request, self.limit, self.max)]
            named = [size for size in sizes if size is not None]
            if named != sorted(named):
                raise ValueError("container_sizes")
        return self


CountedObject = Annotated[
    str, StringConstraints(strict=True, max_length=100, pattern=r"^[a-z]+(\.[a-z0-9.-]*[a-z0-9])?$")
]


class NamespaceSpec(Model):
    """A Kubernetes namespace with its limits and its borders."""

    system: Name = Field(description="The system it is for.")
    zone: Name = Field(description="The zone it stands in.")
    cpu: Cpu = Field(description="CPU.")
    memory: Memory = Field(description="Memory.")
    storage: dict[Name, Storage] = Field(
        default_factory=dict, max_length=16, description="Storage for each storage class."
    )
    pods: Positive = Field(50, description="Pods.")
    gpu: Count = Field(0, description="GPUs.")
    objects: dict[CountedObject, Count] = Field(
        default_factory=dict,
        max_length=32,
        description="How many objects of a kind: `secrets`, `deployments.apps`.",
    )
    containers: Containers = Field(Containers(), description="Sizes of one container.")
    allow_over_quota: Flag = Field(
        False,
        description="Limits may be set below what is in use; it then shows as over quota.",
    )
    access: Access = Field(Access(), description="Who may do what.")
    network: NamespaceNetwork = Field(NamespaceNetwork(), description="Who may talk to it.")
    pod_security: PodSecurity = Field(PodSecurity.RESTRICTED, description="Pod Security level.")
    environment: Environment = Field(Environment.PRODUCTION, description="What it is used for.")
    lease: Lease | None = Field(None, description="For how long.")
    drift: DriftMode | None = Field(None, description="Overrides the policy's drift mode.")
    justification: Prose | None = Field(None, description="Why this size.")
    adopts: Adoption | None = Field(
        None, description="What stands already and is taken over; written by `govcloud adopt`."
    )
