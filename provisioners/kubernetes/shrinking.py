"""A limit is not pushed below what is in use (Q5), unless the approved object says that it may."""

from collections.abc import Mapping, Sequence
from typing import Any

from govcloud.errors import TerminalCloudError
from govcloud.ports.cloud import Observed, Resource
from provisioners.kubernetes import quantities
from provisioners.kubernetes.objects import LIMIT


def check_use(current: Observed, wanted: Resource, fields: Sequence[str]) -> None:
    """Raise TerminalCloudError, with the numbers, if a named limit would fall below its use."""
    if wanted.build.get("over_quota"):
        return
    below = [text for name in fields if (text := _below(current, wanted, name))]
    if below:
        raise TerminalCloudError("BelowUsage", ", ".join(sorted(below)))


def _below(current: Observed, wanted: Resource, field: str) -> str:
    name = field.removeprefix(LIMIT)
    limit, used = wanted.props.get(field), current.info.get(f"used.{name}")
    if name == field or not isinstance(limit, int) or not isinstance(used, int) or limit >= used:
        return ""
    return f"{name}: {quantities.show(name, limit)} < {quantities.show(name, used)}"


def check_taking(resource: Resource, used: Mapping[str, int]) -> None:
    """Raise TerminalCloudError, with the numbers, if a namespace has more in it than it may."""
    hard: Any = resource.build.get("hard") or {}
    over = [
        f"{name}: {quantities.show(name, limit)} < {quantities.show(name, used[name])}"
        for name, limit in sorted(hard.items())
        if limit < used.get(name, 0)
    ]
    if over:
        raise TerminalCloudError("BelowUsage", ", ".join(over))
