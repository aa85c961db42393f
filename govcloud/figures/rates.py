"""Rates that round the way auditors do: exact fractions, one decimal, half up, “—” for nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

NO_VALUE: Final = "—"
"""What is shown where there is nothing to count; never 0 and never 100 %."""


def tenths_of(value: Fraction) -> int:
    """Return the value in tenths, half up (0.25 is 3 tenths, -0.25 is -2)."""
    return (2 * value.numerator * 10 + value.denominator) // (2 * value.denominator)


def show_tenths(tenths: int | None, *, signed: bool = False) -> str:
    """Return tenths as `47.8`; `signed` puts a plus before gains."""
    if tenths is None:
        return NO_VALUE
    sign = "-" if tenths < 0 else "+" if signed and tenths > 0 else ""
    return f"{sign}{abs(tenths) // 10}.{abs(tenths) % 10}"


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of a whole, exact. The numerator may be a fraction (partial systems weigh less)."""

    numerator: Fraction | int
    denominator: Fraction | int

    @property
    def tenths(self) -> int | None:
        """Tenths of a percent, half up; None where the whole is empty."""
        if self.denominator == 0:
            return None
        return tenths_of(Fraction(self.numerator) * 100 / Fraction(self.denominator))

    def __str__(self) -> str:
        return show_tenths(self.tenths)

    def plain(self) -> dict[str, object]:
        """Return the JSON-ready form: `value` in percent or None, and what it is made of."""
        return {
            "value": None if self.tenths is None else self.tenths / 10,
            "numerator": _number(self.numerator),
            "denominator": _number(self.denominator),
        }


def _number(value: Fraction | int) -> int | float:
    # A weighted sum has no finite decimals in general; JSON gets it to four, as the reader would.
    exact = Fraction(value)
    return int(exact) if exact.denominator == 1 else round(float(exact), 4)


def difference(later: int | None, earlier: int | None) -> int | None:
    """Return a difference of printed tenths, so that the columns of a row add up on paper."""
    return None if later is None or earlier is None else later - earlier


def weigh(shares: Mapping[int, int]) -> Fraction:
    """Return Σ numerator/denominator of sums grouped by denominator."""
    return sum((Fraction(part, whole) for whole, part in shares.items()), Fraction(0))


def ranks(keys: Iterable[tuple[str, int | None, int | None]]) -> dict[str, int]:
    """Rank (name, first, second) by first, then second, highest before; ties share a rank.

    Who has no first value has no rank (MET-R5). Printed values are compared, so that the ranking
    can be checked on the document itself.
    """
    scored = [(name, (first, second or 0)) for name, first, second in keys if first is not None]
    scored.sort(key=lambda entry: entry[1], reverse=True)
    ranked: dict[str, int] = {}
    for place, (name, score) in enumerate(scored, start=1):
        tied = place > 1 and scored[place - 2][1] == score
        ranked[name] = ranked[scored[place - 2][0]] if tied else place
    return ranked
