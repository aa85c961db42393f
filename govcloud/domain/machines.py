"""The machines of one object, by number."""

from collections.abc import Collection, Iterator, Mapping
from itertools import count, islice
from typing import Any


def numbers(how_many: int, without: Collection[int] = ()) -> tuple[int, ...]:
    """Return the numbers of an object's machines: from 0 on, but for those that are left out.

    A machine keeps its number for as long as it is wanted, whichever others come and go.
    """
    return tuple(islice(_all_but(without), how_many))


def of_spec(spec: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the numbers of the machines of a spec in its plain or base form."""
    return numbers(int(spec.get("count", 1)), spec.get("without") or ())


def _all_but(without: Collection[int]) -> Iterator[int]:
    left_out = frozenset(without)
    return (number for number in count() if number not in left_out)
