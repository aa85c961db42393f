"""From computed waves to the file that people edit."""

import re
from collections.abc import Callable, Collection

from migration.waves.compute import Placed, Result
from migration.waves.model import PlannedSystem, PlannedWave, Settings, WavePlanSpec


def planned(
    result: Result,
    settings: Settings,
    why: Callable[[Placed, str], str] | None = None,
    *,
    taken: Collection[str] = (),
) -> WavePlanSpec:
    """Return the plan; `why` says why a system is where it is, for its group and itself.

    Waves are numbered on from the names that are `taken`.
    """
    last = max((int(name[1:]) for name in taken if re.fullmatch(r"w\d+", name)), default=0)
    digits = max(2, len(str(last + len(result.windows))))
    names = {slot.day: f"w{n:0{digits}}" for n, slot in enumerate(result.windows, start=last + 1)}
    inside: dict[str, list[PlannedSystem]] = {name: [] for name in names.values()}
    for placed in result.placed:
        for key in placed.bundle.keys:
            said = why(placed, key) if why else None
            inside[names[placed.slot.day]].append(PlannedSystem(system=key, why=said))
    waves = [
        PlannedWave(name=name, window=day, systems=inside[name]) for day, name in names.items()
    ]
    return WavePlanSpec(settings=settings, waves=waves)
