"""The verdict on one system: on the cloud, partial, not, or not one that should be, and why."""

from collections.abc import Hashable, Sequence
from enum import StrEnum
from fractions import Fraction
from operator import itemgetter
from typing import Final, NamedTuple

from govcloud.domain.kinds.systems import Origin
from govcloud.figures.definition import Definition
from govcloud.figures.facts import Catalogue, ExemptionFact, PlanFact, SystemFact
from govcloud.figures.holdings import HOST, Part


class Verdict(StrEnum):
    """Where a system falls in the count."""

    ON_CLOUD = "on-cloud"
    PARTIAL = "partial"
    NOT = "not"
    CLASSIFIED = "classified"
    EXEMPT = "exempt"
    INDUSTRY = "industry-cloud"
    UNREGISTERED = "unregistered"


LEGACY: Final = Origin.LEGACY.value
ELIGIBLE: Final = frozenset({Verdict.ON_CLOUD, Verdict.PARTIAL, Verdict.NOT})
"""Verdicts on systems that should be on the cloud (应上云系统)."""


class Why(StrEnum):
    """The reason behind a verdict; `reports.why.<value>` is its sentence."""

    BUILT_ON_CLOUD = "built_on_cloud"
    ACCEPTED = "accepted"
    MOVING = "moving"
    SOME_COMPONENTS = "some_components"
    SOURCE_RUNS = "source_runs"
    NO_COMPONENT = "no_component"
    ALL_ELSEWHERE = "all_elsewhere"
    NO_PLAN = "no_plan"
    NOT_ACCEPTED = "not_accepted"
    DOCKED = "docked"
    CLASSIFIED = "classified"
    EXEMPTION = "exemption"
    INDUSTRY_CLOUD = "industry_cloud"
    NOT_OPERATING = "not_operating"


class Judged(NamedTuple):
    """A verdict with what it rests on.

    `on` and `total` are components on the cloud and all components; `vcpu_on` and `vcpu_source`
    what they hold on the cloud and in legacy hosts; `docked` marks a system on an industry cloud
    that is reported here, `thorough` one that has nothing left to switch off; `exempt_for` is the
    reason of an exemption.
    """

    verdict: Verdict
    why: Why
    on: int = 0
    total: int = 0
    vcpu_on: Fraction | int = 0
    vcpu_source: Fraction | int = 0
    docked: bool = False
    thorough: bool = False
    exempt_for: str = ""

    @property
    def eligible(self) -> bool:
        """Whether it should be on the cloud."""
        return self.verdict in ELIGIBLE


class Case(NamedTuple):
    """What decides beside a system and its components.

    `exemption` is one that holds on the day, or None; `plan` the system's migration, or None.
    """

    catalogue: Catalogue
    exemption: ExemptionFact | None = None
    plan: PlanFact | None = None


_LOOKS: Final = slice(SystemFact._fields.index("lifecycle"), None)
_WEIGHT: Final = itemgetter(*map(Part._fields.index, ("kind", "units", "on_cloud", "vcpu")))


def likeness(
    system: SystemFact,
    parts: Sequence[Part],
    exemption: ExemptionFact | None,
    plan: PlanFact | None,
) -> Hashable:
    """Return all that `judge` looks at beside the catalogue: what is alike has the same verdict.

    A register of a million systems has some dozens of likenesses.
    """
    reason = None if exemption is None else exemption.reason
    state = None if plan is None else plan.state
    return system[_LOOKS], reason, state, tuple(map(_WEIGHT, parts))


def judge(system: SystemFact, parts: Sequence[Part], case: Case, definition: Definition) -> Judged:
    """Return the verdict on a system with these components."""
    if system.lifecycle not in definition.operating:
        return Judged(Verdict.UNREGISTERED, Why.NOT_OPERATING)
    if system.classified:
        return Judged(Verdict.CLASSIFIED, Why.CLASSIFIED)
    if case.exemption is not None:
        return Judged(Verdict.EXEMPT, Why.EXEMPTION, exempt_for=case.exemption.reason)
    industry = system.industry_cloud
    docked = case.catalogue.docked.get(industry) if industry else None
    if docked is False:
        return Judged(Verdict.INDUSTRY, Why.INDUSTRY_CLOUD)
    state = case.plan.state if case.plan is not None else None
    sums = _sums(parts, definition, replaced=state in definition.accepted)
    legacy = system.origin == LEGACY
    verdict, why = _weigh(sums, legacy, state, definition)
    if docked and why in {Why.ALL_ELSEWHERE, Why.NO_COMPONENT}:
        why = Why.DOCKED
    thorough = verdict is Verdict.ON_CLOUD and (
        state in definition.closed if legacy else definition.native_is_thorough
    )
    return Judged(
        verdict,
        why,
        sums.on,
        sums.total,
        sums.vcpu_on,
        sums.vcpu_source,
        bool(docked),
        thorough,
    )


class _Sums(NamedTuple):
    on: int
    total: int
    sources: int
    vcpu_on: Fraction | int
    vcpu_source: Fraction | int


def _sums(parts: Sequence[Part], definition: Definition, *, replaced: bool) -> _Sums:
    on = total = sources = 0
    vcpu_on: Fraction | int = 0
    vcpu_source: Fraction | int = 0
    for _, kind, _, _, units, on_cloud, vcpu in parts:
        if on_cloud:
            on += units
            vcpu_on += vcpu
        elif kind == HOST:
            sources += units
            vcpu_source += vcpu
            if replaced and not definition.source_blocks:
                continue
        total += units
    return _Sums(on, total, sources, vcpu_on, vcpu_source)


def _weigh(
    sums: _Sums, legacy: bool, state: str | None, definition: Definition
) -> tuple[Verdict, Why]:
    everything = 0 < sums.on == sums.total
    if everything and not legacy:
        return Verdict.ON_CLOUD, Why.BUILT_ON_CLOUD
    if everything and state in definition.accepted:
        return Verdict.ON_CLOUD, Why.ACCEPTED
    if 0 < sums.on < sums.total:
        return Verdict.PARTIAL, Why.SOURCE_RUNS if sums.sources else Why.SOME_COMPONENTS
    if state in definition.moving:
        return Verdict.PARTIAL, Why.MOVING
    if everything:
        return Verdict.NOT, Why.NO_PLAN if state is None else Why.NOT_ACCEPTED
    return Verdict.NOT, Why.ALL_ELSEWHERE if sums.total else Why.NO_COMPONENT
