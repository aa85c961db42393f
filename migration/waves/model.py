"""The file that stands between planning and running: settings, waves, and what is held back."""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from govcloud.domain.base import Day, Line, Model, Name, Positive, Prose
from govcloud.domain.kinds.systems import SystemRef
from migration.assessment.questionnaire import Window

Percent = Annotated[int, Field(strict=True, ge=1, le=100)]
HORIZON_DAYS: Final = 1_826


class Freeze(Model):
    """Days on which nothing is cut over."""

    first: Day = Field(description="First day.")
    last: Day = Field(description="Last day.")
    reason: Line = Field(description="Why.")
    departments: list[Name] = Field(
        default_factory=list, max_length=1_000, description="Only theirs; absent: everybody's."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError("ends_before_start")
        return self


class Cut(Model):
    """A connection that may lead from the room to the cloud for a time, by a person's decision."""

    one: SystemRef = Field(description="A system, `department/name`.")
    other: SystemRef | None = Field(
        None, description="The other, `department/name`; absent: all that it is connected to."
    )
    reason: Line = Field(description="Why it does no harm, and who says so.")


class Settings(Model):
    """What planning goes by."""

    begin: Day = Field(description="First day on which a window may open.")
    until: Day | None = Field(None, description="Last day; absent: five years on.")
    windows: Window = Field(
        Window.ANY, description="On which nights: `any`, `rest-day` (its eve), `workday` (its eve)."
    )
    every_days: Annotated[int, Field(strict=True, ge=1, le=90)] = Field(
        7, description="Least days from one window to the next, in which data is synchronised."
    )
    window_hours: Annotated[int, Field(strict=True, ge=1, le=72)] = Field(
        8, description="Hours that a window is open."
    )
    systems: Positive = Field(50, description="Most systems in a window.")
    hosts: Positive = Field(200, description="Most hosts in a window.")
    systems_per_person: Positive = Field(
        5, description="Most systems in a window that one person answers for."
    )
    link_mbps: Positive = Field(1_000, description="Bandwidth of a room's link, Mbit/s.")
    rooms_mbps: dict[Line, Positive] = Field(
        default_factory=dict,
        max_length=10_000,
        description="Bandwidth of rooms whose link is another, by `department/room`.",
    )
    link_percent: Percent = Field(70, description="Share of a link that migration may take.")
    delta_hours: Annotated[int, Field(strict=True, ge=1, le=168)] = Field(
        4, description="Hours between the last two copies of what has changed."
    )
    delta_percent: Percent = Field(
        50, description="Share of a window in which the last copy must be done."
    )
    freezes: list[Freeze] = Field(
        default_factory=list, max_length=1_000, description="When nothing is cut over."
    )
    cuts: list[Cut] = Field(
        default_factory=list, max_length=100_000, description="Connections that may be cut."
    )


class PlannedSystem(Model):
    """A system in its wave."""

    system: SystemRef = Field(description="`department/name`.")
    why: Prose | None = Field(None, description="Why it is here; nothing reads it.")


class PlannedWave(Model):
    """Systems that are cut over in one window."""

    name: Name = Field(description="Name of the wave.")
    window: Day = Field(description="The day on whose evening the window opens.")
    systems: list[PlannedSystem] = Field(
        default_factory=list, max_length=10_000, description="What moves."
    )


class HeldSystem(Model):
    """A system that is in no wave."""

    system: SystemRef = Field(description="`department/name`.")
    because: Prose = Field(description="Why; nothing reads it.")


class WavePlanSpec(Model):
    """The plan: waves in the order of their windows."""

    settings: Settings = Field(description="What it goes by.")
    waves: list[PlannedWave] = Field(
        default_factory=list, max_length=2_000, description="The waves."
    )
    held: list[HeldSystem] = Field(
        default_factory=list, max_length=100_000, description="What is in no wave, and why."
    )
