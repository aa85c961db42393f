"""Rules and records of the lead authority: policy, exemptions, targets, surveys, migration."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from govcloud.domain.base import (
    Count,
    Day,
    Flag,
    LabelledEnum,
    Line,
    Model,
    Name,
    Positive,
    Prose,
)
from govcloud.domain.drift import DriftMode
from govcloud.domain.kinds.moving import Move, MoveWindow
from govcloud.domain.kinds.systems import Environment
from govcloud.errors import Severity


class ExemptionReason(LabelledEnum):
    """Why a system need not move."""

    VERTICAL = "vertical", "垂管系统由上级统一部署"
    PHYSICAL = "physical-coupling", "与设备不可分"
    LATENCY = "latency", "时延或边缘"
    HPC = "hpc", "高性能计算"
    REMOTE_SITE = "remote-site", "偏远站点"
    LEGAL = "legal", "法律法规要求"
    MLPS4 = "mlps4", "等保四级"
    RETIRING = "to-be-retired", "180天内下线"
    OTHER = "other", "其他"


class ExemptionSpec(Model):
    """Why a system is not counted as one that should be on the cloud; void without approval."""

    department: Name = Field(description="Owner of the system.")
    system: Name = Field(description="The system.")
    reason: ExemptionReason = Field(description="Why.")
    approved_by: Line | None = Field(None, description="Who decided; without, it has no effect.")
    approved_on: Day | None = Field(None, description="When; without, it has no effect.")
    valid_from: Day = Field(description="First day.")
    valid_until: Day = Field(description="Last day.")
    document: Line | None = Field(None, description="Number of the decision.")
    note: Prose | None = Field(None, description="Explanation.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.valid_until < self.valid_from:
            raise ValueError("ends_before_start")
        return self


class WaiverSpec(Model):
    """Why a policy rule is not applied to a department's system, by whom, until when (NET-18)."""

    rule: Line = Field(description="Id of the rule, such as `NET-03`.")
    department: Name = Field(description="Whose requests.")
    system: Name | None = Field(None, description="Only for this system.")
    approved_by: Line = Field(description="Who decided.")
    approved_on: Day = Field(description="When.")
    valid_until: Day = Field(description="Last day.")
    reason: Prose = Field(description="Why.")


class Property(LabelledEnum):
    """Whether a target must be met."""

    BINDING = "binding", "约束性"
    EXPECTED = "expected", "预期性"


class TargetSpec(Model):
    """An indicator's yearly target."""

    number: Count = Field(description="Number in the plan.")
    category: Line = Field(description="Group of indicators.")
    indicator: Line = Field(description="What is measured.")
    metric: Line | None = Field(None, description="Id of the metric that measures it (`MET-1`).")
    unit: Line = Field(description="`%` or `count`.")
    year: Annotated[int, Field(strict=True, ge=2000, le=2100)] = Field(description="By when.")
    value: Annotated[float, Field(strict=True, ge=0)] = Field(description="The value to reach.")
    property: Property = Field(description="Whether it must be met.")


class SurveyedUnit(Model):
    """What one unit answered; facts that say nothing about one another."""

    department: Name = Field(description="The unit.")
    uses_government_cloud: Flag = Field(description="Uses the government cloud.")
    keeps_self_built_room: Flag = Field(description="Keeps a server room of its own.")
    room_reports_no_problem: Flag = Field(False, description="Reports no problem with it.")
    own_internet_exit: Flag = Field(False, description="Has an internet exit of its own.")
    own_private_network: Flag = Field(False, description="Has a private network.")
    reports_high_opex: Flag = Field(False, description="Reports high operating cost.")
    reports_missing_security_supervision: Flag = Field(
        False, description="Reports that security supervision is missing."
    )


class StatedFigure(Model):
    """A count that a document states; it may exceed the list behind it."""

    figure: Line = Field(description="Which figure.")
    value: Annotated[float, Field(strict=True, ge=0)] = Field(description="The stated value.")
    meaning: Prose | None = Field(None, description="What it says.")


class SurveySpec(Model):
    """A survey of units, with what its document states beside what its list holds."""

    title: Line = Field(description="Title.")
    source: Line | None = Field(None, description="The document.")
    taken_on: Day = Field(description="When it was taken.")
    sample_size: Annotated[int, Field(strict=True, ge=1)] = Field(
        description="Units surveyed; may exceed those listed."
    )
    units: list[SurveyedUnit] = Field(max_length=10_000, description="The units that are named.")
    stated: list[StatedFigure] = Field(
        default_factory=list, max_length=100, description="Figures as the document states them."
    )


