"""From what was counted to the report: rows, metrics, movement, headline, remarks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from govcloud.domain.kinds.estate import NetworkState
from govcloud.errors import Text
from govcloud.figures.definition import Definition
from govcloud.figures.estate import (
    GONE,
    Measure,
    ipv6_coverage,
    networks_merged,
    rooms_closed,
    units_with_rooms,
)
from govcloud.figures.rates import Rate, ranks
from govcloud.figures.survey import Compared, compare, findings
from govcloud.figures.tally import Tally
from govcloud.figures.targets import aim
from govcloud.reports.counting import Counting, total_of
from govcloud.reports.reading import Reading
from govcloud.reports.report import Beside, Metric, Moved, Row, movement_total
from govcloud.reports.tallying import Counted

HEADLINE: Final = "MET-1"
OF_SYSTEMS: Final[Mapping[str, str]] = {
    "MET-1": "rate",
    "MET-1a": "rate_with_partial",
    "MET-1b": "rate_gross",
    "MET-1c": "rate_with_docked",
    "MET-1d": "rate_weighted",
    "MET-1e": "rate_thorough",
}
"""Metrics of systems, and the property of a tally that gives them."""
OF_ESTATE: Final = ("MET-3", "MET-3a", "MET-4", "MET-5")


class Estate:
    """What a report needs beside systems: units, rooms, networks, survey, targets."""

    def __init__(self, reading: Reading) -> None:
        self.year = reading.cutoff.day.year
        self.scope = reading.scope
        self.names = reading.names
        self.units = reading.units()
        self.rooms = reading.rooms()
        self.networks = reading.networks()
        self.survey = reading.survey()
        self._targets = reading.targets()
        self.measures: Mapping[str, Measure] = {
            measure.id: measure
            for measure in (
                units_with_rooms(self.rooms, self.survey),
                rooms_closed(self.rooms),
                networks_merged(self.networks),
                ipv6_coverage(self.units, reading.cutoff.day),
            )
        }

    def metric(self, name: str, rate: Rate) -> Metric:
        """Return a metric with its unit and the target that applies."""
        measure = self.measures.get(name)
        unit = measure.unit if measure else "vcpu" if name == "MET-1d" else "system"
        return Metric(name, unit, rate, aim(self._targets, name, self.year))

    def listed(self, counted: Sequence[Counted]) -> list[str]:
        """Return the departments that get a line: those with systems, and the tree's leaves."""
        with_systems = {
            c.name
            for c in counted
            if self.scope.has(c.name) and (c.tally.registered or c.movement.opening)
        }
        parents = {unit.parent for unit in self.units}
        leaves = {unit.name for unit in self.units if unit.name not in parents}
        return sorted(with_systems | leaves)


