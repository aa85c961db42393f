"""Where amounts are charged: the organisation tree, places in it, and the cells of the books."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from govcloud.domain.classes import CLASSES
from govcloud.errors import ConflictError


class Scope(NamedTuple):
    """What a limit speaks of: one class; in one zone, one cloud (empty zone) or anywhere."""

    cloud: str
    zone: str
    resource_class: str


class Cell(NamedTuple):
    """One line of the books: a node of the tree and a scope."""

    department: str
    cloud: str
    zone: str
    resource_class: str

    @property
    def scope(self) -> Scope:
        """The scope without the node."""
        return Scope(self.cloud, self.zone, self.resource_class)

    def at(self, department: str) -> "Cell":
        """Return the cell of the same scope at another node."""
        return Cell(department, self.cloud, self.zone, self.resource_class)


class Place(NamedTuple):
    """Where an object stands: its department, cloud and zone."""

    department: str
    cloud: str
    zone: str


class Tree:
    """The organisation tree, of any depth; several roots are allowed.

    A department that the tree does not know stands alone, as a root of its own.
    """

    def __init__(self, parents: Mapping[str, str | None]) -> None:
        self.parents = dict(parents)
        self._children: dict[str, list[str]] = {}
        for department in sorted(self.parents):
            parent = self.parents[department]
            if parent is not None:
                self._children.setdefault(parent, []).append(department)
        self._paths: dict[str, tuple[str, ...]] = {}
        for department in self.parents:
            self.path(department)

    def path(self, department: str) -> tuple[str, ...]:
        """Return the department and all above it, the root last; refuses a circle."""
        known = self._paths.get(department)
        if known is not None:
            return known
        path: list[str] = []
        node: str | None = department
        while node is not None:
            if node in path:
                raise ConflictError("quota.circle", department=node)
            path.append(node)
            node = self.parents.get(node)
        return self._paths.setdefault(department, tuple(path))

    def depth(self, department: str) -> int:
        """Return how many nodes are above."""
        return len(self.path(department)) - 1

    def moved(self, other: "Tree") -> frozenset[str]:
        """Return the departments that have another parent, or are not there, in another tree."""
        return frozenset(dict(self.parents.items() ^ other.parents.items()))

    def children(self, department: str) -> tuple[str, ...]:
        """Return the nodes directly below, by name."""
        return tuple(self._children.get(department, ()))

    def walk(self) -> Iterator[str]:
        """Yield all nodes, each before those below it, siblings by name."""
        above = {parent for parent in self.parents.values() if parent is not None}
        waiting = sorted(
            (name for name in self.parents.keys() | above if len(self.path(name)) == 1),
            reverse=True,
        )
        while waiting:
            department = waiting.pop()
            yield department
            waiting.extend(reversed(self.children(department)))


def scopes(cloud: str, zone: str) -> tuple[tuple[str, str], ...]:
    """Return the (cloud, zone) pairs whose limits count for a place, the widest first."""
    if not cloud:
        return (("", ""),)
    if not zone:
        return (("", ""), (cloud, ""))
    return (("", ""), (cloud, ""), (cloud, zone))


def cells(tree: Tree, place: Place, resource_class: str) -> tuple[Cell, ...]:
    """Return the cells that an amount at a place is charged to, leaf first."""
    return tuple(
        Cell(department, cloud, zone, resource_class)
        for department in tree.path(place.department)
        for cloud, zone in scopes(place.cloud, place.zone)
    )


_ORDER: Final[Mapping[str, int]] = {word: index for index, word in enumerate(CLASSES)}


@lru_cache(maxsize=512)
def class_order(word: str) -> tuple[int, str]:
    """Return the sorting key of a class: as the classes are listed, storage classes by name."""
    return _ORDER.get(word.partition(".")[0], len(_ORDER)), word
