"""Kinds that the cloud's administrators write: organisation, clouds, catalogue, quotas."""

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

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
    entry_faults,
)
from govcloud.domain.classes import CLASSES, class_of
from govcloud.domain.quantity import Memory, QuantityError
from govcloud.domain.references import Connection
from govcloud.domain.text_fields import Network


class Level(LabelledEnum):
    """Level of a node in the organisation tree."""

    PROVINCE = "province", "省"
    CITY = "city", "市"
    COUNTY = "county", "县", "区", "县(市、区)"
    TOWN = "town", "镇", "街道", "镇(街道)"
    DEPARTMENT = "department", "部门"
    OFFICE = "office", "科室"


class UnitType(LabelledEnum):
    """What kind of body a unit is."""

    PARTY_OR_GOVERNMENT = "party-or-government", "党政机关"
    PUBLIC_INSTITUTION = "public-institution", "事业单位"
    STATE_COMPANY = "state-company", "国有企业"
    AREA = "area", "板块"


class Contact(Model):
    """A person who answers for something."""

    name: Line = Field(description="The person's name or post.")
    phone: Line | None = Field(None, description="Telephone number.")


class Contacts(Model):
    """The accountable people of a department or a system."""

    head: Contact | None = Field(None, description="Responsible head, who signs requests.")
    tech: Contact | None = Field(None, description="Technical contact.")
    security: Contact | None = Field(None, description="Security contact.")


class ExtranetAccess(Model):
    """A unit's access to the government extranet."""

    connected: Flag = Field(True, description="Whether the unit is connected.")
    ipv6: Flag = Field(False, description="Whether IPv6 is enabled.")
    tested_on: Day | None = Field(None, description="When IPv6 was last tested with success.")


class DepartmentSpec(Model):
    """A node of the organisation tree."""

    level: Level = Field(description="Level of the node.")
    parent: Name | None = Field(None, description="The node above; absent for the root only.")
    type: UnitType = Field(UnitType.PARTY_OR_GOVERNMENT, description="What kind of body it is.")
    credit_code: Line | None = Field(None, description="Unified social credit code.")
    vertical: Flag = Field(False, description="Vertically managed from above.")
    classified_unit: Flag = Field(False, description="Runs classified systems.")
    industry_cloud: Name | None = Field(None, description="The industry cloud that it runs.")
    contacts: Contacts = Field(Contacts(), description="Accountable people.")
    extranet: ExtranetAccess | None = Field(None, description="Access to the extranet.")


class SiteRole(LabelledEnum):
    """What a site is for (two sites, three centres)."""

    PRODUCTION = "production", "生产中心"
    LOCAL_DR = "local-dr", "同城灾备"
    REMOTE_DR = "remote-dr", "异地灾备"


class Management(LabelledEnum):
    """Whether govcloud changes a cloud or only reads it."""

    MANAGED = "managed", "托管"
    OBSERVED = "observed", "纳管"


class CloudLimits(Model):
    """How hard a cloud may be worked."""

    parallel: Annotated[int, Field(strict=True, ge=1, le=256)] = Field(
        8, description="Calls at the same time."
    )
    requests_per_second: Annotated[float, Field(strict=True, gt=0, le=100_000)] = Field(
        50, description="Calls a second, on average."
    )
    resync_seconds: Annotated[int, Field(strict=True, ge=1, le=86_400)] = Field(
        60, description="Seconds between full comparisons; drift is seen within this time."
    )
    brake_count: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = Field(
        5, description="So many objects missing at once, and `brakeShare`, stop all healing."
    )
    brake_share: Annotated[float, Field(strict=True, gt=0, le=1)] = Field(
        0.2, description="Such a share of them missing, and `brakeCount`, stops all healing."
    )


class CloudCapacity(Model):
    """The physical size of a cloud."""

    cores: Positive | None = Field(None, description="Physical cores.")
    memory: Memory | None = Field(None, description="Physical memory.")
    vcpu_per_core: Annotated[float, Field(strict=True, gt=0, le=64)] = Field(
        4, description="How many vCPU are sold on one core."
    )


