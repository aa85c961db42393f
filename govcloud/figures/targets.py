"""Targets of the plan: which one applies to a metric in a year, and how far it is off."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from govcloud.domain.kinds.governance import Property
from govcloud.figures.rates import difference, tenths_of

LOWER_IS_BETTER: Final = frozenset({"MET-3"})


class TargetFact(NamedTuple):
    """An indicator's yearly target."""

    seq: int
    uid: str
    phase: str
    name: str
    department: str
    display_name: str | None
    request_id: str | None
    number: int
    indicator: str
    metric: str | None
    unit: str
    year: int
    value: str
    binding: str


@dataclass(frozen=True, slots=True)
class Aim:
    """What a metric should reach, in tenths of a percent, by which year."""

    year: int
    tenths: int
    binding: bool
    lower_is_better: bool = False

    def gap(self, tenths: int | None) -> int | None:
        """Return the value less the target, in tenths of a percentage point."""
        return difference(tenths, self.tenths)

    def missed(self, tenths: int | None) -> bool:
        """Whether a binding target is not reached; nothing to count misses nothing."""
        gap = self.gap(tenths)
        if gap is None or not self.binding:
            return False
        return gap > 0 if self.lower_is_better else gap < 0


def aim(targets: Iterable[TargetFact], metric: str, year: int) -> Aim | None:
    """Return the target that applies in a year: the next one due, else the last that was due."""
    fitting = [target for target in targets if target.metric == metric]
    if not fitting:
        return None
    due = [target for target in fitting if target.year >= year]
    chosen = min(due, key=_order) if due else max(fitting, key=_order)
    return Aim(
        year=chosen.year,
        tenths=tenths_of(Fraction(Decimal(chosen.value))),
        binding=chosen.binding == Property.BINDING,
        lower_is_better=metric in LOWER_IS_BETTER,
    )


def _order(target: TargetFact) -> tuple[int, int]:
    return target.year, target.seq
