"""What moves together: the connected components of who talks to whom, but for what is cut."""

from collections.abc import Iterable, Mapping

from migration.waves.model import Settings

Edge = tuple[str, str]


def edge(one: str, other: str) -> Edge:
    """Return a connection with its ends in order."""
    return (one, other) if one < other else (other, one)


def uncut(edges: Iterable[Edge], settings: Settings) -> list[Edge]:
    """Return the connections that nobody has cut, in order."""
    alone = {cut.one for cut in settings.cuts if cut.other is None}
    pairs = {edge(cut.one, cut.other) for cut in settings.cuts if cut.other is not None}
    return sorted(
        one for one in edges if one not in pairs and one[0] not in alone and one[1] not in alone
    )


def groups(keys: Iterable[str], edges: Iterable[Edge]) -> list[tuple[str, ...]]:
    """Return the groups, each in order, in the order of their first systems."""
    above = {key: key for key in keys}

    def root(key: str) -> str:
        while above[key] != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    for one, other in edges:
        if one not in above or other not in above:
            continue
        first, second = sorted((root(one), root(other)))
        above[second] = first
    found: dict[str, list[str]] = {}
    for key in sorted(above):
        found.setdefault(root(key), []).append(key)
    return [tuple(found[key]) for key in sorted(found)]


def hub(group: Iterable[str], edges: Iterable[Edge]) -> str:
    """Return the system of a group with the most connections: the first to think of cutting."""
    degree = dict.fromkeys(sorted(group), 0)
    for one, other in edges:
        if one in degree and other in degree:
            degree[one] += 1
            degree[other] += 1
    return max(degree, key=lambda key: degree[key])


def of_each(found: Iterable[tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """Return the group of each system."""
    return {key: group for group in found for key in group}
