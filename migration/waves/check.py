"""What is wrong with a plan that a person has edited: every breach, at its place. Pure.

It counts anew and shares nothing with how waves are computed, so that each proves the other.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from migration.waves.groups import Edge, uncut
from migration.waves.load import CLOUDS, Cell, Load, Steps, free_on, limit, weight
from migration.waves.model import PlannedWave, Settings, WavePlanSpec
from migration.waves.slots import Works, slot

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that is wrong: a key of the catalogue `migrate`, below `spec`, with its numbers."""

    key: str
    path: Path
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class World:
    """What a plan is held against. `held` says why a system may be in no wave."""

    loads: Mapping[str, Load]
    edges: Iterable[Edge]
    held: Mapping[str, str]
    budget: Mapping[Cell, Steps]
    works: Works


def check(plan: WavePlanSpec, world: World) -> list[Breach]:
    """Return every breach: systems, groups, days, limits of windows, quota at their dates."""
    found = list(_systems(plan, world))
    found += _order(plan)
    found += _split(plan, world)
    for index, wave in enumerate(plan.waves):
        found += _day(wave, index, plan.settings, world)
        found += _limits(wave, index, plan.settings, world)
    return found + list(_quota(plan, world))


def _placed(plan: WavePlanSpec) -> Iterator[tuple[str, int, int]]:
    for number, wave in enumerate(plan.waves):
        for index, planned in enumerate(wave.systems):
            yield planned.system, number, index


def _systems(plan: WavePlanSpec, world: World) -> Iterator[Breach]:
    seen: dict[str, str] = {}
    for key, number, index in _placed(plan):
        path: Path = ("waves", number, "systems", index, "system")
        if key in seen:
            yield Breach("migrate.plan_twice", path, {"system": key, "wave": seen[key]})
        elif key in world.held:
            yield Breach("migrate.plan_held", path, {"system": key, "because": world.held[key]})
        elif key not in world.loads:
            yield Breach("migrate.plan_unknown", path, {"system": key})
        seen.setdefault(key, plan.waves[number].name)
    listed = {entry.system for entry in plan.held}
    for key in sorted(world.loads.keys() - seen.keys() - listed):
        yield Breach("migrate.plan_missing", ("waves",), {"system": key})


def _order(plan: WavePlanSpec) -> Iterator[Breach]:
    names: set[str] = set()
    for number, wave in enumerate(plan.waves):
        if wave.name in names:
            yield Breach("migrate.plan_same_name", ("waves", number, "name"), {"wave": wave.name})
        names.add(wave.name)
        gap = plan.settings.every_days
        if number and (wave.window - plan.waves[number - 1].window).days < gap:
            before = plan.waves[number - 1].window.isoformat()
            params = {"wave": wave.name, "days": gap, "before": before}
            yield Breach("migrate.plan_too_soon", ("waves", number, "window"), params)


def _split(plan: WavePlanSpec, world: World) -> Iterator[Breach]:
    places = {key: (number, index) for key, number, index in _placed(plan)}
    for one, other in uncut(world.edges, plan.settings):
        at, with_ = places.get(one), places.get(other)
        if at is None and with_ is None:
            continue
        if at is not None and with_ is not None and at[0] == with_[0]:
            continue
        late, early = (one, other) if with_ is None or (at and at > with_) else (other, one)
        number, index = places[late]
        wave = plan.waves[places[early][0]].name if early in places else "-"
        params = {"system": late, "other": early, "wave": wave}
        key = "migrate.plan_split" if early in places else "migrate.plan_split_held"
        yield Breach(key, ("waves", number, "systems", index, "system"), params)


def _day(wave: PlannedWave, number: int, settings: Settings, world: World) -> Iterator[Breach]:
    found = slot(wave.window, settings, world.works)
    path: Path = ("waves", number, "window")
    last = settings.until or date.max
    if found is None or not settings.begin <= wave.window <= last:
        params = {"wave": wave.name, "day": wave.window.isoformat()}
        yield Breach("migrate.plan_no_window", path, params)
        return
    for index, planned in enumerate(wave.systems):
        load = world.loads.get(planned.system)
        if load is None:
            continue
        where: Path = ("waves", number, "systems", index, "system")
        params = {"system": load.key, "day": wave.window.isoformat()}
        if not found.suits(load.window):
            wanted = load.window.value
            yield Breach("migrate.plan_wrong_night", where, {**params, "wanted": wanted})
        if load.department in found.frozen:
            yield Breach("migrate.plan_frozen", where, params)


def _limits(wave: PlannedWave, number: int, settings: Settings, world: World) -> Iterator[Breach]:
    used: dict[tuple[str, str], int] = {}
    for planned in wave.systems:
        load = world.loads.get(planned.system)
        for name, amount in weight(load, settings).items() if load else ():
            used[name] = used.get(name, 0) + amount
    for (word, subject), amount in sorted(used.items()):
        most = limit(word, settings)
        if amount > most:
            params = {"wave": wave.name, "amount": amount, "limit": most, "subject": subject}
            yield Breach(f"migrate.plan_over_{word}", ("waves", number), params)


def _quota(plan: WavePlanSpec, world: World) -> Iterator[Breach]:
    used: dict[Cell, int] = {}
    by_date = sorted(range(len(plan.waves)), key=lambda number: plan.waves[number].window)
    for number in by_date:
        wave = plan.waves[number]
        for planned in wave.systems:
            load = world.loads.get(planned.system)
            for cell, amount in load.demand.items() if load else ():
                used[cell] = used.get(cell, 0) + amount
        for cell, amount in sorted(used.items()):
            free = free_on(world.budget[cell], wave.window) if cell in world.budget else amount
            if amount > free:
                params = {"wave": wave.name, "department": cell[0], "resource": cell[1]}
                numbers = {"amount": amount, "free": free}
                key = "migrate.plan_over_quota"
                if cell[0] == CLOUDS:
                    key = "migrate.plan_over_capacity"
                yield Breach(key, ("waves", number), {**params, **numbers})
