"""Queries on desired state, each scoped to who asks (P1), and its writes.

Whoever may read everything sees all rows. A department sees its own, the catalogue, and of the
platform's records those that speak of it. What a caller may not see is not found: the two are not
told apart.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import and_, exists, false, func, or_, true, tuple_
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from govcloud.domain.access import Actor, Permission
from govcloud.domain.keys import GROUND, ObjectKey
from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.suggest import nearest
from govcloud.errors import Diagnostic, InvalidInputError, NotFoundError
from govcloud.store.engine import lock_row
from govcloud.store.filters import KIND_OF, column
from govcloud.store.tables import EventRow, FactRow, ObjectRow
from govcloud.store.work import chunks

Row = TypeVar("Row")

DEFAULT_LIMIT: Final = 500
MAX_LIMIT: Final = 1000
_TOLD: Final = 6
"""How many departments are named that have an object of the same name."""
_NAMES: Final = 2000
"""How many names a suggestion is looked for in."""
PUBLIC: Final = frozenset({"Policy", "Cloud", "Zone", "Flavor", "Image", "Target", "Wave"})
"""Platform kinds that every department may read: the catalogue and the rules."""
SUBJECT: Final = frozenset({"Quota", "Exemption", "Waiver", "MigrationPlan"})
"""Platform kinds that speak of one department (`spec.department`), which may read them."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """A page of a list: its rows, the token of the next one, and on the first page how many."""

    items: tuple[Row, ...]
    next: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """Which objects of a kind; None and empty select everything."""

    kind: str
    department: str | None = None
    system: str | None = None
    cloud: str | None = None
    zone: str | None = None
    phase: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    limit: int = DEFAULT_LIMIT
    token: str | None = None


def sees_all(actor: Actor) -> bool:
    """Whether the actor may read every department's rows."""
    return actor.may(Permission.READ_ALL)


def visible(actor: Actor) -> Any:
    """Return the condition on `ObjectRow` that keeps an actor to what it may see."""
    if sees_all(actor):
        return true()
    if not actor.may(Permission.READ_OWN):
        return false()
    subject = ObjectRow.spec["department"].as_string()
    conditions = [
        and_(col(ObjectRow.department) == "", col(ObjectRow.kind).in_(sorted(PUBLIC))),
    ]
    if actor.department:
        conditions += [
            col(ObjectRow.department) == actor.department,
            and_(col(ObjectRow.kind) == "Department", col(ObjectRow.name) == actor.department),
            and_(col(ObjectRow.kind).in_(sorted(SUBJECT)), subject == actor.department),
        ]
    return or_(*conditions)


def get_object(
    session: Session, actor: Actor, kind: str, name: str, department: str | None = None
) -> ObjectRow:
    """Return one object; raises NotFoundError where there is none, or none that is visible.

    Without a department, an owned object is looked up in the actor's own, or, for those who see
    all, wherever it is the only one of its name.
    """
    statement = _of(actor, kind).where(col(ObjectRow.name) == name)
    if KINDS[kind].owned:
        department = department or actor.department or None
        if department:
            statement = statement.where(col(ObjectRow.department) == department)
    rows = session.exec(statement.order_by(col(ObjectRow.department)).limit(_TOLD)).all()
    if len(rows) != 1:
        holders = [row.department for row in rows]
        raise _not_one(session, actor, kind, name, department or "", holders=holders)
    return rows[0]


def must_exist(session: Session, actor: Actor, **named: str | None) -> None:
    """Raise NotFoundError for a name in a filter that is nobody's, or not for the actor to see.

    Names by filter (`department`, `cloud`, `zone`, `system`); a system is looked up in the
    department that is named with it.
    """
    for filtered, name in named.items():
        if name is None:
            continue
        kind, department = KIND_OF[filtered], ""
        statement = _of(actor, kind).where(col(ObjectRow.name) == name)
        if KINDS[kind].owned and named.get("department"):
            department = named["department"] or ""
            statement = statement.where(col(ObjectRow.department) == department)
        if session.exec(statement.limit(1)).first() is None:
            raise _not_one(session, actor, kind, name, department)


def _not_one(
    session: Session,
    actor: Actor,
    kind: str,
    name: str,
    department: str,
    *,
    holders: Sequence[str] = (),
) -> NotFoundError:
    """Return the error for no object or several; of none, with the visible name that is nearest."""
    params = {"kind": kind, "name": name, "department": department}
    if holders:
        return NotFoundError("requests.ambiguous_object", **params, departments=holders)
    visible = _of(actor, kind).with_only_columns(col(ObjectRow.name)).limit(_NAMES)
    if department and KINDS[kind].owned:
        visible = visible.where(col(ObjectRow.department) == department)
    meant = nearest(name, session.execute(visible).scalars())
    if meant is None:
        return NotFoundError("requests.no_such_object", **params)
    return NotFoundError("requests.no_such_object_meant", **params, meant=meant)


