"""Rates: half up, “—” for nothing, the city as ΣC/ΣE, ranks with ties."""

from fractions import Fraction

import pytest

from govcloud.figures.rates import Rate, difference, ranks, show_tenths, tenths_of, weigh
from govcloud.figures.tally import Tally
from govcloud.figures.verdict import Judged, Verdict, Why


@pytest.mark.parametrize(
    ("numerator", "denominator", "shown"),
    [
        (11, 23, "47.8"),
        (49, 400, "12.3"),  # 12.25 exactly: a tie goes up
        (249, 2000, "12.5"),  # 12.45 exactly; binary floats would say 12.4
        (1, 3, "33.3"),
        (2, 3, "66.7"),
        (1999, 2000, "100.0"),
        (0, 7, "0.0"),
        (7, 7, "100.0"),
        (0, 0, "—"),
    ],
)
def test_a_rate_has_one_decimal_half_up(numerator: int, denominator: int, shown: str) -> None:
    assert str(Rate(numerator, denominator)) == shown


def test_an_empty_whole_has_no_value_and_is_never_everything() -> None:
    assert Rate(0, 0).plain() == {"value": None, "numerator": 0, "denominator": 0}
    assert Rate(0, 0).tenths is None


def test_the_json_form_shows_what_the_rate_is_made_of() -> None:
    assert Rate(11, 23).plain() == {"value": 47.8, "numerator": 11, "denominator": 23}
    weighted = Rate(1 + Fraction(1, 3), 4).plain()
    assert weighted == {"value": 33.3, "numerator": 1.3333, "denominator": 4}


@pytest.mark.parametrize(
    ("value", "tenths"),
    [(Fraction(1, 4), 3), (Fraction(-1, 4), -2), (Fraction(1, 20), 1), (Fraction(0), 0)],
)
def test_ties_go_up(value: Fraction, tenths: int) -> None:
    assert tenths_of(value) == tenths


def test_differences_are_of_printed_values_so_that_a_row_adds_up() -> None:
    rate = Rate(11, 23).tenths
    assert show_tenths(difference(rate, 1000), signed=True) == "-52.2"
    assert show_tenths(difference(rate, 470), signed=True) == "+0.8"
    assert show_tenths(difference(rate, None)) == "—"
    assert show_tenths(-5) == "-0.5"


def judged(on: int, total: int, verdict: Verdict = Verdict.PARTIAL) -> Judged:
    return Judged(verdict, Why.SOME_COMPONENTS, on, total)


def test_the_city_is_the_quotient_of_sums_and_never_the_mean_of_departments() -> None:
    large, small = Tally(), Tally()
    for _ in range(99):
        large.add(judged(0, 1, Verdict.NOT))
    large.add(judged(1, 1, Verdict.ON_CLOUD))
    small.add(judged(1, 1, Verdict.ON_CLOUD))
    city = Tally()
    city.merge(large)
    city.merge(small)
    assert (str(large.rate), str(small.rate)) == ("1.0", "100.0")
    assert str(city.rate) == "2.0"  # 2 of 101; the mean would be 50.5


def test_partial_systems_weigh_what_stands_on_the_cloud() -> None:
    tally = Tally()
    tally.add(judged(1, 3))
    tally.add(judged(1, 3))
    tally.add(judged(1, 2))
    tally.add(judged(4, 4, Verdict.ON_CLOUD))
    assert weigh(tally.shares) == Fraction(7, 6)
    assert tally.rate_with_partial == Rate(1 + Fraction(7, 6), 4)
    assert str(tally.rate) == "25.0"


def test_departments_rank_by_rate_then_thoroughness_and_ties_share() -> None:
    ranked = ranks(
        [
            ("a", 500, 100),
            ("b", 900, 100),
            ("c", 500, 300),
            ("d", 500, 100),
            ("e", None, None),
            ("f", 100, 0),
        ]
    )
    assert ranked == {"b": 1, "c": 2, "a": 3, "d": 3, "f": 5}