class MigrationState(LabelledEnum):
    """How far a legacy system's way onto the cloud has come; the order counts."""

    PLANNED = "planned", "已列入计划"
    SURVEYED = "surveyed", "调研完成"
    ASSESSED = "assessed", "评估完成"
    PLAN_APPROVED = "plan-approved", "方案评审通过"
    PROVISIONED = "provisioned", "资源已开通"
    TEST_MIGRATED = "test-migrated", "测试迁移通过"
    SYNCING = "syncing", "数据同步中"
    CUTOVER = "cutover", "已割接"
    TRIAL = "trial", "试运行"
    ACCEPTED = "accepted", "已验收"
    SOURCE_OFF = "source-off", "原系统下线"
    CLOSED = "closed", "完成"
    ROLLED_BACK = "rolled-back", "已回退"
    STOPPED = "stopped", "中止"


class MigrationPlanSpec(Model):
    """How a legacy system moves, and how far it is."""

    department: Name = Field(description="Owner of the system.")
    system: Name = Field(description="The system.")
    state: MigrationState = Field(MigrationState.PLANNED, description="How far it is.")
    wave: Name | None = Field(None, description="The wave that it moves in.")
    planned_date: Day | None = Field(None, description="When it is to be accepted.")
    accepted_on: Day | None = Field(None, description="When it was accepted.")
    answers: dict[Name, Line] = Field(
        default_factory=dict,
        max_length=200,
        description="Answers to the questionnaire, by question (`govcloud migrate assess`).",
    )
    move: Move | None = Field(None, description="How it moves (`govcloud migrate prepare`).")
    note: Prose | None = Field(None, description="Explanation.")


class WaveSpec(Model):
    """Systems that move in the same window."""

    start: Day = Field(description="First day.")
    end: Day = Field(description="Last day.")
    window: MoveWindow | None = Field(None, description="When its systems may be cut over.")
    parallel: Annotated[int, Field(strict=True, ge=1, le=500)] = Field(
        10, description="How many of its systems are worked on at once."
    )
    bandwidth_mbps: Positive | None = Field(
        None, description="Bandwidth that its copies share evenly, Mbit/s."
    )
    note: Prose | None = Field(None, description="Explanation.")


class Step(Model):
    """One step of an approval."""

    name: Name = Field(description="Name of the step, such as `admin-review`.")
    role: Line = Field(description="Role that decides it: `approver`, `operator`…")
    own_department: Flag = Field(
        False, description="Decided inside the applying department (dept-review)."
    )
    within: Annotated[int, Field(strict=True, ge=1, le=60)] | None = Field(
        None, description="Working days in which it should be decided; absent: no time limit."
    )


class ApprovalRule(Model):
    """Which steps a request takes; the first rule that matches applies."""

    kinds: list[Line] = Field(
        default_factory=list, max_length=20, description="Matches if any of these is changed."
    )
    environments: list[Environment] = Field(
        default_factory=list, max_length=4, description="Matches only these environments."
    )
    mlps_levels: list[Annotated[int, Field(strict=True, ge=1, le=5)]] = Field(
        default_factory=list, max_length=5, description="Matches only these MLPS levels."
    )
    steps: list[Step] = Field(min_length=1, max_length=8, description="The steps, in order.")


class Emergency(Model):
    """The way of urgent requests for emergency resources: built first, reviewed afterwards."""

    steps: list[Step] = Field(
        min_length=1, max_length=8, description="The steps before building, in order."
    )
    reviews: list[Step] = Field(
        min_length=1,
        max_length=8,
        description="The steps afterwards; due in the days of parameter `review-days`, unless "
        "`within` says otherwise.",
    )


class DriftRule(Model):
    """What to do about a difference; the first rule that matches applies."""

    kind: Line | None = Field(None, description="Only this kind.")
    field: Line | None = Field(
        None, description="Only this field; `tag` and `quota` stand for each of their kind."
    )
    mode: DriftMode = Field(description="What to do.")


class PolicySpec(Model):
    """The city's rules, versioned: approval steps, drift, and weights of the checks."""

    version: Line = Field(description="Version, kept with each decision.")
    effective_from: Day = Field(description="First day.")
    approval: list[ApprovalRule] = Field(
        default_factory=list, max_length=50, description="Which steps a request takes."
    )
    emergency: Emergency | None = Field(
        None, description="The way of urgent requests; absent: there are none."
    )
    holidays: list[Day] = Field(
        default_factory=list, max_length=400, description="Weekdays on which nobody works."
    )
    workdays: list[Day] = Field(
        default_factory=list, max_length=400, description="Weekend days that are worked."
    )
    distinct_approvers: Flag = Field(
        True, description="No person approves two steps of the same request."
    )
    drift: list[DriftRule] = Field(
        default_factory=list, max_length=100, description="What to do about differences."
    )
    census_until: Day | None = Field(
        None,
        description="Last day on which departments register what stands off the cloud as "
        "`baseline`; absent: no census is held.",
    )
    checks: dict[Line, Severity] = Field(
        default_factory=dict, max_length=100, description="Severity of a check, by rule id."
    )
    parameters: dict[Line, float] = Field(
        default_factory=dict, max_length=100, description="Numbers that rules use, by name."
    )
