"""How much of the machine is used: counters that were sampled for a while."""

import re
from collections.abc import Sequence
from datetime import datetime, tzinfo
from fractions import Fraction
from math import ceil
from typing import Any, Final, NamedTuple

from migration.inventory.scan import sockets
from migration.inventory.scan.answer import Answer, Found

WINDOW_S: Final = 60
"""A peak is the mean of a minute at least, where it was sampled for so long: a blink is no load."""


class _Sample(NamedTuple):
    at: int
    total: int
    idle: int
    memory: Fraction


def read(answer: Answer, zone: tzinfo) -> Found:
    """Return `days` (day, peaks and mean in %, seconds that were sampled) and `connections`."""
    samples = [_sample(int(part.argument), part.lines) for part in answer.every("sample")]
    if not samples:
        raise ValueError("no samples")
    days: dict[str, list[_Sample]] = {}
    for sample in samples:
        day = datetime.fromtimestamp(sample.at, zone).date().isoformat()
        days.setdefault(day, []).append(sample)
    found = [day for name, of_day in days.items() for day in [_day(name, of_day)] if day]
    lines = answer.lines("connections")
    return {"days": found, "connections": sockets.connections(dict.fromkeys(lines))}


def _sample(at: int, lines: Sequence[str]) -> _Sample:
    counters = next(line.split()[1:] for line in lines if line.startswith("cpu "))
    # user nice system idle iowait irq softirq steal; guests are counted in user already.
    numbers = [int(number) for number in counters[:8]]
    memory = {
        match[1]: int(match[2])
        for line in lines
        for match in [re.match(r"(\w+):\s+(\d+)", line)]
        if match
    }
    free = memory.get("MemAvailable")
    if free is None:  # Kernels before 3.14.
        free = sum(memory.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))
    used = Fraction(memory["MemTotal"] - free, memory["MemTotal"])
    return _Sample(at, sum(numbers), sum(numbers[3:5]), used)


def _day(name: str, samples: Sequence[_Sample]) -> dict[str, Any] | None:
    first, last = samples[0], samples[-1]
    if last.at == first.at:
        return None
    least = min(WINDOW_S, last.at - first.at)
    peaks, begun = [], 0
    for sample in samples[1:]:
        while sample.at - samples[begun + 1].at >= least:
            begun += 1
        if sample.at - samples[begun].at >= least:
            peaks.append(_busy(samples[begun], sample))
    return {
        "day": name,
        "cpu_peak": _percent(max(peaks)),
        "cpu_mean": _percent(_busy(first, last)),
        "memory_peak": _percent(max(sample.memory for sample in samples)),
        "seconds": last.at - first.at,
    }


def _busy(begin: _Sample, end: _Sample) -> Fraction:
    total = end.total - begin.total
    return Fraction(total - (end.idle - begin.idle), total) if total > 0 else Fraction(0)


def _percent(share: Fraction) -> int:
    return min(100, max(0, ceil(share * 100)))