def list_objects(session: Session, actor: Actor, query: Query) -> Page[ObjectRow]:
    """Return a page of the objects of a kind that the actor may see, by department and name."""
    statement = _filtered(_of(actor, query.kind), query)
    total = None
    if query.token is None:
        total = session.exec(select(func.count()).select_from(statement.subquery())).one()
    else:
        after = read_token(query.token, str, str)
        key = tuple_(col(ObjectRow.department), col(ObjectRow.name))
        statement = statement.where(key > tuple_(*after))
    limit = bounded(query.limit)
    ordered = statement.order_by(col(ObjectRow.department), col(ObjectRow.name)).limit(limit + 1)
    rows = session.exec(ordered).all()
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    token = make_token(last.department, last.name) if last else None
    return Page(tuple(rows[:limit]), token, total)


def _of(actor: Actor, kind: str) -> SelectOfScalar[ObjectRow]:
    return select(ObjectRow).where(col(ObjectRow.kind) == kind, visible(actor))


def _filtered(statement: SelectOfScalar[ObjectRow], query: Query) -> SelectOfScalar[ObjectRow]:
    for name in ("department", "system", "cloud", "zone", "phase"):
        value = getattr(query, name)
        compared = column(query.kind, name) if value is not None else None
        if compared is not None:
            statement = statement.where(compared == value)
    for label, value in query.labels.items():
        statement = statement.where(ObjectRow.labels[label].as_string() == value)
    return statement


def bounded(limit: int) -> int:
    """Return a page size between 1 and the largest allowed."""
    return max(1, min(limit, MAX_LIMIT))


def make_token(*last: object) -> str:
    """Return the token of the page after the row with this key."""
    return base64.urlsafe_b64encode(json.dumps(last).encode()).decode().rstrip("=")


def read_token(token: str, *types: type) -> list[Any]:
    """Return the key in a page token; raises InvalidInputError for one that is not ours."""
    try:
        padded = token + "=" * (-len(token) % 4)
        last = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, UnicodeError, RecursionError):
        last = None
    if not (
        isinstance(last, list)
        and len(last) == len(types)
        and all(_fits(part, kind) for part, kind in zip(last, types, strict=True))
    ):
        raise InvalidInputError([Diagnostic("requests.bad_token", {}, field="continue")])
    return last


def _fits(part: object, kind: type) -> bool:
    """Whether a part of a key is one that the database can compare with the column."""
    if kind is int:
        return type(part) is int and abs(part) < 2**63
    return isinstance(part, str) and "\0" not in part and part.isprintable()


