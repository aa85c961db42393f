"""The organisation tree of a report: what belongs to a node, whatever shape the tree has."""

from collections import defaultdict
from collections.abc import Mapping


def below(parents: Mapping[str, str | None], node: str) -> frozenset[str]:
    """Return a node and all that is below it, `parents` by name; a loop does no harm."""
    children: defaultdict[str | None, list[str]] = defaultdict(list)
    for name, parent in parents.items():
        children[parent].append(name)
    found, waiting = {node}, [node]
    while waiting:
        fresh = [name for name in children[waiting.pop()] if name not in found]
        found.update(fresh)
        waiting += fresh
    return frozenset(found)


def root(parents: Mapping[str, str | None]) -> str | None:
    """Return the one node that stands above all; None where there are several or none."""
    roots = [name for name, parent in parents.items() if parent not in parents]
    return roots[0] if len(roots) == 1 else None
