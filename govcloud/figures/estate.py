"""Rooms, private networks and IPv6: MET-3, MET-3a, MET-4, MET-5.

Each measure is a list of items with a verdict each, and its rate is counted from that list: the
figure and its evidence cannot come to differ (F2).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple, TypeVar

from govcloud.domain.kinds.estate import NetworkState, RoomState
from govcloud.errors import Text
from govcloud.figures.rates import Rate
from govcloud.figures.survey import Survey

GONE: Final = "gone"


class RoomFact(NamedTuple):
    """A self-built server room."""

    seq: int
    uid: str
    phase: str
    name: str
    department: str
    display_name: str | None
    request_id: str | None
    state: str
    baseline: int
    only_network_gear: int

    @property
    def runs(self) -> bool:
        """Whether it counts as a room that is kept; one with only network gear never does."""
        return self.phase != GONE and not self.only_network_gear and self.state != RoomState.CLOSED


class NetworkFact(NamedTuple):
    """A private network."""

    seq: int
    uid: str
    phase: str
    name: str
    department: str
    display_name: str | None
    request_id: str | None
    state: str
    baseline: int
    classified: int


class UnitFact(NamedTuple):
    """A node of the organisation tree, with its access to the extranet."""

    seq: int
    uid: str
    phase: str
    name: str
    department: str
    display_name: str | None
    request_id: str | None
    level: str
    parent: str | None
    connected: int | None
    ipv6: int | None
    tested_on: str | None


A = TypeVar("A", RoomFact, NetworkFact, UnitFact)


class Item(NamedTuple):
    """One object of a measure: whether it is of the whole, whether it counts, and why."""

    department: str
    kind: str
    name: str
    display_name: str | None
    of_whole: bool
    counts: bool
    why: str
    seq: int
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric with the items it was counted from; `unit` is what is counted, a catalogue key."""

    id: str
    unit: str
    rate: Rate
    items: tuple[Item, ...] = ()
    remarks: tuple[Text, ...] = ()


def _items(
    kind: str,
    facts: Iterable[A],
    classify: Callable[[A], tuple[bool, bool, str]],
) -> tuple[Item, ...]:
    return tuple(
        Item(
            fact.department or fact.name,
            kind,
            fact.name,
            fact.display_name,
            *classify(fact),
            fact.seq,
            fact.request_id,
        )
        for fact in sorted(facts, key=lambda fact: (fact.department, fact.name, fact.seq))
    )


def _share(items: Sequence[Item]) -> Rate:
    whole = [item for item in items if item.of_whole]
    return Rate(sum(item.counts for item in whole), len(whole))


def units_with_rooms(rooms: Iterable[RoomFact], survey: Survey | None) -> Measure:
    """MET-3: surveyed units that keep a room, of the units surveyed (not only of those named)."""
    sample = survey.named if survey else frozenset()

    def classify(room: RoomFact) -> tuple[bool, bool, str]:
        counts = room.runs
        why = "room_open" if counts else "network_gear" if room.only_network_gear else "room_closed"
        inside = room.department in sample
        return inside, counts and inside, why if inside else "outside_sample"

    present = [room for room in rooms if room.phase != GONE]
    items = _items("ServerRoom", present, classify)
    units = {item.department for item in items if item.counts}
    outside = sorted({room.department for room in present if room.runs} - sample)
    remarks = [Text("reports.remark.no_survey")] if survey is None else []
    if survey is not None and outside:
        remarks.append(
            Text("reports.remark.rooms_outside_sample", {"count": len(outside), "units": outside})
        )
    size = survey.sample_size if survey else 0
    return Measure("MET-3", "unit_surveyed", Rate(len(units), size), items, tuple(remarks))


def rooms_closed(rooms: Iterable[RoomFact]) -> Measure:
    """MET-3a: baseline rooms that are closed.

    A room that was taken out of the register stays in the baseline, with its last state: else the
    denominator could be made smaller by deleting.
    """

    def classify(room: RoomFact) -> tuple[bool, bool, str]:
        if room.only_network_gear or not room.baseline:
            return False, False, "network_gear" if room.only_network_gear else "not_baseline"
        closed = room.state == RoomState.CLOSED
        return True, closed, "room_closed" if closed else "room_open"

    items = _items("ServerRoom", rooms, classify)
    return Measure("MET-3a", "room", _share(items), items)


def networks_merged(networks: Iterable[NetworkFact]) -> Measure:
    """MET-4: private networks of the baseline, not classified, that are merged."""

    def classify(network: NetworkFact) -> tuple[bool, bool, str]:
        if network.classified or not network.baseline:
            return False, False, "classified" if network.classified else "not_baseline"
        merged = network.state == NetworkState.INTEGRATED
        return True, merged, "network_merged" if merged else "network_separate"

    items = _items("PrivateNetwork", networks, classify)
    return Measure("MET-4", "network", _share(items), items)


def ipv6_coverage(units: Iterable[UnitFact], day: date) -> Measure:
    """MET-5: units connected to the extranet where IPv6 is enabled and was tested by that day."""

    def classify(unit: UnitFact) -> tuple[bool, bool, str]:
        if not unit.connected:
            return False, False, "not_connected"
        if not unit.ipv6:
            return True, False, "ipv6_off"
        tested = unit.tested_on is not None and unit.tested_on <= day.isoformat()
        return True, tested, "ipv6_tested" if tested else "ipv6_untested"

    items = _items("Department", units, classify)
    return Measure("MET-5", "unit_connected", _share(items), items)