def list_events(
    session: Session,
    actor: Actor,
    *,
    uid: str | None = None,
    department: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> tuple[EventRow, ...]:
    """Return the latest events of the objects that the actor may see, newest first.

    Whose an object was that is gone, its facts say.
    """
    statement = select(EventRow)
    if uid is not None:
        statement = statement.where(col(EventRow.uid) == uid)
    if department is not None or not sees_all(actor):
        of = and_(col(ObjectRow.uid) == col(EventRow.uid), visible(actor))
        was = and_(col(FactRow.uid) == col(EventRow.uid), _was_visible(actor))
        if department is not None:
            of = and_(of, col(ObjectRow.department) == department)
            was = and_(was, col(FactRow.department) == department)
        statement = statement.where(or_(exists().where(of), exists().where(was)))
    return tuple(
        session.exec(statement.order_by(col(EventRow.seq).desc()).limit(bounded(limit))).all()
    )


def _was_visible(actor: Actor) -> Any:
    """Return the condition on `FactRow` for the owned objects that an actor may see, or might."""
    if sees_all(actor):
        return true()
    if not actor.department or not actor.may(Permission.READ_OWN):
        return false()
    return col(FactRow.department) == actor.department


# --- Inside the program: not scoped, for deciding and writing ------------------------------------


def by_keys(
    session: Session, keys: Iterable[ObjectKey], *, lock: bool = False
) -> dict[ObjectKey, ObjectRow]:
    """Return the rows of those keys that there are; `lock` holds them until the unit ends."""
    found: dict[ObjectKey, ObjectRow] = {}
    groups: dict[tuple[str, str], set[str]] = {}
    for key in keys:
        groups.setdefault((key.kind, key.department), set()).add(key.name)
    dialect = session.get_bind().dialect.name
    for (kind, department), names in sorted(groups.items()):
        for batch in chunks(sorted(names)):
            statement = (
                select(ObjectRow)
                .where(
                    col(ObjectRow.kind) == kind,
                    col(ObjectRow.department) == department,
                    col(ObjectRow.name).in_(batch),
                )
                .order_by(col(ObjectRow.name))
            )
            if lock:
                statement = lock_row(statement, dialect)
            found.update({key_of(row): row for row in session.exec(statement)})
    return found


def held(session: Session, uid: str) -> ObjectRow | None:
    """Return an object as it is now, kept from others until the unit ends; None: it is no more."""
    statement = select(ObjectRow).where(col(ObjectRow.uid) == uid)
    locked = lock_row(statement, session.get_bind().dialect.name)
    found: ObjectRow | None = session.exec(locked.execution_options(populate_existing=True)).first()
    return found


def by_uids(session: Session, uids: Iterable[str]) -> dict[str, ObjectRow]:
    """Return the rows of those uids that there still are."""
    found: dict[str, ObjectRow] = {}
    for batch in chunks(sorted(set(uids))):
        rows = session.exec(select(ObjectRow).where(col(ObjectRow.uid).in_(batch)))
        found.update({row.uid: row for row in rows})
    return found


def keys_of(session: Session, uids: Iterable[str]) -> dict[str, ObjectKey]:
    """Return what objects are called, or were called when they were last recorded."""
    wanted = set(uids)
    found = {uid: key_of(row) for uid, row in by_uids(session, wanted).items()}
    for batch in chunks(sorted(wanted - found.keys())):
        last = (
            select(func.max(FactRow.seq)).where(col(FactRow.uid).in_(batch)).group_by(FactRow.uid)
        )
        facts = session.exec(select(FactRow).where(col(FactRow.seq).in_(last)))
        found |= {fact.uid: ObjectKey(fact.kind, fact.department, fact.name) for fact in facts}
    return found


def locked(session: Session, uid: str) -> ObjectRow:
    """Return the row with this uid, locked until the unit ends; NoResultFound if it has gone."""
    dialect = session.get_bind().dialect.name
    statement = lock_row(select(ObjectRow).where(col(ObjectRow.uid) == uid), dialect)
    row: ObjectRow = session.exec(statement).one()
    return row


def of_kinds(
    session: Session, kinds: Sequence[str], *, subject: str | None = None, hold: bool = False
) -> list[ObjectRow]:
    """Return all rows of some kinds by kind and name, perhaps only those of `spec.department`.

    `hold` keeps them from being changed or deleted by others until the unit ends, where the
    database does not exclude other writers by itself.
    """
    statement = select(ObjectRow).where(col(ObjectRow.kind).in_(list(kinds)))
    if subject is not None:
        statement = statement.where(ObjectRow.spec["department"].as_string() == subject)
    statement = statement.order_by(col(ObjectRow.kind), col(ObjectRow.name))
    if hold and session.get_bind().dialect.name != "sqlite":
        statement = statement.with_for_update(read=True)
    return list(session.exec(statement))


def of_department(
    session: Session, department: str, kinds: Sequence[str], names: Iterable[str] | None = None
) -> list[ObjectRow]:
    """Return a department's rows of some kinds, perhaps only those with these names."""
    statement = select(ObjectRow).where(
        col(ObjectRow.department) == department, col(ObjectRow.kind).in_(list(kinds))
    )
    if names is not None:
        statement = statement.where(col(ObjectRow.name).in_(sorted(set(names))))
    return list(session.exec(statement.order_by(col(ObjectRow.kind), col(ObjectRow.name))))


def given_back(session: Session, department: str, kind: str) -> list[FactRow]:
    """Return the last facts of a department's objects of a kind that are no more."""
    gone = (
        col(FactRow.kind) == kind,
        col(FactRow.department) == department,
        col(FactRow.phase) == "gone",
    )
    return list(session.exec(select(FactRow).where(*gone).order_by(col(FactRow.seq))))


def of_system(session: Session, department: str, systems: Iterable[str]) -> list[ObjectRow]:
    """Return what stands for these systems of a department: resources and legacy hosts."""
    rows: list[ObjectRow] = []
    for batch in chunks(sorted(set(systems))):
        statement = select(ObjectRow).where(
            col(ObjectRow.department) == department,
            col(ObjectRow.system).in_(batch),
            col(ObjectRow.kind) != GROUND,
        )
        rows += session.exec(statement.order_by(col(ObjectRow.kind), col(ObjectRow.name)))
    return rows


def with_field(
    session: Session, kind: str, path: str, value: str, limit: int = 20
) -> list[ObjectRow]:
    """Return up to `limit` objects of a kind whose spec has `value` at the top-level `path`."""
    statement = select(ObjectRow).where(
        col(ObjectRow.kind) == kind, ObjectRow.spec[path].as_string() == value
    )
    ordered = statement.order_by(col(ObjectRow.department), col(ObjectRow.name))
    return list(session.exec(ordered.limit(limit)))


def systems_by_code(session: Session, codes: Iterable[str]) -> list[tuple[str, ObjectKey]]:
    """Return the systems, of all departments, that are registered under these codes."""
    code = ObjectRow.spec["code"].as_string()
    found: list[tuple[str, ObjectKey]] = []
    for batch in chunks(sorted(set(codes))):
        statement = select(ObjectRow).where(col(ObjectRow.kind) == "System", code.in_(batch))
        found += [(str(row.spec["code"]), key_of(row)) for row in session.exec(statement)]
    return found


def owned_by(session: Session, department: str, limit: int = 20) -> list[ObjectRow]:
    """Return up to `limit` objects that a department owns."""
    statement = select(ObjectRow).where(col(ObjectRow.department) == department)
    ordered = statement.order_by(col(ObjectRow.kind), col(ObjectRow.name))
    return list(session.exec(ordered.limit(limit)))


def key_of(row: ObjectRow) -> ObjectKey:
    """Return what an object is called."""
    return ObjectKey(row.kind, row.department, row.name)