class CloudSpec(Model):
    """An OpenStack region, a Kubernetes cluster or the simulated cloud."""

    provider: Line = Field(description="Driver: `simulated`, or one that is installed.")
    management: Management = Field(
        Management.MANAGED, description="`observed` clouds are never changed."
    )
    owner: Name | None = Field(None, description="Owning department of an industry cloud.")
    docked: Flag = Field(False, description="An industry cloud whose systems are reported here.")
    kinds: list[Line] = Field(
        ["VirtualMachine", "Volume"], max_length=20, description="Kinds of objects built here."
    )
    connection: Connection = Field(
        default_factory=dict,
        max_length=20,
        description="Where it is and which credentials to use, by reference "
        "(`<key>-file`, `<key>-env`); never a secret.",
    )
    mlps_level: Annotated[int, Field(strict=True, ge=2, le=3)] = Field(
        3, description="MLPS level of the platform."
    )
    site: SiteRole = Field(SiteRole.PRODUCTION, description="Role of the site.")
    xinchuang: Flag = Field(False, description="Domestic-technology stack.")
    mainland: Flag = Field(True, description="Data and operation are in mainland China.")
    limits: CloudLimits = Field(CloudLimits(), description="How hard it may be worked.")
    capacity: CloudCapacity = Field(CloudCapacity(), description="Its physical size.")
    storage: dict[Name, Line] = Field(
        default_factory=dict,
        max_length=16,
        description="What each storage class is called in the cloud; absent: as here.",
    )
    wipes: list[Name] = Field(
        default_factory=list,
        max_length=16,
        description="Storage classes whose volumes the cloud overwrites when they are removed: "
        "only of these may it be asked (`release --wipe-volumes`).",
    )
    prices: dict[Line, Money] = Field(
        default_factory=dict,
        max_length=64,
        description="Yuan a month for one unit of a resource class, beyond what flavors cost.",
    )


class ZoneType(LabelledEnum):
    """Which security domain a zone is."""

    INTERNET = "internet", "互联网区"
    EXTRANET_PUBLIC = "extranet-public", "政务外网公共区", "公用网络区"
    EXTRANET_PRIVATE = "extranet-private", "专网区", "专用网络区"
    DMZ = "dmz", "DMZ区"
    PRODUCTION = "production", "政务生产区"
    MANAGEMENT = "mgmt", "管理区"


class ZoneSpec(Model):
    """A security domain of a cloud: each resource stands in exactly one."""

    cloud: Name = Field(description="The cloud it belongs to.")
    type: ZoneType = Field(description="Which security domain it is.")
    mlps_level: Annotated[int, Field(strict=True, ge=2, le=3)] = Field(
        description="MLPS level of the zone; systems of another level do not share it."
    )
    ipv6: Flag = Field(True, description="Networks in it are dual-stack.")
    floating_ips: Flag = Field(False, description="Floating addresses may be given out.")
    xinchuang: Flag = Field(False, description="Domestic-technology stack.")
    host_zone: Line | None = Field(
        None, description="Availability zone of the cloud on whose hosts its machines stand."
    )
    external_network: Line | None = Field(
        None, description="The cloud's network outside: routers lead to it, addresses come from it."
    )
    subnet_pools: list[Line] = Field(
        default_factory=list,
        max_length=2,
        description="The cloud's address pools for its networks, one a version of IP; "
        "absent: private addresses.",
    )
    nameservers: list[Line] = Field(
        default_factory=list, max_length=6, description="Addresses of its name servers."
    )
    ntp_servers: list[Line] = Field(
        default_factory=list, max_length=6, description="Its time servers."
    )
    inside: list[Network] = Field(
        default_factory=list,
        max_length=64,
        description="What its machines may reach without `internetAccess`, beside their own "
        "system, name servers and time servers; absent: everything.",
    )


class FlavorSpec(Model):
    """A size of virtual machine in the catalogue."""

    vcpu: Annotated[int, Field(strict=True, ge=1, le=512)] = Field(description="Virtual CPUs.")
    memory: Memory = Field(description="Memory.")
    gpu: Count = Field(0, description="GPUs.")
    arch: Line = Field("x86_64", description="CPU architecture.")
    xinchuang: Flag = Field(False, description="Domestic-technology stack.")
    price: Money = Field(0, description="Yuan a month.")
    clouds: dict[Name, Line] = Field(
        default_factory=dict,
        max_length=64,
        description="What it is called in each cloud, by the cloud's name; absent: as here.",
    )


