"""The organisation tree as rows, scoped to who asks (P1)."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlmodel import Session, col, select

from govcloud.domain.access import Actor
from govcloud.store.objects import visible
from govcloud.store.tables import ObjectRow


@dataclass(frozen=True, slots=True)
class Node:
    """One department: what it is called, its level, the one above, and how deep it stands."""

    name: str
    display_name: str | None
    level: str
    parent: str | None
    depth: int


def tree(session: Session, actor: Actor) -> list[Node]:
    """Return the departments that the actor may see, each before those below it.

    A node whose parent is not there, or not visible, begins a tree of its own.
    """
    statement = select(ObjectRow).where(col(ObjectRow.kind) == "Department", visible(actor))
    rows = {row.name: row for row in session.exec(statement.order_by(col(ObjectRow.name)))}
    below: dict[str | None, list[ObjectRow]] = {}
    for row in rows.values():
        parent = row.spec.get("parent")
        below.setdefault(parent if parent in rows else None, []).append(row)
    return list(_walk(below))


def _walk(below: dict[str | None, list[ObjectRow]]) -> Iterator[Node]:
    waiting = [(row, 0) for row in reversed(below.get(None, []))]
    while waiting:
        row, depth = waiting.pop()
        level, parent = str(row.spec.get("level", "")), row.spec.get("parent")
        yield Node(row.name, row.display_name, level, parent, depth)
        waiting += [(child, depth + 1) for child in reversed(below.get(row.name, []))]


def chain(session: Session, department: str) -> list[str]:
    """Return a department and the nodes above it up to the root; empty for an unknown one.

    Not scoped: names of the nodes above stand in every refusal of quota as well (Q4).
    """
    found: list[str] = []
    name: str | None = department
    while name and name not in found:
        statement = select(ObjectRow.spec).where(
            col(ObjectRow.kind) == "Department", col(ObjectRow.name) == name
        )
        spec = session.exec(statement).first()
        if spec is None:
            break
        found.append(name)
        name = spec.get("parent")
    return found
