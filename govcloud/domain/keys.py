"""What objects are called."""

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
