"""What a survey states, what its list holds, and what we count: side by side, never derived.

A document may state more than it lists and list what does not add up. The three numbers stand
beside one another with their differences; none is ever computed from another.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from govcloud.domain.kinds.governance import SurveyedUnit, SurveySpec
from govcloud.errors import Text
from govcloud.figures.rates import Rate

LISTED_FLAGS: Final = {
    "units_using_cloud": "uses_government_cloud",
    "units_with_own_room": "keeps_self_built_room",
    "units_with_own_exit": "own_internet_exit",
    "units_with_private_network": "own_private_network",
    "units_with_high_opex": "reports_high_opex",
    "units_missing_supervision": "reports_missing_security_supervision",
}
"""Figures that the list of units answers, and by which of its columns."""
SHARES: Final = frozenset({"own_room_share_percent"})
"""Figures that are percentages; all others are counts."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A survey, from its fact: `units` by department (the first entry of each), `repeated` ids."""

    seq: int
    name: str
    title: str
    taken_on: date
    sample_size: int
    units: Mapping[str, SurveyedUnit]
    repeated: tuple[str, ...] = ()
    stated: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, seq: int, name: str, spec: SurveySpec) -> "Survey":
        """Make it of a fact's spec; a unit that is listed twice counts once and is told."""
        units: dict[str, SurveyedUnit] = {}
        for unit in spec.units:
            units.setdefault(unit.department, unit)
        times = Counter(unit.department for unit in spec.units)
        return cls(
            seq=seq,
            name=name,
            title=spec.title,
            taken_on=spec.taken_on,
            sample_size=spec.sample_size,
            units=units,
            repeated=tuple(sorted(unit for unit, count in times.items() if count > 1)),
            stated={"surveyed_units": spec.sample_size}
            | {figure.figure: figure.value for figure in spec.stated},
        )

    @property
    def named(self) -> frozenset[str]:
        """The departments that the survey names."""
        return frozenset(self.units)

    def of_units(self, departments: frozenset[str]) -> "Survey":
        """Return the part of it that is of some units: their own answers."""
        own = {name: unit for name, unit in self.units.items() if name in departments}
        return replace(self, units=own, sample_size=len(own), repeated=(), stated={})

    def listed(self, figure: str) -> int | None:
        """Return what the list holds for a figure, distinct units; None where it says nothing."""
        if figure == "surveyed_units":
            return len(self.units)
        flag = LISTED_FLAGS.get(figure)
        return None if flag is None else sum(getattr(u, flag) for u in self.units.values())


@dataclass(frozen=True, slots=True)
class Compared:
    """A figure as a document states it, as its list has it, as we count it; None: not known."""

    figure: str
    stated: float | None
    listed: float | None
    counted: float | None


def compare(survey: Survey | None, counted: Mapping[str, float | None]) -> tuple[Compared, ...]:
    """Put our counts beside the survey's statements and lists, ours first in their order."""
    stated = survey.stated if survey else {}
    figures = [*counted, *(figure for figure in stated if figure not in counted)]
    return tuple(
        Compared(
            figure,
            stated.get(figure),
            _listed(survey, figure),
            counted.get(figure),
        )
        for figure in figures
    )


def _listed(survey: Survey | None, figure: str) -> float | None:
    if survey is None:
        return None
    if figure not in SHARES:
        return survey.listed(figure)
    tenths = Rate(survey.listed("units_with_own_room") or 0, survey.sample_size).tenths
    return None if tenths is None else tenths / 10


def findings(survey: Survey) -> tuple[Text, ...]:
    """Return what does not add up in a survey, as remarks."""
    remarks = []
    if len(survey.units) != survey.sample_size:
        numbers = {"stated": survey.sample_size, "listed": len(survey.units)}
        remarks.append(Text("reports.remark.sample_named", numbers))
    if survey.repeated:
        remarks.append(Text("reports.remark.survey_repeats", {"units": list(survey.repeated)}))
    both = sorted(
        name
        for name, unit in survey.units.items()
        if unit.uses_government_cloud and unit.keeps_self_built_room
    )
    if both:
        remarks.append(Text("reports.remark.cloud_and_room", {"count": len(both), "units": both}))
    return tuple(remarks)
