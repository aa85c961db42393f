"""Counting verdicts: one tally a department; the city's is their sum, never a mean of rates."""

from collections import Counter
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Final

from govcloud.figures.rates import Rate, weigh
from govcloud.figures.verdict import Judged, Verdict

OFFICE: Final = "exemption:"
"""What exclusions for an exemption begin with, before its reason."""


@dataclass(slots=True)
class Tally:
    """How many systems fell where; `on_cloud` is C, `partial` P, `missing` neither, all of E.

    `shares` sums the on-cloud components of partial systems by their number of all components, so
    that a million weights add up exactly and fast.
    """

    on_cloud: int = 0
    partial: int = 0
    missing: int = 0
    classified: int = 0
    exempt: int = 0
    industry: int = 0
    unregistered: int = 0
    exclusions: Counter[str] = field(default_factory=Counter)
    shares: Counter[int] = field(default_factory=Counter)
    docked: int = 0
    thorough: int = 0
    vcpu_on: Fraction | int = 0
    vcpu_source: Fraction | int = 0

    def add(self, judged: Judged, times: int = 1) -> None:
        """Count systems, one or several that are judged alike."""
        verdict = judged.verdict
        if verdict is Verdict.ON_CLOUD:
            self.on_cloud += times
            self.thorough += times * judged.thorough
            self.vcpu_on += times * judged.vcpu_on
        elif verdict is Verdict.NOT:
            self.missing += times
            self._add_missing(judged, times)
        elif verdict is Verdict.PARTIAL:
            self.partial += times
            self._add_missing(judged, times)
            if judged.total:
                self.shares[judged.total] += times * judged.on
        else:
            self._add_outside(judged, times)

    def _add_missing(self, judged: Judged, times: int) -> None:
        self.docked += times * judged.docked
        self.vcpu_source += times * judged.vcpu_source

    def _add_outside(self, judged: Judged, times: int) -> None:
        verdict = judged.verdict
        if verdict is Verdict.UNREGISTERED:
            self.unregistered += times
        elif verdict is Verdict.EXEMPT:
            self.exempt += times
            self.exclusions[OFFICE + judged.exempt_for] += times
        else:
            self.classified += times * (verdict is Verdict.CLASSIFIED)
            self.industry += times * (verdict is Verdict.INDUSTRY)
            self.exclusions[verdict.value] += times

    def merge(self, other: "Tally") -> None:
        """Add another department's tally to this one."""
        for part in fields(self):
            mine, theirs = getattr(self, part.name), getattr(other, part.name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, part.name, mine + theirs)

    @property
    def eligible(self) -> int:
        """E: systems that should be on the cloud."""
        return self.on_cloud + self.partial + self.missing

    @property
    def registered(self) -> int:
        """R: systems in operation."""
        return self.eligible + self.classified + self.exempt + self.industry

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
