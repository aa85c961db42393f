"""The tables of `data/`, and what all files of the example share."""

import csv
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
Row = dict[str, str]
Units = Mapping[str, Row]
VM_CLOUD, CONTAINER_CLOUD, INDUSTRY_CLOUD = "changshu-vm", "changshu-k8s", "police-cloud"
MIGRATED = ("trial", "cutover", "test-migrated", "accepted", "source-off", "closed")
SOURCE_STILL_RUNS = ("trial", "cutover", "test-migrated")


def table(name: str) -> list[Row]:
    """Return the rows of one table of `data/`."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def day(start: str, index: int, span: int) -> str:
    """Return a date within `span` days of `start`; the same for the same index."""
    return (date.fromisoformat(start) + timedelta(days=index * 37 % span)).isoformat()


def owned(unit: str, name: str, title: str) -> dict[str, str]:
    """Return the metadata of what a unit owns."""
    return {"name": name, "department": unit, "displayName": title}


def added(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    """Return the sum of two demands."""
    names = dict.fromkeys([*left, *right])
    return {name: left.get(name, 0) + right.get(name, 0) for name in names}