class ImageSpec(Model):
    """An operating-system image in the catalogue."""

    os: Line = Field(description="Operating system and version.")
    arch: Line = Field("x86_64", description="CPU architecture.")
    xinchuang: Flag = Field(False, description="Domestic-technology stack.")
    end_of_support: Day | None = Field(None, description="When its maker ends support.")
    min_disk: Count = Field(20, description="Smallest system disk, GiB.")
    hardening: Flag = Field(
        True, description="Machines get the baseline hardening at their first start."
    )
    clouds: dict[Name, Line] = Field(
        default_factory=dict,
        max_length=64,
        description="What it is called in each cloud, by the cloud's name; absent: as here.",
    )


def _limits(value: object) -> object:
    """Read a mapping of resource class to quantity into whole numbers of base units."""
    if not isinstance(value, dict):
        raise ValueError("not_a_mapping")  # noqa: TRY004 (pydantic turns ValueError into a fault)
    read: dict[str, int] = {}
    faults: list[tuple[str, str]] = []
    for word, amount in value.items():
        try:
            read[str(word)] = class_of(str(word)).parse(amount)
        except KeyError:
            faults.append((str(word), f"unknown_class:{word}"))
        except QuantityError as error:
            faults.append((str(word), f"{error}:{amount}"))
    entry_faults(faults)
    return read


def _show_limits(value: dict[str, int]) -> dict[str, object]:
    return {
        word: amount if class_of(word).show is str else class_of(word).show(amount)
        for word, amount in value.items()
    }


Limits = Annotated[
    dict[str, int],
    BeforeValidator(_limits),
    PlainSerializer(_show_limits, return_type=dict[str, object], when_used="json"),
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": f"^({'|'.join(CLASSES)})(\\.[a-z0-9-]+)?$"},
            "additionalProperties": {"type": ["integer", "number", "string"]},
            "examples": [{"vms": 100, "vcpu": 400, "memory": "1Ti", "disk.ssd": "20Ti"}],
        }
    ),
]


class QuotaType(LabelledEnum):
    """Whether a quota is the limit itself or adds to it for a time."""

    LIMIT = "limit", "配额"
    GRANT = "grant", "临时增配"


class QuotaSpec(Model):
    """A department's limits, optionally for one cloud or zone, and for a time."""

    department: Name = Field(description="The department (or any node) it limits, with all below.")
    type: QuotaType = Field(QuotaType.LIMIT, description="The limit, or a time-bound addition.")
    cloud: Name | None = Field(None, description="Only what stands in this cloud.")
    zone: Name | None = Field(None, description="Only what stands in this zone; needs `cloud`.")
    limits: Limits = Field(description="Quantity for each resource class.")
    lend: Limits = Field(
        default_factory=dict,
        description="At most this much of what is unused may be borrowed by siblings; "
        "absent: everything, 0: nothing.",
    )
    borrow: Limits = Field(
        default_factory=dict, description="At most this much may be used beyond the limit."
    )
    overcommit: Annotated[float, Field(strict=True, ge=1, le=10)] = Field(
        1, description="Factor by which the children's limits together may exceed this one."
    )
    valid_from: Day | None = Field(None, description="First day; absent: at once.")
    valid_until: Day | None = Field(None, description="Last day; a grant must have one.")
    reason: Prose | None = Field(None, description="Why, and by whose decision.")

    @property
    def place(self) -> tuple[str, str | None, str | None]:
        """What is limited: department, cloud and zone, each of the latter None for all."""
        return self.department, self.cloud, self.zone

    @property
    def stands(self) -> bool:
        """Whether it is a limit without an end."""
        return self.type is QuotaType.LIMIT and self.valid_until is None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.zone and not self.cloud:
            raise ValueError("zone_without_cloud")
        if self.type is QuotaType.GRANT and self.valid_until is None:
            raise ValueError("grant_without_end")
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValueError("ends_before_start")
        return self
