"""The on-cloud rate (上云率) and its companions as of an instant, and what each is made of."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, TypeAlias

from govcloud.domain import city
from govcloud.errors import NotFoundError
from govcloud.figures.definition import FIRST, Definition, find_definition
from govcloud.reports.assembly import HEADLINE, OF_ESTATE, OF_SYSTEMS, Assembly, Estate
from govcloud.reports.counting import ALL_CORES, Counting, Spread, total_of
from govcloud.reports.cutoff import resolve
from govcloud.reports.evidence import lines_of
from govcloud.reports.reading import Reading, Whose
from govcloud.reports.report import Explanation, Line, Report
from govcloud.store.unit import Store

METRICS: Final = (*OF_SYSTEMS, *OF_ESTATE)
AsOf: TypeAlias = str | date | datetime | None


@dataclass(frozen=True, slots=True)
class Options:
    """How a report is made.

    `beside`: other definitions whose rate is printed too. `lines`:
    how many objects the evidence lists before it only counts them. `below`: whether what is below
    the department asked for belongs to it. `within`: the node that the asker may not look beyond.
    `spread`: how many processes count a large register; the report is the same with any number.
    """

    beside: tuple[str | Definition, ...] = ()
    lines: int = 20_000
    below: bool = True
    within: str | None = None
    spread: Spread = ALL_CORES


DEFAULTS: Final = Options()


def make(
    store: Store,
    as_of: AsOf = None,
    *,
    department: str | None = None,
    definition: str | Definition = FIRST.version,
    options: Options = DEFAULTS,
) -> Report:
    """Return the report as of an instant (default: now), or a day's end.

    With `department`, only that node and what is below it are read and shown. InvalidInputError
    for an instant that has not come, NotFoundError for a definition that is not there, and for a
    department that is not or may not be seen.
    """
    used, beside = _definition(definition), tuple(map(_definition, options.beside))
    with opened(store, as_of, department, options) as reading:
        counting = Counting(
            reading,
            store.database.url,
            used,
            beside,
            lines=options.lines,
            spread=options.spread,
        )
        counting.run()
        estate = Estate(reading)
        _check_scope(department, counting, estate, reading)
        parts = Assembly(counting, estate)
        return Report(
            cutoff=reading.cutoff,
            opening=reading.opening,
            definition=used.version,
            clauses=used.clauses,
            department=department,
            rows=parts.rows(),
            total=parts.total(),
            metrics=parts.metrics(),
            beside=parts.beside(beside),
            exclusions=tuple(sorted(parts.tally.exclusions.items())),
            movement=parts.movement(),
            movement_total=parts.movement_total(),
            headline=parts.headline(),
            survey=estate.survey.title if estate.survey else None,
            remarks=parts.remarks(),
            evidence=tuple(counting.lines),
            evidence_total=counting.lines_total,
            digest=reading.digest,
        )


def explain(
    store: Store,
    as_of: AsOf = None,
    *,
    metric: str = HEADLINE,
    department: str | None = None,
    definition: str | Definition = FIRST.version,
    options: Options = DEFAULTS,
) -> Explanation:
    """Return the objects behind a metric, each with verdict, reason and records.

    Raises like `make`; NotFoundError for an unknown metric.
    """
    if metric not in METRICS:
        raise NotFoundError("errors.metric_unknown", metric=metric, known=list(METRICS))
    used = _definition(definition)
    with opened(store, as_of, department, options) as reading:
        lines: tuple[Line, ...]
        if metric in OF_ESTATE:
            estate = Estate(reading)
            measure = estate.measures[metric]
            rate, lines = measure.rate, tuple(lines_of(measure))
            total = len(lines)
        else:
            counting = Counting(
                reading,
                store.database.url,
                used,
                lines=options.lines,
                full=True,
                spread=options.spread,
            )
            counting.run()
            estate = Estate(reading)
            _check_scope(department, counting, estate, reading)
            tally = total_of(counted.tally for counted in counting.departments)
            rate, lines = getattr(tally, OF_SYSTEMS[metric]), tuple(counting.lines)
            total = counting.lines_total
        return Explanation(
            cutoff=reading.cutoff,
            definition=used.version,
            department=department,
            digest=reading.digest,
            metric=estate.metric(metric, rate),
            lines=lines[: options.lines],
            total=total,
        )


@contextmanager
def opened(
    store: Store, as_of: AsOf, department: str | None, options: Options
) -> Iterator[Reading]:
    """Give what stood at an instant, behind which nothing is recorded any more."""
    cutoff = resolve(as_of, store.clock.now(), city.zone())
    # Before anything is read: who commits later cannot record behind the cut-off (F1).
    store.settle(cutoff.instant)
    with _collecting_paused(), store.reading() as session:
        whose = Whose(department, options.below, options.within)
        yield Reading(session, cutoff, cutoff.month_end_before(), whose)


@contextmanager
def _collecting_paused() -> Iterator[None]:
    # Millions of tuples and not one cycle among them: looking for cycles takes a third of the time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _definition(given: str | Definition) -> Definition:
    return given if isinstance(given, Definition) else find_definition(given)


def _check_scope(
    department: str | None, counting: Counting, estate: Estate, reading: Reading
) -> None:
    if department is None or department in estate.names:
        return
    if not counting.lines_total:
        raise reading.unknown_node()