class Assembly:
    """The parts of a report, each a value."""

    def __init__(self, counting: Counting, estate: Estate) -> None:
        self._departments = counting.departments
        self._counting = counting
        self._estate = estate
        self._names = estate.names
        self.tally = total_of(counted.tally for counted in counting.departments)

    def rows(self) -> tuple[Row, ...]:
        """Return a line for each department, in the order of their ids."""
        by_name = {counted.name: counted for counted in self._departments}
        listed = self._estate.listed(self._departments)
        lines = [by_name.get(name) or Counted(name) for name in listed]
        ranked = ranks(
            (line.name, line.tally.rate.tenths, line.tally.rate_thorough.tenths) for line in lines
        )
        target = self._estate.metric(HEADLINE, self.tally.rate).aim
        return tuple(
            Row(
                department=line.name,
                display_name=self._names.get(line.name, line.name),
                tally=line.tally,
                previous=line.before.rate.tenths,
                aim=target,
                rank=ranked.get(line.name),
            )
            for line in lines
        )

    def total(self) -> Row:
        """Return the line of all departments together: ΣC/ΣE, named after their node."""
        before = total_of(counted.before for counted in self._departments if counted.had)
        target = self._estate.metric(HEADLINE, self.tally.rate).aim
        return Row("", self.whole(), self.tally, before.rate.tenths, target)

    def whole(self) -> str:
        """Return the name of the node that the report is of; empty for several trees."""
        named = self._estate.scope.named
        return self._names.get(named, named) if named is not None else ""

    def metrics(self) -> tuple[Metric, ...]:
        """Return all metrics of the whole."""
        measures = self._estate.measures.items()
        rest = (self._estate.metric(name, measure.rate) for name, measure in measures)
        return (*self._of_systems(self.tally), *rest)

    def _of_systems(self, tally: Tally) -> tuple[Metric, ...]:
        rates = {name: getattr(tally, source) for name, source in OF_SYSTEMS.items()}
        return tuple(self._estate.metric(name, rate) for name, rate in rates.items())

    def beside(self, definitions: Sequence[Definition]) -> tuple[Beside, ...]:
        """Return the metrics of systems under the other definitions that were counted."""
        totals = [
            total_of(counted.beside[place] for counted in self._departments)
            for place in range(len(definitions))
        ]
        return tuple(
            Beside(definition.version, self._of_systems(total))
            for definition, total in zip(definitions, totals, strict=True)
        )

    def movement(self) -> tuple[Moved, ...]:
        """Return the population movement of each department that has or had a population."""
        return tuple(
            Moved(counted.name, self._names.get(counted.name, counted.name), counted.movement)
            for counted in self._departments
            if counted.movement.opening or counted.movement.closing
        )

    def movement_total(self) -> Moved:
        """Return the movement of all departments together."""
        return movement_total(self.movement(), self.whole())

    def counts(self) -> dict[str, float | None]:
        """Return what we count of the figures that plans state; None where we do not."""
        present = {c.name: c.presence for c in self._departments if c.presence.systems}
        counts: dict[str, float | None] = {
            "units_on_cloud": len(present),
            "projects_on_cloud": sum(presence.systems for presence in present.values()),
            "virtual_machines": sum(presence.machines for presence in present.values()),
        }
        return counts | self._surveyed(set(present))

    def _surveyed(self, present: set[str]) -> dict[str, float | None]:
        estate = self._estate
        share = estate.measures["MET-3"].rate.tenths
        separate = {
            network.department
            for network in estate.networks
            if network.phase != GONE and network.state != NetworkState.INTEGRATED
        }
        return {
            "surveyed_units": None,
            "units_using_cloud": len(estate.survey.named & present) if estate.survey else None,
            "units_with_own_room": len({room.department for room in estate.rooms if room.runs}),
            "own_room_share_percent": None if share is None else share / 10,
            "units_with_private_network": len(separate),
        }

    def headline(self) -> tuple[Compared, ...]:
        """Return our counts beside what the survey states and lists."""
        return compare(self._estate.survey, self.counts())

    def remarks(self) -> tuple[Text, ...]:
        """Return what does not fit in the facts and in the survey."""
        remarks = self._counting.oddities.remarks(self._counting.frame)
        for measure in self._estate.measures.values():
            remarks += measure.remarks
        remarks += findings(self._estate.survey) if self._estate.survey else ()
        remarks += self._several_networks()
        return tuple(map(self._named, remarks))

    def _named(self, remark: Text) -> Text:
        units = remark.params.get("units")
        if not isinstance(units, list):
            return remark
        named = [self._names.get(unit, unit) for unit in units]
        return Text(remark.key, {**remark.params, "units": named})

    def _several_networks(self) -> list[Text]:
        present = Counter(n.department for n in self._estate.networks if n.phase != GONE)
        several = sorted(name for name, times in present.items() if times > 1)
        if not several:
            return []
        numbers = {"networks": present.total(), "count": len(present), "units": several}
        return [Text("reports.remark.units_with_several_networks", numbers)]
