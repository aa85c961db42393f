"""What a report on the on-cloud rate holds: a frozen value, in no language yet.

It holds no time of making: a report for a past day is the same whenever it is made (F1).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from govcloud.errors import Text
from govcloud.figures.movement import Movement
from govcloud.figures.rates import Rate, difference
from govcloud.figures.survey import Compared
from govcloud.figures.tally import Tally
from govcloud.figures.targets import Aim
from govcloud.reports.cutoff import Cutoff


@dataclass(frozen=True, slots=True)
class Row:
    """One department's line of RPT-1, or the total's.

    `department` is empty for the total, whose name is that of the node that the report is of.
    `previous` is MET-1 at the opening, in tenths; `rank` None where there is nothing to rank.
    """

    department: str
    display_name: str
    tally: Tally
    previous: int | None
    aim: Aim | None
    rank: int | None = None

    @property
    def change(self) -> int | None:
        """MET-1 less that of the month end before, in tenths of a percentage point."""
        return difference(self.tally.rate.tenths, self.previous)

    @property
    def gap(self) -> int | None:
        """MET-1 less its target, in tenths of a percentage point."""
        return self.aim.gap(self.tally.rate.tenths) if self.aim else None

    @property
    def missed(self) -> bool:
        """Whether a binding target is missed."""
        return self.aim is not None and self.aim.missed(self.tally.rate.tenths)

    def plain(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        tally = self.tally
        return {
            "department": self.department,
            "displayName": self.display_name,
            "registered": tally.registered,
            "classified": tally.classified,
            "exempt": tally.exempt,
            "industryCloud": tally.industry,
            "eligible": tally.eligible,
            "onCloud": tally.on_cloud,
            "partial": tally.partial,
            "notOnCloud": tally.missing,
            "rate": tally.rate.plain(),
            "rateWithPartial": tally.rate_with_partial.plain(),
            "rateThorough": tally.rate_thorough.plain(),
            "previousRate": percent(self.previous),
            "change": percent(self.change),
            "target": percent(self.aim.tenths) if self.aim else None,
            "gap": percent(self.gap),
            "bindingMissed": self.missed,
            "rank": self.rank,
        }


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric for the whole report; `unit` says what is counted, a catalogue key."""

    id: str
    unit: str
    rate: Rate
    aim: Aim | None = None

    @property
    def missed(self) -> bool:
        """Whether a binding target is missed."""
        return self.aim is not None and self.aim.missed(self.rate.tenths)

    def plain(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        aim = self.aim
        return {
            "id": self.id,
            "unit": self.unit,
            **self.rate.plain(),
            "target": percent(aim.tenths) if aim else None,
            "targetYear": aim.year if aim else None,
            "binding": aim.binding if aim else None,
            "gap": percent(aim.gap(self.rate.tenths)) if aim else None,
            "bindingMissed": self.missed,
        }


@dataclass(frozen=True, slots=True)
class Beside:
    """The metrics of systems under another definition, MET-1 first (MET-R3)."""

    definition: str
    metrics: tuple[Metric, ...]

    @property
    def rate(self) -> Rate:
        """MET-1."""
        return self.metrics[0].rate

    def plain(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        rate = self.rate.plain()
        return {
            "definition": self.definition,
            "onCloud": rate["numerator"],
            "eligible": rate["denominator"],
            "rate": rate,
            "metrics": [metric.plain() for metric in self.metrics],
        }


@dataclass(frozen=True, slots=True)
class Moved:
    """The population movement of one department, or of all together (`department` empty)."""

    department: str
    display_name: str
    movement: Movement


class Record(NamedTuple):
    """A record behind a figure: `seq` is the number of the fact, `note` what it says."""

    kind: str
    name: str
    seq: int
    request_id: str | None
    note: str = ""


class Line(NamedTuple):
    """One object behind a figure: its id, its verdict, why, and the records that say so.

    `verdict` and `why` are catalogue keys under `reports.verdict` and `reports.why`; `share` is
    components on the cloud and all components, where it is a system; `step` how it came into the
    population or left it since the opening, empty where it did neither.
    """

    department: str
    kind: str
    name: str
    display_name: str
    code: str
    verdict: str
    why: str
    share: tuple[int, int] | None
    records: tuple[Record, ...]
    step: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the JSON-ready form."""
        return {
            "department": self.department,
            "kind": self.kind,
            "name": self.name,
            "displayName": self.display_name,
            "code": self.code,
            "verdict": self.verdict,
            "why": self.why,
            "componentsOnCloud": self.share[0] if self.share else None,
            "components": self.share[1] if self.share else None,
            "step": self.step or None,
            "records": [
                {
                    "kind": record.kind,
                    "name": record.name,
                    "fact": record.seq,
                    "requestId": record.request_id,
                    "note": record.note,
                }
                for record in self.records
            ],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The on-cloud rate and its companions as of a cut-off."""

    cutoff: Cutoff
    opening: Cutoff
    definition: str
    clauses: tuple[str, ...]
    department: str | None
    digest: str
    rows: tuple[Row, ...]
    total: Row
    metrics: tuple[Metric, ...]
    beside: tuple[Beside, ...]
    exclusions: tuple[tuple[str, int], ...]
    movement: tuple[Moved, ...]
    movement_total: Moved
    headline: tuple[Compared, ...]
    survey: str | None
    remarks: tuple[Text, ...]
    evidence: tuple[Line, ...]
    evidence_total: int

    def plain(self) -> dict[str, Any]:
        """Return the JSON-ready form, in no language."""
        return {
            **frame_of(self.cutoff, self.definition, self.department, self.digest),
            "opening": self.opening.instant.isoformat(),
            "openingShown": str(self.opening),
            "rows": [row.plain() for row in self.rows],
            "total": self.total.plain(),
            "metrics": [metric.plain() for metric in self.metrics],
            "otherDefinitions": [other.plain() for other in self.beside],
            "exclusions": [{"reason": why, "count": count} for why, count in self.exclusions],
            "movement": [_moved(entry) for entry in (*self.movement, self.movement_total)],
            "headline": [
                {"figure": c.figure, "stated": c.stated, "listed": c.listed, "counted": c.counted}
                for c in self.headline
            ],
            "survey": self.survey,
            "remarks": [{"key": r.key, "params": dict(r.params)} for r in self.remarks],
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """The objects behind one metric, each with its verdict and its records (F2).

    `total` counts all lines; `lines` may stop at a limit.
    """

    cutoff: Cutoff
    definition: str
    department: str | None
    digest: str
    metric: Metric
    lines: tuple[Line, ...]
    total: int

    def plain(self) -> dict[str, Any]:
        """Return the JSON-ready form, in no language."""
        return {
            **frame_of(self.cutoff, self.definition, self.department, self.digest),
            "metric": self.metric.plain(),
            "lines": [line.plain() for line in self.lines],
            "total": self.total,
        }


def frame_of(
    cutoff: Cutoff, definition: str, department: str | None, digest: str
) -> dict[str, Any]:
    """Return what every document of figures carries: cut-off, definition, scope, digest."""
    return {
        "cutoff": cutoff.instant.isoformat(),
        "cutoffShown": str(cutoff),
        "timeZone": cutoff.zone,
        "definition": definition,
        "department": department,
        "digest": digest,
    }


def percent(tenths: int | None) -> float | None:
    """Return tenths as JSON shows them."""
    return None if tenths is None else tenths / 10


def _moved(entry: Moved) -> dict[str, Any]:
    steps = {_camel(name): count for name, count in asdict(entry.movement).items()}
    return {"department": entry.department, "displayName": entry.display_name, **steps}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


def movement_total(entries: Sequence[Moved], name: str) -> Moved:
    """Return the sum of the departments' movements, of a node that is called so."""
    total = Movement()
    for entry in entries:
        total.merge(entry.movement)
    return Moved("", name, total)
