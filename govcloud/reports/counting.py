"""Counting department by department, so that memory is bounded by the largest ones.

The departments are dealt out in shares. A large register's shares are counted by several processes
at once, any other's by this one; what comes back is put together in the order of the names, so that
nobody can tell from a report how many counted.
"""

import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from govcloud.errors import Text
from govcloud.figures.definition import Definition
from govcloud.figures.tally import Tally
from govcloud.reports.reading import Frame, Reading
from govcloud.reports.report import Line
from govcloud.reports.tallying import Answer, Counted, Found, Rules, Share, count_share

SHOWN: Final = 20
"""How many names a remark lists before it only counts."""
SHARE: Final = 4
"""Departments in a share: few, so that no process waits long for another one at the end."""
LARGE: Final = 300_000
"""Facts from which on several processes count: with fewer, starting them costs what it saves."""
MOST: Final = 8
"""Processes at most; each has a connection to the database and about 60 MiB of its own."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How many processes count registers of at least `large` facts (None: one for each core)."""

    most: int | None = None
    large: int = LARGE

    def processes(self, facts: int) -> int:
        """Return how many processes count a register; 1: this one."""
        if facts < self.large:
            return 1
        return self.most or min(MOST, _cores())


ALL_CORES: Final = Spread()


@dataclass(slots=True)
class Oddities:
    """What does not fit in the facts: told, never hidden and never corrected."""

    orphans: list[str] = field(default_factory=list)
    unknown_clouds: list[str] = field(default_factory=list)
    _codes: set[str] = field(default_factory=set)
    _repeated: set[str] = field(default_factory=set)

    def add(self, found: Found) -> None:
        """Take in what was found in a department."""
        codes = set(found.codes)
        if len(codes) < len(found.codes):
            self._repeated.update(code for code, n in Counter(found.codes).items() if n > 1)
        self._repeated |= self._codes & codes
        self._codes |= codes
        self.orphans += found.orphans
        self.unknown_clouds += found.unknown_clouds

    def remarks(self, frame: Frame) -> list[Text]:
        """Return the remarks, each with a number and the first names."""
        unapproved = sorted(
            fact.name for fact in frame.exemptions if not (fact.approved_by and fact.approved_on)
        )
        planned = Counter((fact.owner, fact.system) for fact in frame.plans)
        twice = sorted("/".join(key) for key, times in planned.items() if times > 1)
        found = {
            "duplicate_codes": sorted(self._repeated),
            "components_without_system": self.orphans,
            "unknown_industry_cloud": self.unknown_clouds,
            "exemptions_unapproved": unapproved,
            "several_plans": twice,
        }
        return [
            Text(f"reports.remark.{key}", {"count": len(names), "names": names[:SHOWN]})
            for key, names in found.items()
            if names
        ]


class Counting:
    """The count of all departments that a report reads; lines are kept up to a limit.

    `url`: where other processes find the database.

    In `full`, what is not registered, is no more or left the node has a line as well.
    """

    def __init__(
        self,
        reading: Reading,
        url: str,
        definition: Definition,
        beside: Sequence[Definition] = (),
        *,
        lines: int = 0,
        full: bool = False,
        spread: Spread = ALL_CORES,
    ) -> None:
        self._reading, self._url = reading, url
        self._rules = Rules(reading.span, definition, tuple(beside), full)
        self._spread = spread
        self._limit = lines
        self._received = 0
        self.oddities = Oddities()
        self.departments: list[Counted] = []
        self.lines: list[Line] = []
        self.lines_total = 0

    @cached_property
    def frame(self) -> Frame:
        """What else decides; read when the first share is dealt out, while workers still start."""
        return self._reading.frame()

    def run(self) -> None:
        """Count every department; what is found is taken in in the order of their names."""
        early: dict[int, Answer] = {}
        awaited = 0
        with closing(self._answers()) as answers:
            for number, answer in answers:
                early[number] = answer
                self._received += sum(len(found.lines) for _, found in answer)
                while awaited in early:
                    self._take(early.pop(awaited))
                    awaited += 1

    def _answers(self) -> Generator[tuple[int, Answer], None, None]:
        processes = self._spread.processes(self._reading.size)
        if processes > 1:
            from govcloud.reports.processes import in_processes

            yield from in_processes(self._url, self._rules, self._shares(), processes)
            return
        for share in self._shares():
            yield share.number, count_share(self._reading.session, self._rules, share)

    def _shares(self) -> Iterator[Share]:
        """Deal out the departments; lines already received are before those of a new share."""
        now, then = self.frame.now, self.frame.then
        names = self._reading.departments()
        for number, start in enumerate(range(0, len(names), SHARE)):
            of = names[start : start + SHARE]
            yield Share(
                number,
                tuple((name, self._reading.scope.membership(name)) for name in of),
                now.of_departments(of),
                then.of_departments(of),
                max(0, self._limit - self._received),
            )

    def _take(self, answer: Answer) -> None:
        for counted, found in answer:
            self.departments.append(counted)
            self._reading.take_in(found.digest)
            self.oddities.add(found)
            self.lines += found.lines[: self._limit - len(self.lines)]
            self.lines_total += found.lines_total


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def total_of(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies: the city is ΣC/ΣE, never a mean."""
    total = Tally()
    for tally in tallies:
        total.merge(tally)
    return total
