"""The fields of specs that figures are made of, which a fact has as columns of its own.

A report over a million systems reads three facts for each: taking a field out of a document costs
more than reading the whole row. The document stays what was recorded; a column repeats it.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Path: TypeAlias = tuple[str, ...]

TEXTS: Final[Mapping[Path, str]] = {
    ("department",): "owner",
    ("code",): "code",
    ("lifecycle",): "lifecycle",
    ("origin",): "origin",
    ("industryCloud",): "industry_cloud",
    ("system",): "system",
    ("environment",): "environment",
    ("zone",): "zone",
    ("room",): "room",
    ("flavor",): "flavor",
    ("state",): "state",
    ("cpu",): "cpu",
}
NUMBERS: Final[Mapping[Path, str]] = {
    ("count",): "units",
    ("vcpu",): "vcpu",
    ("security", "classified"): "classified",
}
"""Whole numbers; what is true or false is 1 or 0."""
COLUMNS: Final[Mapping[Path, str]] = {**TEXTS, **NUMBERS}
"""By the path of a field, the column that repeats it."""


def counted(spec: Mapping[str, Any]) -> dict[str, str | int | None]:
    """Return the columns of a fact with this spec; None for what is not there."""
    columns: dict[str, str | int | None] = {}
    for path, column in COLUMNS.items():
        value: Any = spec
        for step in path:
            value = value.get(step) if isinstance(value, Mapping) else None
        if path in TEXTS:
            columns[column] = value if isinstance(value, str) else None
        else:
            columns[column] = int(value) if isinstance(value, int) else None
    return columns
