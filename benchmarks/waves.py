"""Planning a province's systems into waves: seconds, and windows beside the fewest there can be.

    python benchmarks/waves.py [--quick]

The estate is made from a seed: departments of six systems on average, groups that talk among
themselves, and twenty shared platforms that everybody talks to, whose connections are cut. Each
system has hosts, data, people, a night and quota of its own. The lower bound counts systems, hosts,
people and seconds of links, and groups of which no two share a window; no plan needs fewer windows.
Prints a Markdown table; returns 1 where an aim is missed.
"""

import argparse
import gc
import itertools
import random
import sys
import time
from collections.abc import Sequence
from datetime import date
from typing import Final

from migration.assessment.questionnaire import Risk, Window
from migration.waves.check import World, check
from migration.waves.compute import compute, fewest_windows
from migration.waves.file import planned
from migration.waves.groups import edge
from migration.waves.load import Cell, Load, Steps
from migration.waves.model import Cut, Settings

SIZES: Final = ((730, 6_000), (7_300, 60_000))
AIM_S: Final = 5.0
AIM_RATIO: Final = 1.1
PLATFORMS: Final = 20
BEGIN: Final = date(2027, 1, 4)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where an aim is missed, 0 otherwise."""
    parser = argparse.ArgumentParser(prog="benchmarks/waves.py")
    parser.add_argument("--quick", action="store_true", help="the small size only")
    sizes = SIZES[:1] if parser.parse_args(argv).quick else SIZES
    print(
        "| systems | dependencies | groups | plan, s | check, s | windows | bound | ratio | wrong |"
    )
    print("| --: | --: | --: | --: | --: | --: | --: | --: | --: |")
    return max(measure(*size) for size in sizes)


def measure(systems: int, dependencies: int) -> int:
    """Plan one estate and print its row."""
    loads, edges, settings, budget = estate(systems, dependencies)
    gc.collect()
    begun = time.perf_counter()
    result = compute(loads, edges, settings, works, budget)
    took = time.perf_counter() - begun
    plan = planned(result, settings)
    begun = time.perf_counter()
    wrong = len(check(plan, World(loads, edges, {}, budget, works))) + len(result.unplaced)
    checked = time.perf_counter() - begun
    bound = fewest_windows(loads, edges, settings)
    windows = len(result.windows)
    count = len(result.placed)
    print(
        f"| {systems} | {len(edges)} | {count} | {took:.2f} | {checked:.2f} | {windows} | {bound} "
        f"| {windows / bound:.3f} | {wrong} |",
        flush=True,
    )
    return int(took > AIM_S or windows > AIM_RATIO * bound or wrong > 0)


def works(day: date) -> bool:
    """Whether a day is a working day; the holidays of a year change nothing here."""
    return day.weekday() < 5


def estate(
    systems: int, dependencies: int
) -> tuple[dict[str, Load], list[tuple[str, str]], Settings, dict[Cell, Steps]]:
    """Return systems, who talks to whom, settings with cuts, and what quota is free."""
    chance = random.Random(7300)
    keys = [f"d{index // 6:04}/s{index:05}" for index in range(systems)]
    loads = {key: _load(key, chance) for key in keys}
    platforms, others = keys[:PLATFORMS], keys[PLATFORMS:]
    cut: set[tuple[str, str]] = set()
    while len(cut) < dependencies // 2:
        cut.add(edge(chance.choice(platforms), chance.choice(others)))
    inner = _groups(others, dependencies - len(cut), chance)
    cuts = [Cut(one=key, reason="shared platform") for key in platforms]
    settings = Settings(begin=BEGIN, systems=50, hosts=250, systems_per_person=20, cuts=cuts)
    budget: dict[Cell, Steps] = {}
    for load in loads.values():
        for cell, amount in load.demand.items():
            free = budget.get(cell, ((BEGIN, 0),))[0][1]
            budget[cell] = ((BEGIN, free + amount),)
    return loads, sorted({*cut, *inner}), settings, budget


def _load(key: str, chance: random.Random) -> Load:
    department = key.partition("/")[0]
    hosts = chance.choice((1, 2, 2, 3, 4, 6, 9))
    vcpu = 8 * hosts
    scopes = (department, "city")
    return Load(
        key=key,
        department=department,
        risk=chance.choices((Risk.GREEN, Risk.YELLOW, Risk.RED), (6, 3, 1))[0],
        complexity=chance.choice("AABC"),
        window=Window.ANY,
        hosts=hosts,
        people=(f"{department}-head", f"builder-{chance.randrange(200)}"),
        data={f"{department}/room": chance.choice((20, 80, 300, 900)) * 1024},
        change={f"{department}/room": chance.choice((1, 5, 20)) * 1024},
        demand={(scope, "vcpu"): vcpu for scope in scopes},
    )


def _groups(keys: Sequence[str], count: int, chance: random.Random) -> set[tuple[str, str]]:
    """Return connections inside groups of up to 24 systems, until there are so many."""
    found: set[tuple[str, str]] = set()
    at, sets = 0, []
    while at < len(keys):
        size = chance.choice((1, 1, 2, 3, 5, 8, 12, 18, 24))
        sets.append(keys[at : at + size])
        at += size
    for group in sets:
        found.update(edge(one, other) for one, other in itertools.pairwise(group))
    wide = [group for group in sets if len(group) > 4]
    most = sum(len(group) * (len(group) - 1) // 2 for group in wide)
    while len(found) < min(count, most):
        one, other = chance.sample(chance.choice(wide), 2)
        found.add(edge(one, other))
    return found


if __name__ == "__main__":
    sys.exit(main())
