"""Counting verdicts: one tally a department; the city's is their sum, never a mean of rates."""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from govcloud.figures.rates import Rate, weigh
from govcloud.figures.verdict import ELIGIBLE, Judged, Verdict

OFFICE: Final = "exemption:"
"""What exclusions for an exemption begin with, before its reason."""


@dataclass(slots=True)
class Tally:
    """How many systems fell where.

    `shares` sums the on-cloud components of partial systems by their number of all components, so
    that a million weights add up exactly and fast.
    """

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    exclusions: Counter[str] = field(default_factory=Counter)
    shares: Counter[int] = field(default_factory=Counter)
    docked: int = 0
    thorough: int = 0
    vcpu_on: Fraction | int = 0
    vcpu_source: Fraction | int = 0

    def add(self, judged: Judged, exemption_reason: str = "") -> None:
        """Count one system."""
        verdict = judged.verdict
        self.verdicts[verdict] += 1
        if verdict not in ELIGIBLE:
            if verdict is Verdict.EXEMPT:
                self.exclusions[OFFICE + exemption_reason] += 1
            elif verdict is not Verdict.UNREGISTERED:
                self.exclusions[verdict.value] += 1
            return
        self.thorough += judged.thorough
        if verdict is Verdict.ON_CLOUD:
            self.vcpu_on += judged.vcpu_on
            return
        self.docked += judged.docked
        self.vcpu_source += judged.vcpu_source
        if verdict is Verdict.PARTIAL and judged.total:
            self.shares[judged.total] += judged.on

    def merge(self, other: "Tally") -> None:
        """Add another department's tally to this one."""
        self.verdicts.update(other.verdicts)
        self.exclusions.update(other.exclusions)
        self.shares.update(other.shares)
        self.docked += other.docked
        self.thorough += other.thorough
        self.vcpu_on += other.vcpu_on
        self.vcpu_source += other.vcpu_source

    @property
    def on_cloud(self) -> int:
        """C: systems on the cloud."""
        return self.verdicts[Verdict.ON_CLOUD]

    @property
    def partial(self) -> int:
        """P: systems that are partly there."""
        return self.verdicts[Verdict.PARTIAL]

    @property
    def missing(self) -> int:
        """Systems that should be on the cloud and are not, not even partly."""
        return self.verdicts[Verdict.NOT]

    @property
    def eligible(self) -> int:
        """E: systems that should be on the cloud."""
        return self.on_cloud + self.partial + self.missing

    @property
    def classified(self) -> int:
        """Classified systems, which never are."""
        return self.verdicts[Verdict.CLASSIFIED]

    @property
    def exempt(self) -> int:
        """Systems with an approved exemption in force."""
        return self.verdicts[Verdict.EXEMPT]

    @property
    def registered(self) -> int:
        """R: systems in operation."""
        outside = self.classified + self.exempt + self.verdicts[Verdict.INDUSTRY]
        return self.eligible + outside

    @property
    def rate(self) -> Rate:
        """MET-1."""
        return Rate(self.on_cloud, self.eligible)

    @property
    def rate_with_partial(self) -> Rate:
        """MET-1a."""
        return Rate(self.on_cloud + weigh(self.shares), self.eligible)

    @property
    def rate_gross(self) -> Rate:
        """MET-1b."""
        return Rate(self.on_cloud, self.registered - self.classified)

    @property
    def rate_with_docked(self) -> Rate:
        """MET-1c."""
        return Rate(self.on_cloud + self.docked, self.eligible)

    @property
    def rate_weighted(self) -> Rate:
        """MET-1d, in vCPU."""
        return Rate(self.vcpu_on, self.vcpu_on + self.vcpu_source)

    @property
    def rate_thorough(self) -> Rate:
        """MET-1e."""
        return Rate(self.thorough, self.eligible)
