"""The facts of one department, read by their numbers: the same in any process and at any time."""

from collections.abc import Iterable
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from sqlmodel import Session

from govcloud.figures.facts import HostFact, MachineFact, NamespaceFact, SystemFact
from govcloud.figures.holdings import ACTIVE
from govcloud.figures.population import Department, Split
from govcloud.store.facts import Digest, SpecField, Standing, standing

F = TypeVar("F", bound=tuple[Any, ...])


def text(*paths: str) -> list[SpecField]:
    """Return fields that are text, given by their dotted paths."""
    return [SpecField(tuple(path.split("."))) for path in paths]


def flag(path: str) -> SpecField:
    """Return a field that is true or false."""
    return SpecField(tuple(path.split(".")), "flag")


def integer(path: str) -> SpecField:
    """Return a field that is a whole number."""
    return SpecField((path,), "integer")


SYSTEM: Final = (
    *text("code", "lifecycle", "origin"),
    flag("security.classified"),
    *text("industryCloud"),
)
MACHINE: Final = (
    *text("system", "environment", "zone"),
    integer("count"),
    *text("flavor"),
    integer("vcpu"),
)
NAMESPACE: Final = (*text("system", "environment", "zone"), SpecField(("cpu",), "number"))
HOST: Final = (*text("system", "environment", "room", "state"), integer("vcpu"))
OWNERS: Final = ("System", "VirtualMachine", "Namespace", "LegacyHost")


class Span(NamedTuple):
    """The numbers of the last facts at the cut-off and at the opening: they tell a whole report.

    Facts are never changed and get no numbers below these any more (`Store.settle`).
    """

    now: int
    then: int


def read_department(session: Session, span: Span, name: str) -> tuple[Department, str]:
    """Return the systems of a department and what they run on, and the digest of these facts."""
    digest = Digest(name)

    def read(
        kind: str, fields: Iterable[SpecField], fact: type[F], phase: str | None = None
    ) -> Split[F]:
        rows = standing(
            session,
            kind,
            tuple(fields),
            now=span.now,
            then=span.then,
            department=name,
            phase=phase,
            brief=True,
        )
        digest.add(rows)
        return split_of(fact, rows)

    # What is pending or releasing carries nothing, so nothing of it has to be looked up.
    department = Department(
        name,
        systems=read("System", SYSTEM, SystemFact),
        machines=read("VirtualMachine", MACHINE, MachineFact, ACTIVE),
        namespaces=read("Namespace", NAMESPACE, NamespaceFact, ACTIVE),
        hosts=read("LegacyHost", HOST, HostFact),
    )
    return department, digest.hex()


def split_of(fact: type[F], rows: Standing) -> Split[F]:
    """Return facts as what they are of."""
    # What _make does, without its call in Python for each of a million rows.
    make = partial(tuple.__new__, fact)
    return Split(*(list(map(make, part)) for part in (rows.kept, rows.fresh, rows.former)))
