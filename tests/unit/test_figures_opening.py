"""Opening time (MET-10): median, nearest rank, classes; also of nothing and of one."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from govcloud.figures.opening import times


def test_of_nothing_there_are_no_figures() -> None:
    found = times([])
    assert (found.count, found.median, found.ninth, found.buckets) == (0, None, None, (0,) * 5)


def test_days_fall_into_the_classes_in_which_they_are_reported() -> None:
    assert times([1, 3, 4, 10, 11, 30, 31, 60, 61, 400]).buckets == (2, 2, 2, 2, 2)


def test_the_percentile_is_a_time_that_a_request_took() -> None:
    assert times([1, 2, 3, 4, 5, 6, 7, 8, 9, 100]).ninth == 9
    assert times([*range(1, 10), 100, 200]).ninth == 100
    assert times([7]).ninth == 7


@given(st.lists(st.integers(1, 500), min_size=1))
def test_figures_are_of_all_requests_and_of_nothing_else(days: list[int]) -> None:
    found = times(days)
    assert found.median == statistics.median(days) * 10
    assert found.ninth in days
    assert sum(day <= (found.ninth or 0) for day in days) * 10 >= 9 * len(days)
    assert sum(found.buckets) == found.count == len(days)
