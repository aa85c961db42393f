"""How long it takes until what was asked for is there (MET-10, 开通时长): pure.

In working days from the day of submission, which does not count, to the day on which everything
of the request stood; done on the same day is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BUCKETS: Final = ((1, 3), (4, 10), (11, 30), (31, 60), (61, None))
"""The classes in which cities report it, first and last day; the last one has no end."""


@dataclass(frozen=True, slots=True)
class Times:
    """Figures of some requests: `median` in tenths of a day, `ninth` the 90th percentile in days.

    Both are None of no requests. `buckets` are numbers of requests, as `BUCKETS` has them.
    """

    count: int
    median: int | None
    ninth: int | None
    buckets: tuple[int, ...]


def times(days: Sequence[int]) -> Times:
    """Return the figures of requests that took so many working days each (1 at least).

    The percentile is the nearest rank: a time that a request really took.
    """
    ranked, count = sorted(days), len(days)
    buckets = tuple(
        sum(first <= day and (last is None or day <= last) for day in ranked)
        for first, last in BUCKETS
    )
    if not ranked:
        return Times(0, None, None, buckets)
    middle = ranked[(count - 1) // 2] + ranked[count // 2]
    return Times(count, middle * 5, ranked[-(-9 * count // 10) - 1], buckets)
