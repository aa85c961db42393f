"""What a system weighs in a window, and what a window carries. Seconds, MiB, whole numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from migration.assessment.questionnaire import Risk, Window
from migration.waves.model import Settings

RISKS: Final = (Risk.GREEN, Risk.YELLOW, Risk.RED)
Cell = tuple[str, str]
"""A node of the organisation and a resource class."""
CLOUDS: Final = "*"
"""What stands for all clouds in place of a node: their physical capacity is a limit as well."""
Steps = tuple[tuple[date, int], ...]
"""How much is free from each day on, in the order of the days."""


@dataclass(frozen=True, slots=True)
class Load:
    """One system as planning sees it. `data` and `change` (a day): MiB by room."""

    key: str
    department: str
    risk: Risk = Risk.GREEN
    complexity: str = "A"
    window: Window = Window.ANY
    hosts: int = 1
    people: tuple[str, ...] = ()
    data: Mapping[str, int] = field(default_factory=dict)
    change: Mapping[str, int] = field(default_factory=dict)
    demand: Mapping[Cell, int] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, str]:
        """Where it stands in the order of risk: what can go wrong least comes first."""
        return RISKS.index(self.risk), self.complexity


Weight = Mapping[tuple[str, str], int]
"""What is used up of each limit: `("systems", "")`, `("sync", room)`, `("people", person)`."""


def weight(load: Load, settings: Settings) -> dict[tuple[str, str], int]:
    """Return what a system uses up of a window's limits; copies in seconds of its link."""
    used = {("systems", ""): 1, ("hosts", ""): load.hosts}
    for person in load.people:
        used["people", person] = 1
    for room, mib in load.data.items():
        used["sync", room] = seconds(mib, room, settings)
    for room, mib in load.change.items():
        part = -(-mib * settings.delta_hours // 24)
        used["delta", room] = seconds(part, room, settings)
    return used


def seconds(mib: int, room: str, settings: Settings) -> int:
    """Return how long a room's link takes for so much data, rounded up."""
    mbps = settings.rooms_mbps.get(room, settings.link_mbps)
    bits = mib * 1024 * 1024 * 8
    return -(-bits * 100 // (mbps * 1_000_000 * settings.link_percent))


def limit(word: str, settings: Settings) -> int:
    """Return what a window carries of systems, hosts, systems a person, seconds of a link."""
    return {
        "systems": settings.systems,
        "hosts": settings.hosts,
        "people": settings.systems_per_person,
        "sync": settings.every_days * 86_400,
        "delta": settings.window_hours * 36 * settings.delta_percent,
    }[word]


def free_on(steps: Steps, day: date) -> int:
    """Return how much is free on a day."""
    free = 0
    for begins, amount in steps:
        if begins > day:
            break
        free = amount
    return free
