"""What objects are called."""

from collections.abc import Iterator
from typing import Final, NamedTuple

GROUND: Final = "Ground"
"""The kind of what objects stand on: nobody writes it, it follows from those that stand on it."""


class ObjectKey(NamedTuple):
    """What an object is called; `department` is empty for platform kinds."""

    kind: str
    department: str
    name: str

    def __str__(self) -> str:
        scope = f"{self.department}/" if self.department else ""
        return f"{self.kind} {scope}{self.name}"


def alike(key: ObjectKey) -> Iterator[ObjectKey]:
    """Yield the other keys whose department and name, joined by a hyphen, read the same."""
    words = f"{key.department}-{key.name}".split("-")
    for count in range(1, len(words)):
        other = ObjectKey(key.kind, "-".join(words[:count]), "-".join(words[count:]))
        if other != key and other.department and other.name:
            yield other
