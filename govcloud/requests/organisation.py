"""The tree that Department objects make: one root, no circles, levels descend; pure."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from govcloud.domain.kinds.platform import DepartmentSpec, Level
from govcloud.errors import Diagnostic

_RANK: Final = {level: rank for rank, level in enumerate(Level)}

Fault = Callable[..., Diagnostic]
"""Makes a fault of a department: `(name, key, field, **params)`."""


def faults(
    units: Mapping[str, DepartmentSpec], fresh: Collection[str], fault: Fault
) -> Iterator[Diagnostic]:
    """Yield what keeps these departments from being one tree. Parents are known to be there.

    `fresh` are those just written: of two roots the newcomer is at fault.
    """
    found = (name for name, spec in units.items() if spec.parent is None)
    roots = sorted(found, key=lambda name: (name in fresh, name))
    for root in roots[1:]:
        key = "requests.second_root"
        yield fault(root, key, "spec.parent", name=root, root=roots[0])
    circles = {name for name in units if _circular(units, name)}
    for name in sorted(circles):
        yield fault(name, "requests.circle", "spec.parent", name=name)
    for name, spec in sorted(units.items()):
        above = units.get(spec.parent or "")
        if above is not None and name not in circles and _RANK[spec.level] < _RANK[above.level]:
            params = {"level": spec.level.value, "parent": spec.parent}
            params |= {"parent_level": above.level.value}
            yield fault(name, "requests.level_ascends", "spec.level", **params)


def _circular(units: Mapping[str, DepartmentSpec], start: str) -> bool:
    name, seen = units[start].parent, {start}
    while name is not None and name in units:
        if name == start:
            return True
        if name in seen:
            return False
        seen.add(name)
        name = units[name].parent
    return False
