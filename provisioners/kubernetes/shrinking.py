"""A limit is not pushed below what is in use (Q5), unless the approved object says that it may."""

from collections.abc import Mapping, Sequence
from typing import Any

from govcloud.errors import TerminalCloudError
from govcloud.ports.cloud import Observed, Resource, Value
from provisioners.kubernetes import quantities
from provisioners.kubernetes.objects import LIMIT, OF_CLASS


def too_low(current: Observed, wanted: Resource, fields: Sequence[str]) -> dict[str, str]:
    """Return the named limits that would fall below their use, with the numbers."""
    if wanted.build.get("over_quota"):
        return {}
    return {name: text for name in fields if (text := _below(current, wanted, name))}


def still_used(
    closed: Mapping[str, Value], wanted: Resource, used: Mapping[str, int]
) -> dict[str, str]:
    """Return the storage classes that are to be closed and are in use, with the numbers."""
    if wanted.build.get("over_quota"):
        return {}
    names = [name.removeprefix(LIMIT) for name in closed.keys() - wanted.props.keys()]
    return {f"{LIMIT}{n}": f"{n}: 0 < {quantities.show(n, used[n])}" for n in names if used.get(n)}


def below_usage(over: Mapping[str, str]) -> TerminalCloudError:
    """Return the error for limits that are not set."""
    return TerminalCloudError("BelowUsage", ", ".join(sorted(over.values())))


def _below(current: Observed, wanted: Resource, field: str) -> str:
    name = field.removeprefix(LIMIT)
    limit, used = wanted.props.get(field), current.info.get(f"used.{name}")
    if name == field or not isinstance(limit, int) or not isinstance(used, int) or limit >= used:
        return ""
    return f"{name}: {quantities.show(name, limit)} < {quantities.show(name, used)}"


def check_taking(resource: Resource, used: Mapping[str, int]) -> None:
    """Raise TerminalCloudError, with the numbers, if a namespace has more in it than it may."""
    hard: Any = resource.build.get("hard") or {}
    unnamed = {name: 0 for name in used if name.endswith(OF_CLASS)}
    over = {
        name: f"{name}: {quantities.show(name, limit)} < {quantities.show(name, used[name])}"
        for name, limit in (unnamed | hard).items()
        if limit < used.get(name, 0)
    }
    if over:
        raise below_usage(over)
