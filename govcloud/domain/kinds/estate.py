"""What departments run themselves and what is to be emptied and merged: rooms, hosts, networks."""

from typing import Annotated

from pydantic import Field

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
from govcloud.domain.kinds.systems import Environment
from govcloud.domain.quantity import Memory, Storage
from govcloud.domain.text_fields import HostAddress


class RoomState(LabelledEnum):
    """Whether a server room still runs."""

    OPEN = "open", "在用"
    CLOSING = "closing", "关停中"
    CLOSED = "closed", "已关停"


class Pain(LabelledEnum):
    """What a unit finds hard about its room."""

    SECURITY = "security", "安全"
    OPERATIONS = "operations", "运维"
    SERVERS = "servers", "服务器设备"
    STORAGE = "storage", "存储容量"


class ServerRoomSpec(Model):
    """A server room that a department built itself."""

    address: Line | None = Field(None, description="Where it is.")
    state: RoomState = Field(RoomState.OPEN, description="Whether it still runs.")
    baseline: Flag = Field(
        False, description="Stood at the census and counts in the baseline; frozen when it ends."
    )
    only_network_gear: Flag = Field(False, description="Holds no servers, so it never counts.")
    area_m2: Annotated[float, Field(strict=True, ge=0, le=100_000)] | None = Field(
        None, description="Area, square metres."
    )
    racks: Count | None = Field(None, description="Racks.")
    servers: Count | None = Field(None, description="Physical servers.")
    power_kw: Annotated[float, Field(strict=True, ge=0, le=100_000)] | None = Field(
        None, description="Power, kW."
    )
    pue: Annotated[float, Field(strict=True, ge=1, le=10)] | None = Field(
        None, description="Power usage effectiveness."
    )
    annual_cost_wan: Money | None = Field(None, description="Operating cost a year, 10,000 yuan.")
    pains: list[Pain] = Field(default_factory=list, max_length=4, description="What is hard.")
    planned_closing: Day | None = Field(None, description="When it is to close.")
    closed_on: Day | None = Field(None, description="When it was closed.")
    evidence: Line | None = Field(None, description="Record that proves the closing.")


class HostState(LabelledEnum):
    """Whether a legacy host still runs."""

    RUNNING = "running", "运行"
    OFF = "off", "已下线"
    DISPOSED = "disposed", "已处置"


Percent = Annotated[int, Field(strict=True, ge=0, le=100)]


class HostFacts(Model):
    """What was measured on a legacy host, or told by its unit: its migration is planned by it."""

    hardware: Line | None = Field(None, description="Make and model.")
    arch: Line | None = Field(None, description="CPU architecture: `x86_64`, `aarch64`…")
    os_support_until: Day | None = Field(
        None, description="When the maker of its operating system ends support."
    )
    data: Storage | None = Field(None, description="Data that has to move.")
    daily_change: Memory | None = Field(None, description="Data that changes in a day.")
    cpu_peak: Percent | None = Field(None, description="Mean of the daily CPU peaks, %.")
    memory_peak: Percent | None = Field(None, description="Mean of the daily memory peaks, %.")
    databases: list[Line] = Field(
        default_factory=list, max_length=20, description="Databases that run on it."
    )
    middleware: Line | None = Field(None, description="Middleware that runs on it.")
    connects_to: list[HostAddress] = Field(
        default_factory=list, max_length=1_000, description="Hosts that it opens connections to."
    )


class LegacyHostSpec(Model):
    """A physical or virtual host in a self-built room."""

    room: Name = Field(description="The room that it stands in.")
    system: Name | None = Field(None, description="The system that runs on it.")
    address: HostAddress | None = Field(None, description="Its IP address or host name.")
    os: Line | None = Field(None, description="Operating system.")
    vcpu: Positive | None = Field(None, description="CPU threads.")
    memory: Memory | None = Field(None, description="Memory.")
    storage: Storage | None = Field(None, description="Storage.")
    environment: Environment = Field(Environment.PRODUCTION, description="What it is used for.")
    state: HostState = Field(HostState.RUNNING, description="Whether it still runs.")
    off_on: Day | None = Field(None, description="When it was switched off.")
    facts: HostFacts | None = Field(None, description="What was measured on it.")


class NetworkUse(LabelledEnum):
    """What a private network is for."""

    MONITORING = "monitoring", "监控"
    COMMAND = "command", "应急指挥"
    VIDEO = "video", "视频"
    EDUCATION = "education", "教育"
    OTHER = "other", "其他"


class NetworkState(LabelledEnum):
    """How far a private network is merged into the government extranet."""

    SEPARATE = "separate", "独立"
    MERGING = "merging", "整合中"
    INTEGRATED = "integrated", "已整合"


class PrivateNetworkSpec(Model):
    """A private network that is to be merged into the government extranet."""

    use: NetworkUse = Field(NetworkUse.OTHER, description="What it is for.")
    classified: Flag = Field(False, description="Classified networks are not merged.")
    state: NetworkState = Field(NetworkState.SEPARATE, description="How far it is merged.")
    baseline: Flag = Field(
        False, description="Stood at the census and counts in the baseline; frozen when it ends."
    )
    integrated_on: Day | None = Field(None, description="When it was merged.")
    evidence: Prose | None = Field(None, description="Record that proves the merging.")
